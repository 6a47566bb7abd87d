import { type Figure, latencyOf, median } from '../figures.ts'
import { BenchAgent, BenchClient, BenchDaemon } from '../work-daemon.ts'
import { canPin, keepApart, keepTogether } from './cores.ts'
import { Echo, Relay } from './floors.ts'
import { Journeys } from './journey.ts'

const ROUNDS_COUNT = 5
/** What runs all day is to be measured, not how its program is compiled: that ends after some thousand tasks. */
const WARM_UP_COUNT = 5_000
const TRIPS_PER_SECOND_OF_BENCH = 400
const AGENTS_COUNT = 500
const OFFERED_PER_SECOND = 1_000
const SKILL = 'local'
const FLOOR = 'bare socket'
const part = 'local'
const unit = 'µs'

/**
 * A task that is not written to disk, from its submission to an agent of the same node, against a line of JSON over a
 * Unix socket and back: both cross two sockets and wake another process twice. A new daemon's first tasks stand apart.
 *
 * The scheduler keeps a pair that only echoes on one core, which makes the floor half of what it is between two; it does
 * not keep there whoever has more to say after it has woken the other. So all are measured as the scheduler has them, and,
 * as like for like, with both processes on one core and with each on a core of its own. The relay tells what of the rest
 * is not ours.
 */
export async function localClaims(seconds: number, nodeArgs: readonly string[]): Promise<readonly Figure[]> {
  const daemon = await BenchDaemon.start({ nodeArgs })
  const echo = await Echo.start()
  const relay = await Relay.start()
  const journeys = new Journeys([SKILL], false)
  try {
    const client = await BenchClient.connect(daemon.socket)
    const first = await attach(daemon, 0, journeys)
    const trips = Math.ceil((TRIPS_PER_SECOND_OF_BENCH * seconds) / ROUNDS_COUNT)
    const figures = await newNode(journeys, client, echo, trips)
    await journeys.sequential(client, WARM_UP_COUNT)
    await echo.sequential(WARM_UP_COUNT)
    await relay.sequential(WARM_UP_COUNT)
    const measure = async () => figuresOf(await inRounds({ journeys, client, echo, relay, trips }))
    const asTheyCome = named('', await measure())
    const pinned: Figure[] = []
    if (canPin()) {
      for (const [where, keep] of [
        [', on one core', keepTogether],
        [', on two cores', keepApart],
      ] as const) {
        const letGo = keep([daemon.pid, echo.pid, relay.pid])
        pinned.push(...named(where, await measure()))
        letGo()
      }
    } else console.error('no lines with the processes on chosen cores: there is no taskset here, or one core only')
    const others = await Promise.all(
      Array.from({ length: AGENTS_COUNT - 1 }, (_, i) => attach(daemon, i + 1, journeys)),
    )
    await journeys.paced([client], OFFERED_PER_SECOND, 1)
    const loaded = latencyOf(await journeys.paced([client], OFFERED_PER_SECOND, seconds))
    for (const agent of [first, ...others]) agent.close()
    client.close()
    const under = `${AGENTS_COUNT} agents, ${OFFERED_PER_SECOND} tasks/s`
    return [
      ...asTheyCome,
      ...pinned,
      ...figures,
      { part, what: `local claim, ${under}, mean`, value: loaded.meanMs, unit: 'ms', target: { atMost: 1 } },
      { part, what: `local claim, ${under}, p99`, value: loaded.p99Ms, unit: 'ms' },
    ]
  } finally {
    echo.stop()
    relay.stop()
    await daemon.stop()
  }
}

interface Measured {
  readonly journeys: Journeys
  readonly client: BenchClient
  readonly echo: Echo
  readonly relay: Relay
  readonly trips: number
}

interface Rounds {
  readonly claims: readonly (readonly number[])[]
  readonly bare: readonly (readonly number[])[]
  readonly relayed: readonly (readonly number[])[]
}

/** Alternating, so that a slow moment of the machine meets all. */
async function inRounds({ journeys, client, echo, relay, trips }: Measured): Promise<Rounds> {
  const rounds = { claims: [] as number[][], bare: [] as number[][], relayed: [] as number[][] }
  for (let round = 0; round < ROUNDS_COUNT; round++) {
    rounds.claims.push([...(await journeys.sequential(client, trips))])
    rounds.bare.push([...(await echo.sequential(trips))])
    rounds.relayed.push([...(await relay.sequential(trips))])
  }
  return rounds
}

function figuresOf({ claims, bare, relayed }: Rounds): readonly Figure[] {
  const of = (rounds: readonly (readonly number[])[], pick: 'p50Ms' | 'p99Ms') =>
    median(rounds.map((times) => latencyOf(times)[pick])) * 1000
  const p50 = of(claims, 'p50Ms')
  const floor = { name: FLOOR, value: of(bare, 'p50Ms') }
  const relay = { name: 'bare relay', value: of(relayed, 'p50Ms') }
  const p99 = { name: FLOOR, value: of(bare, 'p99Ms') }
  return [
    { part, what: 'submit to agent, p50', value: p50, unit, target: { atMost: 3 }, judged: 'ratio', peer: floor },
    { part, what: 'the same, against a relay that writes as much', value: p50, unit, peer: relay },
    { part, what: 'submit to agent, p99', value: of(claims, 'p99Ms'), unit, peer: p99 },
  ]
}

async function newNode(journeys: Journeys, client: BenchClient, echo: Echo, trips: number): Promise<readonly Figure[]> {
  const claims = latencyOf(await journeys.sequential(client, trips)).p50Ms * 1000
  const bare = latencyOf(await echo.sequential(trips)).p50Ms * 1000
  const what = `local claim, first ${trips} of a new node, p50`
  return [{ part, what, value: claims, unit, peer: { name: FLOOR, value: bare } }]
}

function named(where: string, figures: readonly Figure[]): readonly Figure[] {
  return figures.map((figure) => ({ ...figure, what: `local claim${where}, ${figure.what}` }))
}

function attach(daemon: BenchDaemon, i: number, journeys: Journeys): Promise<BenchAgent> {
  const facts = { name: `agent-${i}`, skills: [{ name: SKILL }], slots: 1 }
  return BenchAgent.attach(daemon.socket, facts, journeys.onRun)
}
