import { CLAIMS_BODIES, type ClaimsMessage, type TaskId } from '../../../src/claims/index.ts'
import { InvariantError, type NodeId, type Random } from '../../../src/kernel/index.ts'
import { encode, rulesOf, type Shape } from '../../../src/wire/index.ts'
import type { Attempt } from './hearsay.ts'
import type { Body, ClaimsKind, Frame, Liar, Lie, Said } from './types.ts'

/** Numbers at which somebody's arithmetic changes its mind. */
const COUNTS = [0, 1, 2, 64, 1000, 4096, 2 ** 31, 2 ** 32, 2 ** 47, 2 ** 48] as const
const AMOUNTS = [0, -0, -1, -1e9, 1e-12, 5e-324, 1, 3, 1e9, 1e308, -1e308] as const

/** What the campaign's nodes take for no payload begins with this. */
export const NOISE = 0xff
const NOISE_BYTES = 24

export function isPayload(bytes: Uint8Array): boolean {
  return bytes[0] !== NOISE
}

export function noise(length = NOISE_BYTES): Uint8Array {
  return new Uint8Array(length).fill(NOISE)
}

const encoder = new TextEncoder()

export function bytes(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Extra input that a liar gives to an executor as if it were the coordinator. */
export const USURPED = bytes('usurped')

export function oddCount(random: Random, max = 2 ** 48): number {
  return Math.min(max, random.pick(COUNTS))
}

export function oddAmount(random: Random): number {
  return random.pick(AMOUNTS)
}

/** Texts up to a bound: names that look like others', empty ones, long ones. */
export function oddText(random: Random, bytesMax = 64): string {
  const texts = ['', 'a', '/', 'n0/agent0', 'agent0', '__proto__', '€', 'é\u0000', 'x'.repeat(bytesMax)]
  const text = random.pick(texts)
  return encoder.encode(text).length <= bytesMax ? text : 'x'.repeat(bytesMax)
}

/** The bytes of a message, or nothing if it is one that cannot be said. */
export function frameOf(message: ClaimsMessage | Frame): Uint8Array | undefined {
  const body = 'bytes' in message ? message.bytes : encoded(message)
  return body === undefined || body.length > rulesOf(message.kind).bytesMax ? undefined : body
}

function encoded({ kind, body }: ClaimsMessage): Uint8Array | undefined {
  try {
    return encode(CLAIMS_BODIES[kind] as Shape<unknown>, body)
  } catch (error) {
    if (error instanceof InvariantError) return undefined
    throw error
  }
}

export function say<K extends ClaimsKind>(to: NodeId, kind: K, body: Body<K>, afterMs = 0): Said {
  return { to, message: { kind, body } as ClaimsMessage, afterMs }
}

export function acting(name: string, everyMs: number, acts: (liar: Liar) => readonly Said[]): Lie {
  return { name, everyMs, acts }
}

/** About some open tasks, each to whoever is given by `to` and is linked. */
export function onAttempts(
  name: string,
  everyMs: number,
  to: (liar: Liar, attempt: Attempt) => NodeId | undefined,
  says: (liar: Liar, node: NodeId, attempt: Attempt) => readonly Said[],
): Lie {
  return acting(name, everyMs, (liar) =>
    liar.hearsay.attempts(4).flatMap((attempt) => {
      const node = to(liar, attempt)
      return node === undefined || !liar.peers.includes(node) ? [] : says(liar, node, attempt)
    }),
  )
}

export const coordinatorOf = (_liar: Liar, { coordinator }: Attempt): NodeId => coordinator
export const executorOf = (_liar: Liar, { executor }: Attempt): NodeId | undefined => executor

/** A token in force, or one next to it. */
export function tokenNear({ random }: Liar, { task, epoch, attempt }: Attempt): Attempt & { readonly task: TaskId } {
  const ages = [0, 0, 0, 1, -1, 2 ** 40]
  const near = (counter: number): number => Math.max(0, counter + random.pick(ages))
  return { task, epoch: near(epoch), attempt: near(attempt) } as Attempt
}

/** The seal of another's award is not to be had. */
export function rowOf({ task, epoch, attempt }: Attempt): Body<'claims.renew'>['leases'][number] {
  return { task, epoch, attempt, seal: 0 }
}

/** What a forger would like to have believed. */
export function forgedOutcome({ random }: Liar): Body<'claims.result'>['outcome'] {
  return random.pick<Body<'claims.result'>['outcome']>([
    { kind: 'completed', output: { kind: 'inline', bytes: bytes('forged') } },
    { kind: 'completed', output: { kind: 'inline', bytes: noise() } },
    { kind: 'failed', error: { code: oddText(random), message: 'forged', retryable: random.chance(0.5) } },
    { kind: 'released', reason: random.pick(['agent-lost', 'lease-ended', 'draining', 'payload-lost'] as const) },
  ])
}

/** Something of it is another thing of its kind: a number, a text, a list with more or less in it. */
export function mutated(random: Random, message: ClaimsMessage): ClaimsMessage {
  return { kind: message.kind, body: mutatedValue(random, message.body) } as ClaimsMessage
}

function mutatedValue(random: Random, value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? nearCount(random, value) : oddAmount(random)
  if (typeof value === 'boolean') return !value
  if (typeof value === 'string')
    return random.chance(0.5) ? oddText(random) : `${value.slice(0, -1)}${random.below(10)}`
  if (value instanceof Uint8Array) return random.pick([noise(), value.subarray(0, value.length >> 1), bytes('other')])
  if (Array.isArray(value)) return mutatedList(random, value)
  if (typeof value !== 'object' || value === null) return value
  const names = Object.keys(value).filter((name) => name !== 'kind')
  if (names.length === 0) return value
  const name = random.pick(names)
  return { ...value, [name]: mutatedValue(random, (value as Record<string, unknown>)[name]) }
}

function nearCount(random: Random, value: number): number {
  return random.chance(0.5) ? Math.max(0, value + random.pick([-1, 1, 2])) : oddCount(random)
}

function mutatedList(random: Random, list: readonly unknown[]): readonly unknown[] {
  if (list.length === 0 || random.chance(0.2)) return []
  const at = random.below(list.length)
  if (random.chance(0.3)) return [...list, list[at]]
  return list.map((item, i) => (i === at ? mutatedValue(random, item) : item))
}
