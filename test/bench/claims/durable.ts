import { join } from 'node:path'
import { type Figure, median } from '../figures.ts'
import { startBullMq } from '../peers/bullmq.ts'
import { startJetStream } from '../peers/nats.ts'
import { MissingPeer } from '../peers/program.ts'
import { latencyAt, throughputOf, type WorkSystem } from '../peers/work-system.ts'
import { bareSyncs } from './disk.ts'
import { type OurSystem, startSwarmNode } from './ours.ts'

const IN_FLIGHT_COUNTS = [256, 1_000, 2_000]
const ROUNDS_COUNT = 3
const PER_SECOND = 50
const WARM_UP_SECONDS = 1

/** How far ahead of each peer we must be, by its name. */
const TARGETS: Readonly<Record<string, number>> = { 'BullMQ, always': 3, 'BullMQ, everysec': 1, 'JetStream, file': 1 }

/** Peers that answer before anything is on disk. */
const UNSYNCED = new Set(['JetStream, file'])

export interface DurableOptions {
  readonly directory: string
  readonly seconds: number
  readonly nodeArgs: readonly string[]
  readonly withPeers: boolean
}

/**
 * No-op tasks with 200 bytes, one producer, two worker processes, results returned. All systems run side by side and take
 * turns, so that a slow moment of the machine meets all; each counts with the number in flight that suits it best.
 */
export async function durableThroughput(options: DurableOptions): Promise<readonly Figure[]> {
  return withSystems(options, async (ours, peers) => {
    const best = new Map<WorkSystem, number>()
    for (const inFlight of IN_FLIGHT_COUNTS) {
      const rounds = await inTurns([ours, ...peers], (system) => throughputOf(system, inFlight, options.seconds))
      for (const [system, rates] of rounds) best.set(system, Math.max(best.get(system) ?? 0, median(rates)))
    }
    const value = best.get(ours) ?? Number.NaN
    const figure: Figure = { part: 'throughput', what: 'durable tasks', value, unit: '/s' }
    if (peers.length === 0) return [figure]
    return peers.map((peer) => ({
      ...figure,
      target: { atLeast: TARGETS[peer.name] ?? 1 },
      judged: 'ratio',
      peer: { name: peer.name, value: best.get(peer) ?? Number.NaN },
    }))
  })
}

/** Submit to result at a pace at which nothing waits: in one question, as the peers are asked, and in two. */
export async function durableLatency(options: DurableOptions): Promise<readonly Figure[]> {
  return withSystems(options, async (ours, peers) => {
    const disk = bareSyncs(join(options.directory, 'disk'))
    const all = [disk, ours, ours.inTwoSteps, ...peers]
    const rounds = await inTurns(all, (system) => latencyAt(system, PER_SECOND, options.seconds))
    const of = (system: Driven, pick: 'p50Ms' | 'p99Ms') => median((rounds.get(system) ?? []).map((of) => of[pick]))
    await disk.stop()
    return (['p50Ms', 'p99Ms'] as const).flatMap((pick) => {
      const percentile = pick === 'p50Ms' ? 'p50' : 'p99'
      const row = (what: string, driven: Driven, peer: Driven): Figure => ({
        part: 'latency',
        what: `${what} at ${PER_SECOND}/s, ${percentile}`,
        value: of(driven, pick),
        unit: 'ms',
        peer: { name: peer.name, value: of(peer, pick) },
      })
      const what = 'submit to result'
      const judged = pick === 'p99Ms' ? ({ target: { atMost: 1 }, judged: 'ratio' } as const) : {}
      return [
        row(what, ours, disk),
        row(`${what}, in two questions,`, ours.inTwoSteps, disk),
        ...peers.map((peer) => ({ ...row(what, ours, peer), ...judged })),
        // What a promise to be on disk costs before anything else is done, beside those that make none.
        ...peers.filter(({ name }) => UNSYNCED.has(name)).map((peer) => row('a bare sync', disk, peer)),
      ]
    })
  })
}

async function withSystems(
  { directory, nodeArgs, withPeers }: DurableOptions,
  measure: (ours: OurSystem, peers: readonly WorkSystem[]) => Promise<readonly Figure[]>,
): Promise<readonly Figure[]> {
  const systems: WorkSystem[] = []
  const starts = [
    () => startBullMq(join(directory, 'always'), 'always'),
    () => startBullMq(join(directory, 'everysec'), 'everysec'),
    () => startJetStream(join(directory, 'jetstream')),
  ]
  try {
    const ours = await startSwarmNode(nodeArgs)
    systems.push(ours)
    for (const start of withPeers ? starts : []) {
      try {
        systems.push(await start())
      } catch (cause) {
        if (!(cause instanceof MissingPeer)) throw cause
        console.error(`a peer is left out: ${cause.message}`)
      }
    }
    for (const system of systems) await throughputOf(system, IN_FLIGHT_COUNTS[0] ?? 1, WARM_UP_SECONDS)
    return await measure(ours, systems.slice(1))
  } finally {
    for (const system of systems) await system.stop()
  }
}

type Driven = Pick<WorkSystem, 'name' | 'submit'>

async function inTurns<S extends Driven, T>(
  systems: readonly S[],
  measure: (system: S) => Promise<T>,
): Promise<ReadonlyMap<S, readonly T[]>> {
  const results = new Map<S, T[]>(systems.map((system) => [system, []]))
  for (let round = 0; round < ROUNDS_COUNT; round++) {
    for (const system of systems) results.get(system)?.push(await measure(system))
  }
  return results
}
