import { lpStream, multiaddrConnectionPair } from '@libp2p/utils'
import { expect, test } from 'vitest'
import { handshakeFrameShape } from '../../src/identity/index.ts'
import { exchange, turnAway } from '../../src/net/exchange.ts'
import { isCrossed } from '../../src/net/refusal.ts'
import { decode } from '../../src/wire/index.ts'
import { founding, keyPair, member, NOW, ticketFor } from './identity-fixtures.ts'

const self = keyPair(4)
const stranger = keyPair(5)

/** What a stranger reads from its end. */
async function refusalFrom(end: Parameters<typeof lpStream>[0]): Promise<unknown> {
  const decoded = decode(handshakeFrameShape, (await lpStream(end).read()).subarray())
  return decoded.ok ? decoded.value : undefined
}

test('P-4: who refuses hangs up only after the other side has read why', async () => {
  const [ours, theirs] = multiaddrConnectionPair({ delay: 1 })
  const options = { role: 'responder', self: member(self, founding()), remote: stranger.node, wallNow: NOW } as const
  let over = false
  const refused = exchange(ours, options, undefined, AbortSignal.timeout(5_000)).catch((cause: unknown) => {
    over = true
    return cause
  })
  theirs.send(Uint8Array.of(3, 0xee, 0xee, 0xee))
  expect(await refusalFrom(theirs)).toMatchObject({ kind: 'refuse', code: 'HANDSHAKE_FAILED' })
  expect(over).toBe(false)
  theirs.abort(new Error('so be it'))
  expect(await refused).toMatchObject({ name: 'Refusal', code: 'HANDSHAKE_FAILED', by: 'us' })
})

test('P-4: the same for who is not even asked', async () => {
  const [ours, theirs] = multiaddrConnectionPair({ delay: 1 })
  let over = false
  const refused = turnAway(ours, 'UNAUTHORISED', 'come back later').catch((cause: unknown) => {
    over = true
    return cause
  })
  expect(await refusalFrom(theirs)).toEqual({ kind: 'refuse', code: 'UNAUTHORISED', message: 'come back later' })
  expect(over).toBe(false)
  theirs.abort(new Error('so be it'))
  expect(await refused).toMatchObject({ code: 'UNAUTHORISED', by: 'us' })
})

test('P-2: a frame that announces too much is not waited for', async () => {
  const [ours, theirs] = multiaddrConnectionPair({ delay: 1 })
  const options = { role: 'responder', self: member(self, founding()), remote: stranger.node, wallNow: NOW } as const
  const refused = exchange(ours, options, undefined, AbortSignal.timeout(5_000)).catch((cause: unknown) => cause)
  theirs.send(Uint8Array.of(0xff, 0xff, 0xff, 0x7f))
  expect(await refusalFrom(theirs)).toMatchObject({ kind: 'refuse', code: 'HANDSHAKE_FAILED' })
  theirs.abort(new Error('so be it'))
  expect(await refused).toMatchObject({ code: 'HANDSHAKE_FAILED', by: 'us' })
})

test('P-2: an issuer that takes too long over a ticket is out of time', async () => {
  const [ours, theirs] = multiaddrConnectionPair({ delay: 1 })
  const controller = new AbortController()
  const founded = founding()
  const ticket = ticketFor(self.node, founded)
  const wallNow = NOW
  const issuer = { role: 'responder', self: member(self, founded), remote: stranger.node, wallNow } as const
  const hangs = (): Promise<never> => {
    controller.abort()
    return new Promise(() => undefined)
  }
  const refused = exchange(ours, issuer, hangs, controller.signal).catch((cause: unknown) => cause)
  const newcomer = { kind: 'newcomer', node: stranger.node, ticket } as const
  const asking = { role: 'initiator', self: newcomer, remote: self.node, wallNow } as const
  const told = exchange(theirs, asking, undefined, AbortSignal.timeout(5_000)).catch((cause: unknown) => cause)
  expect(await refused).toMatchObject({ code: 'TIMEOUT', by: 'us' })
  expect(await told).toMatchObject({ code: 'TIMEOUT', by: 'peer' })
})

test('P-5: the responder has the last word, and the initiator takes its silence for a crossed dial', async () => {
  const founded = founding()
  const [one, other] = [member(self, founded), member(stranger, founded)]
  const met = (stands: boolean) => {
    const [ours, theirs] = multiaddrConnectionPair({ delay: 1 })
    const signal = AbortSignal.timeout(5_000)
    const asked = { role: 'responder', self: one, remote: stranger.node, wallNow: NOW } as const
    const asking = { role: 'initiator', self: other, remote: self.node, wallNow: NOW } as const
    const answer = exchange(ours, asked, undefined, signal, () => stands).catch((cause: unknown) => {
      // As libp2p does with a connection that its encrypter gave up.
      ours.abort(new Error('given up'))
      return isCrossed(cause)
    })
    return Promise.all([answer, exchange(theirs, asking, undefined, signal).catch(isCrossed)])
  }
  expect(await met(true)).toMatchObject([{ peer: { node: stranger.node } }, { peer: { node: self.node } }])
  expect(await met(false)).toEqual([true, true])
})
