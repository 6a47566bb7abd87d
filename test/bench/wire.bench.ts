import { performance } from 'node:perf_hooks'
import * as dagCbor from '@ipld/dag-cbor'
import { KeyPair } from '../../src/identity/index.ts'
import { assert, type Incarnation, type NodeId, Random, type WallMillis } from '../../src/kernel/index.ts'
import { MEMBERSHIP_BODIES, presenceBody } from '../../src/membership/messages.ts'
import { decode, encode, type Shape } from '../../src/wire/index.ts'

/**
 * Our codec against @ipld/dag-cbor, in one run: a membership ping with eight rumours and a presence, encoded and decoded.
 * Rounds of both sides alternate, so that what else the machine does meets both alike; medians of the rounds are told.
 */

const ROUNDS_COUNT = 21
const ROUND_MS = 60

interface Subject {
  readonly name: string
  readonly shape: Shape<unknown>
  readonly value: unknown
}

if (import.meta.main) run()

function run(): void {
  console.log(`node ${process.version}, ${process.arch}; median of ${ROUNDS_COUNT} rounds`)
  console.log(row('', 'bytes', 'encode/s', 'decode/s', 'encode x', 'decode x'))
  for (const subject of [ping(), presence()]) compare(subject)
}

function compare({ name, shape, value }: Subject): void {
  const ours = encode(shape, value)
  const theirs = dagCbor.encode(value)
  assert(decode(shape, ours).ok, 'the value survives our codec')
  const [ourEncode, theirEncode] = medianRates(
    () => encode(shape, value),
    () => dagCbor.encode(value),
  )
  const [ourDecode, theirDecode] = medianRates(
    () => decode(shape, ours),
    () => dagCbor.decode(theirs),
  )
  console.log(row(`${name}, dag-cbor`, theirs.length, rate(theirEncode), rate(theirDecode), '1.0', '1.0'))
  const ratios = [ourEncode / theirEncode, ourDecode / theirDecode].map((ratio) => ratio.toFixed(1))
  console.log(row(`${name}, ours`, ours.length, rate(ourEncode), rate(ourDecode), ...ratios))
}

/** Calls per second of both, median over alternating rounds. */
function medianRates(first: () => unknown, second: () => unknown): readonly [number, number] {
  const rates: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS_COUNT; round++) {
    rates[0].push(roundRate(first))
    rates[1].push(roundRate(second))
  }
  return [median(rates[0]), median(rates[1])]
}

function roundRate(call: () => unknown): number {
  const startedAt = performance.now()
  let calls = 0
  let elapsedMs = 0
  while (elapsedMs < ROUND_MS) {
    for (let i = 0; i < 100; i++) call()
    calls += 100
    elapsedMs = performance.now() - startedAt
  }
  return (calls * 1000) / elapsedMs
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

/** A probe as it goes out in a swarm in motion: eight rumours on its back. */
function ping(): Subject {
  const random = new Random('wire bench')
  const rumours = Array.from({ length: 8 }, (_, i) => ({
    node: nodeOf(i),
    incarnation: random.below(1000) as Incarnation,
    state: random.pick(['alive', 'suspect', 'dead'] as const),
    accuser: i % 2 === 0 ? nodeOf(i + 20) : undefined,
    lost: i % 3 === 0,
  }))
  const value = {
    sequence: 123_456,
    mine: 17 as Incarnation,
    yours: 4 as Incarnation,
    suspected: false,
    coordinate: { x: 12.25, y: -3.5, z: 0.75, height: 1.125, errorThousandths: 240 },
    rumours,
  }
  // dag-cbor has no undefined: absent fields are left out there.
  return { name: 'ping', shape: MEMBERSHIP_BODIES['membership.ping'] as Shape<unknown>, value: withoutUndefined(value) }
}

function presence(): Subject {
  const value = {
    incarnation: 17,
    status: 'alive',
    addresses: ['/ip4/192.0.2.17/tcp/4001', '/ip4/10.1.2.17/tcp/4001'],
    region: 'eu-west',
    zone: 'eu-west-1b',
    labels: { rack: 'r17', 'gpu.model': 'A100', owner: 'team-vision' },
    version: '0.1.0',
    startedAt: 1_700_000_000_000 as WallMillis,
  }
  return { name: 'presence', shape: presenceBody as Shape<unknown>, value }
}

function nodeOf(number: number): NodeId {
  return KeyPair.fromSeed(new Uint8Array(32).fill(number)).node
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === undefined ? [] : [[key, withoutUndefined(inner)]])),
  )
}

function rate(perSecond: number): string {
  return `${(perSecond / 1000).toFixed(0)}k`
}

function row(name: string, ...cells: readonly (string | number)[]): string {
  return name.padEnd(20) + cells.map((cell) => String(cell).padStart(10)).join('')
}
