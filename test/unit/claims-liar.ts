import { CLAIMS_BODIES, type ClaimsMessage } from '../../src/claims/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { decode, encode, type Shape } from '../../src/wire/index.ts'
import { World, type WorldOptions } from './claims-world.ts'

/*
 * n1 is a member of the swarm that lies: no core of this project is behind it, and what it says to n0 is whatever passes
 * the codec.
 */

export const LIAR = 'n1'

export type Body<K extends ClaimsMessage['kind']> = Extract<ClaimsMessage, { kind: K }>['body']

export function say(world: World, message: ClaimsMessage, from = LIAR): void {
  const shape = CLAIMS_BODIES[message.kind] as Shape<unknown>
  const body = decode(shape, encode(shape, message.body))
  if (!body.ok) throw new Error(`the wire refuses it: ${body.error}`)
  const input = { kind: message.kind, body: body.value } as ClaimsMessage
  world.input('n0', { kind: 'message', from: from as NodeId, message: input })
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const inline = (text: string) => ({ kind: 'inline' as const, bytes: bytes(text) })
export const said = (output: Uint8Array | undefined): string => new TextDecoder().decode(output)

export const DEMAND = {
  skills: ['echo'],
  resources: {},
  require: [],
  prefer: [],
  tenant: 'default',
  budget: undefined,
  objective: { throughput: 1, latency: 1, quality: 1, cost: 1 },
  excluded: [],
}

export function offers(world: World, offer: number, demand: Partial<Body<'claims.offer'>['demand']> = {}): void {
  const times = { windowMs: 100, holdMs: 0, waitedMs: 0, runTimeoutMs: 0 }
  const body = { offer, epoch: 1, demand: { ...DEMAND, ...demand }, tasks: 1, priority: 9, ...times }
  say(world, { kind: 'claims.offer', body })
}

interface Award {
  readonly task?: string
  readonly input?: Body<'claims.award'>['tasks'][number]['input']
  readonly leaseMs?: number
  /** Tasks, each with a name of its own; one by default. */
  readonly count?: number
  /** The bid that it answers; the latest for that offer by default. */
  readonly bid?: number | undefined
}

export function awards(
  world: World,
  offer: number,
  {
    task = `n1-x-${offer}`,
    input,
    leaseMs = 10_000,
    count = 1,
    bid = told(world, 'claims.bid').findLast((made) => made.offer === offer)?.bid ?? 0,
  }: Award = {},
): void {
  const rows = Array.from({ length: count }, (_, i) => ({
    task: (i === 0 ? task : `${task}x${i}`) as Body<'claims.award'>['tasks'][number]['task'],
    attempt: 1,
    seal: 0,
    input: input ?? inline('1'),
    runTimeoutMs: 0,
    deadlineMs: 0,
    priority: 9,
    guarantee: 'exactly-once' as const,
    trace: '',
  }))
  say(world, { kind: 'claims.award', body: { offer, bid, epoch: 1, serial: offer, leaseMs, tasks: rows } })
}

/** What n0 has told the liar, by kind. */
export function told<K extends ClaimsMessage['kind']>(world: World, kind: K): readonly Body<K>[] {
  return world.sent.flatMap(({ to, message }) =>
    to === LIAR && message.kind === kind ? [message.body as Body<K>] : [],
  )
}

export function worldWithLiar(options: WorldOptions = {}): World {
  const world = new World({ nodes: 2, ...options })
  world.loses = (_from, to) => to === LIAR
  return world
}

/** It bids best for whatever it is offered, and does with an award what it likes. */
export function bidsBest(world: World, onAward: (award: Body<'claims.award'>) => void): void {
  const best = { runMs: 0, waitMs: 0, price: 0, qualityThousandths: 1000, preferenceThousandths: 1000, claim: false }
  world.loses = (_from, to, message) => {
    if (to !== LIAR) return false
    if (message.kind === 'claims.offer') {
      const body = { offer: message.body.offer, bid: 1, slots: message.body.tasks, ...best }
      world.later(1, () => say(world, { kind: 'claims.bid', body }))
    } else if (message.kind === 'claims.award') onAward(message.body)
    return true
  }
}
