import { describe, expect, it } from 'vitest'
import { CLAIMS_BODIES, type ClaimsMessage, type TaskId } from '../../src/claims/index.ts'
import { scoreAll } from '../../src/claims/score.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { ByteWriter, decode, encode, type Shape } from '../../src/wire/index.ts'
import { World } from './claims-world.ts'

type BodyOf<K extends ClaimsMessage['kind']> = Extract<ClaimsMessage, { readonly kind: K }>['body']

/** What n1 says, which has no core of its own here: whatever is sent to it is lost. */
class Member {
  readonly world: World
  readonly id = 'n1' as NodeId
  #offers = 0

  constructor(nodes = 2) {
    this.world = new World({ nodes })
    this.world.loses = (_from, to) => to === this.id
  }

  says(message: ClaimsMessage, to = 'n0'): void {
    const shape = CLAIMS_BODIES[message.kind] as Shape<unknown>
    const body = decode(shape, encode(shape, message.body))
    if (!body.ok) throw new Error(body.error)
    this.world.input(to, { kind: 'message', from: this.id, message: { ...message, body: body.value } as ClaimsMessage })
  }

  /** Offers and awards in one. */
  awards(
    task: string,
    input: BodyOf<'claims.award'>['tasks'][number]['input'],
    extra: { readonly leaseMs?: number; readonly guarantee?: 'exactly-once' | 'at-least-once' } = {},
  ): void {
    this.#offers += 1
    const { leaseMs = 10_000, guarantee = 'exactly-once' as const } = extra
    this.says({ kind: 'claims.offer', body: offer(this.#offers) })
    const terms = { runTimeoutMs: 0, deadlineMs: 0, priority: 5, guarantee, trace: '' }
    const tasks = [{ task: task as TaskId, attempt: 1, input, ...terms }]
    this.says({ kind: 'claims.award', body: { offer: this.#offers, epoch: 1, serial: this.#offers, leaseMs, tasks } })
  }
}

function offer(number: number): BodyOf<'claims.offer'> {
  return {
    offer: number,
    epoch: 1,
    demand: {
      skills: ['echo'],
      resources: {},
      require: [],
      prefer: [],
      tenant: 'default',
      budget: undefined,
      objective: { throughput: 1, latency: 1, quality: 1, cost: 1 },
      excluded: [],
    },
    tasks: 1,
    priority: 5,
    windowMs: 100,
    holdMs: 0,
    waitedMs: 0,
    runTimeoutMs: 0,
  }
}

function f64(value: number): string {
  const writer = new ByteWriter()
  writer.f64(value)
  return Buffer.from(writer.finish()).toString('hex')
}

/** The error of a body in which every `before` became `after` on its way. */
function errorOf<K extends ClaimsMessage['kind']>(kind: K, body: BodyOf<K>, before: number, after: number): string {
  const shape = CLAIMS_BODIES[kind] as Shape<unknown>
  const hex = Buffer.from(encode(shape, body)).toString('hex').replaceAll(f64(before), f64(after))
  const decoded = decode(shape, Buffer.from(hex, 'hex'))
  return decoded.ok ? '' : decoded.error
}

describe('numbers of a member', () => {
  it('T-7 amounts below zero are no demand: what is refused unread takes nothing from the pools', () => {
    const { demand, ...rest } = offer(1)
    const withResources = { ...rest, demand: { ...demand, resources: { cpu: 100.25 } } }
    expect(errorOf('claims.offer', withResources, 100.25, 100.5)).toBe('')
    expect(errorOf('claims.offer', withResources, 100.25, -100)).toMatch(/an amount is a number from 0/)
    expect(errorOf('claims.offer', { ...rest, demand: { ...demand, budget: 7.25 } }, 7.25, -1)).toMatch(/an amount/)
    expect(errorOf('claims.offer', offer(1), 1, -1)).toMatch(/an amount/)
  })

  it('prices, shares and dates are in the range of prices, shares and dates', () => {
    const bid = { offer: 1, slots: 1, waitMs: 0, runMs: 0, price: 7.25, qualityThousandths: 0, preferenceThousandths: 0 }
    expect(errorOf('claims.bid', { ...bid, claim: false }, 7.25, -1)).toMatch(/an amount/)
    const progress = { task: 't' as TaskId, epoch: 1, attempt: 1, fraction: 0.25, message: undefined, partial: undefined }
    expect(errorOf('claims.progress', progress, 0.25, 1.5)).toMatch(/a fraction/)
    const row = { at: 7.25, kind: 'failed', node: 'n', agent: 'a', attempt: 1, text: '' }
    const reply = { query: 1, answer: { kind: 'history' as const, entries: [row] } }
    expect(errorOf('claims.reply', reply, 7.25, 1e17)).toMatch(/a date is out of range/)
  })

  it('a demand names a skill, and its tenant', () => {
    const shape = CLAIMS_BODIES['claims.offer']
    const { demand, ...rest } = offer(1)
    for (const wrong of [{ skills: [] }, { skills: [''] }, { tenant: '' }])
      expect(() => encode(shape, { ...rest, demand: { ...demand, ...wrong } })).toThrow(/names a skill|not empty/)
  })

  it('the largest weights still order bids', () => {
    const objective = { throughput: 0, latency: 0, quality: 1e308, cost: 1e308 }
    const plain = { runMs: 1, waitMs: 0, price: 1, load: 0, preference: 0 }
    const [bad, good] = scoreAll([{ ...plain, quality: 0 }, { ...plain, quality: 1 }], objective)
    expect(good).toBeGreaterThan(bad as number)
  })
})
