import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { joinPatiently } from '../../node/joining.ts'
import { openLog } from '../../node/log.ts'
import { type ErrorCode, SwarmError, type Ticket } from '../../src/index.ts'

const log = openLog({ level: 'fatal', to: 'stderr' }).module('net')
const ticket = {} as Ticket
const grant = {} as never

/** Fails with these codes, one after the other, then lets the newcomer in. */
function issuer(...codes: readonly ErrorCode[]) {
  const left = [...codes]
  return {
    join: vi.fn(async () => {
      const code = left.shift()
      if (code !== undefined) throw new SwarmError(code, 'no')
      return grant
    }),
  }
}

describe('joining', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('tries again while the issuer cannot be reached', async () => {
    const network = issuer('TICKET_ISSUER_UNREACHABLE', 'TICKET_ISSUER_UNREACHABLE')
    const joined = joinPatiently(network, ticket, log)
    await vi.runAllTimersAsync()
    await expect(joined).resolves.toBe(grant)
    expect(network.join).toHaveBeenCalledTimes(3)
  })

  it('gives up after a bounded number of tries', async () => {
    const network = issuer(...Array.from({ length: 50 }, () => 'TICKET_ISSUER_UNREACHABLE' as const))
    const joined = expect(joinPatiently(network, ticket, log)).rejects.toMatchObject({
      code: 'TICKET_ISSUER_UNREACHABLE',
      message: expect.stringMatching(/^no; gave up after 6 tries: start again once it can be reached$/),
    })
    await vi.runAllTimersAsync()
    await joined
    expect(network.join).toHaveBeenCalledTimes(6)
  })

  it('ends at once when it is given up', async () => {
    const network = issuer('TICKET_ISSUER_UNREACHABLE', 'TICKET_ISSUER_UNREACHABLE')
    const giveUp = new AbortController()
    const joined = expect(joinPatiently(network, ticket, log, giveUp.signal)).rejects.toThrow('enough')
    await vi.advanceTimersByTimeAsync(1)
    giveUp.abort(new Error('enough'))
    await joined
    expect(network.join).toHaveBeenCalledTimes(1)
  })

  it('takes a refusal for an answer', async () => {
    const network = issuer('TICKET_USED_UP')
    await expect(joinPatiently(network, ticket, log)).rejects.toMatchObject({ code: 'TICKET_USED_UP' })
    expect(network.join).toHaveBeenCalledTimes(1)
  })
})
