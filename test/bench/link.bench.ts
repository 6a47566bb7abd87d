import { type ChildProcess, fork } from 'node:child_process'
import { cpus } from 'node:os'
import type { Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { NodeId } from '../../src/kernel/index.ts'
import { type LinkNode, startLinkNode } from '../e2e/link-node.ts'
import { BARE_ECHO, BARE_SINK, BENCH_KINDS, type BenchKind, PAYLOAD_BYTES } from './link-kinds.ts'

/**
 * Links against bare libp2p streams, between two processes over loopback TCP, Noise and Yamux, in one run: the round
 * trip of 200 bytes on a warm lane, and how many messages of 200 bytes go through when many are sent at once.
 * Rounds of both sides alternate, so that what else the machine does meets both alike; medians of the rounds are told.
 */

const TARGET_ROUND_TRIP_RATIO = 1.5
const TARGET_THROUGHPUT_RATIO = 5

interface Size {
  readonly rounds: number
  readonly roundTrips: number
  readonly linkMessages: number
  readonly bareMessages: number
}

const SIZE: Size = { rounds: 5, roundTrips: 2_000, linkMessages: 200_000, bareMessages: 20_000 }
const QUICK: Size = { rounds: 1, roundTrips: 300, linkMessages: 20_000, bareMessages: 2_000 }

interface RoundTrips {
  readonly p50Us: number
  readonly p99Us: number
}

interface Round {
  readonly bare: RoundTrips
  readonly link: RoundTrips
  readonly barePerSecond: number
  readonly linkPerSecond: number
}

export async function main(args: readonly string[]): Promise<void> {
  const size = args.includes('--quick') ? QUICK : SIZE
  const bench = await Bench.start()
  try {
    const result = await measure(bench, size)
    if (args.includes('--json')) console.log(JSON.stringify(result))
    else print(result)
  } finally {
    await bench.stop()
  }
}

async function measure(bench: Bench, size: Size) {
  await bench.linkRoundTrips(size.roundTrips / 2)
  await bench.bareRoundTrips(size.roundTrips / 2)
  await bench.linkThroughput(size.linkMessages / 4)
  await bench.bareThroughput(size.bareMessages / 4)
  const rounds: Round[] = []
  for (let i = 0; i < size.rounds; i++) {
    rounds.push({
      bare: await bench.bareRoundTrips(size.roundTrips),
      link: await bench.linkRoundTrips(size.roundTrips),
      barePerSecond: await bench.bareThroughput(size.bareMessages),
      linkPerSecond: await bench.linkThroughput(size.linkMessages),
    })
  }
  const of = (pick: (round: Round) => number) => median(rounds.map(pick))
  const bare = { p50Us: of((r) => r.bare.p50Us), p99Us: of((r) => r.bare.p99Us), perSecond: of((r) => r.barePerSecond) }
  const link = { p50Us: of((r) => r.link.p50Us), p99Us: of((r) => r.link.p99Us), perSecond: of((r) => r.linkPerSecond) }
  return {
    bench: 'link',
    machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`,
    payloadBytes: PAYLOAD_BYTES,
    rounds: size.rounds,
    bare,
    link,
    ratios: {
      roundTripP50: link.p50Us / bare.p50Us,
      roundTripP99: link.p99Us / bare.p99Us,
      throughput: link.perSecond / bare.perSecond,
    },
    targets: { roundTripP50AtMost: TARGET_ROUND_TRIP_RATIO, throughputAtLeast: TARGET_THROUGHPUT_RATIO },
  }
}

function print(result: Awaited<ReturnType<typeof measure>>): void {
  const { bare, link, ratios, targets } = result
  const row = (name: string, { p50Us, p99Us, perSecond }: typeof bare) =>
    console.log(
      `  ${name.padEnd(24)} ${p50Us.toFixed(0).padStart(8)} µs ${p99Us.toFixed(0).padStart(8)} µs ${perSecond.toFixed(0).padStart(10)}/s`,
    )
  console.log(`link: two processes, loopback TCP + Noise + Yamux, ${result.payloadBytes} bytes, ${result.machine}`)
  console.log(`  ${''.padEnd(24)} ${'p50'.padStart(11)} ${'p99'.padStart(11)} ${'messages'.padStart(12)}`)
  row('bare stream', bare)
  row('link, work lane', link)
  console.log(
    `  ratios: round trip p50 ${ratios.roundTripP50.toFixed(2)} (target <= ${targets.roundTripP50AtMost}), ` +
      `p99 ${ratios.roundTripP99.toFixed(2)}, ` +
      `throughput ${ratios.throughput.toFixed(1)} (target >= ${targets.throughputAtLeast})`,
  )
}

class Bench {
  readonly #node: LinkNode<BenchKind>
  readonly #child: ChildProcess
  readonly #peer: NodeId
  readonly #echo: Stream
  readonly #sink: Stream
  readonly #events: Events

  private constructor(
    node: LinkNode<BenchKind>,
    child: ChildProcess,
    peer: NodeId,
    streams: { readonly echo: Stream; readonly sink: Stream },
    events: Events,
  ) {
    this.#node = node
    this.#child = child
    this.#peer = peer
    this.#echo = streams.echo
    this.#sink = streams.sink
    this.#events = events
  }

  static async start(): Promise<Bench> {
    const child = fork(new URL('./link-child.ts', import.meta.url), { stdio: 'inherit' })
    const { address, id } = await new Promise<{ address: string; id: NodeId }>((resolve, reject) => {
      child.once('message', (message) => resolve(message as { address: string; id: NodeId }))
      child.once('exit', (code) => reject(new Error(`the far process ended with ${code}`)))
    })
    const events: Events = { onReply: () => {}, onRoom: () => {} }
    const opened = Promise.withResolvers<void>()
    const node = await startLinkNode({
      kinds: BENCH_KINDS,
      handler: {
        onOpen: () => opened.resolve(),
        onFailed: (_peer, reason) => opened.reject(new Error(reason)),
        onMessage: () => events.onReply(),
        onRoom: () => events.onRoom(),
        onGap: (_peer, lane) => console.error(`gap on ${lane}`),
        onPenalty: (_peer, points, reason) => console.error(`${points} points: ${reason}`),
      },
    })
    await node.libp2p.dial(multiaddr(address))
    await opened.promise
    const peer = peerIdFromString(id)
    const echo = await node.libp2p.dialProtocol(peer, BARE_ECHO)
    const sink = await node.libp2p.dialProtocol(peer, BARE_SINK)
    return new Bench(node, child, id, { echo, sink }, events)
  }

  async linkRoundTrips(count: number): Promise<RoundTrips> {
    return await roundTrips(count, (payload, onReply) => {
      this.#events.onReply = onReply
      this.#node.links.send(this.#peer, 'bench.request', payload)
    })
  }

  async bareRoundTrips(count: number): Promise<RoundTrips> {
    let answered: () => void = () => {}
    let left = 0
    const onMessage = ({ data }: { readonly data: { readonly byteLength: number } }) => {
      left -= data.byteLength
      if (left === 0) answered()
    }
    this.#echo.addEventListener('message', onMessage)
    const result = await roundTrips(count, (payload, onReply) => {
      answered = onReply
      left = payload.length
      this.#echo.send(payload)
    })
    this.#echo.removeEventListener('message', onMessage)
    return result
  }

  /** As fast as the lane takes them: `full` and `onRoom` pace the sender, as they would an honest user. */
  async linkThroughput(count: number): Promise<number> {
    const done = Promise.withResolvers<void>()
    this.#events.onReply = done.resolve
    const payload = new Uint8Array(PAYLOAD_BYTES)
    const startedAt = performance.now()
    this.#node.links.send(this.#peer, 'bench.expect', countBytes(count))
    let left = count
    const more = () => {
      while (left > 0 && this.#node.links.send(this.#peer, 'bench.count', payload) === 'queued') left -= 1
    }
    this.#events.onRoom = more
    more()
    await done.promise
    return (count * 1000) / (performance.now() - startedAt)
  }

  /** One message per `send`, as a stream without a link would be used. */
  async bareThroughput(count: number): Promise<number> {
    const done = Promise.withResolvers<void>()
    this.#sink.addEventListener('message', () => done.resolve(), { once: true })
    const payload = new Uint8Array(PAYLOAD_BYTES)
    const startedAt = performance.now()
    this.#sink.send(countBytes(count))
    for (let i = 0; i < count; i++) {
      if (!this.#sink.send(payload)) await this.#sink.onDrain()
    }
    await done.promise
    return (count * 1000) / (performance.now() - startedAt)
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.send('stop')
    await exited
    await this.#node.stop()
  }
}

interface Events {
  onReply: () => void
  onRoom: () => void
}

async function roundTrips(
  count: number,
  send: (payload: Uint8Array, onReply: () => void) => void,
): Promise<RoundTrips> {
  const payload = new Uint8Array(PAYLOAD_BYTES)
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve) => {
      const startedAt = performance.now()
      send(payload, () => {
        times.push((performance.now() - startedAt) * 1000)
        resolve()
      })
    })
  }
  times.sort((a, b) => a - b)
  return { p50Us: at(times, 0.5), p99Us: at(times, 0.99) }
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function median(values: readonly number[]): number {
  return at(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}

function countBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, count)
  return bytes
}

if (import.meta.main) await main(process.argv.slice(2))
