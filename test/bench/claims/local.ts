import { type Figure, latencyOf, median } from '../figures.ts'
import { BenchAgent, BenchClient, BenchDaemon } from '../work-daemon.ts'
import { Echo, Relay } from './floors.ts'
import { Journeys } from './journey.ts'

const ROUNDS_COUNT = 5
/** What runs all day is to be measured, not how its program is compiled: that ends after some thousand tasks. */
const WARM_UP_COUNT = 5_000
const TRIPS_PER_SECOND_OF_BENCH = 400
const AGENTS_COUNT = 500
const OFFERED_PER_SECOND = 1_000
const SKILL = 'local'

/**
 * A task that is not written to disk, from its submission to an agent of the same node, against a line over a bare Unix
 * socket and back: both cross two sockets and wake another process twice. A new daemon's first tasks stand apart. The
 * relay tells what of it is not ours: the scheduler keeps a pair that only echoes on one core, and does not keep there
 * whoever has more to say after it has woken the other.
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
    const firstClaims = await journeys.sequential(client, trips)
    const firstBare = await echo.sequential(trips)
    await journeys.sequential(client, WARM_UP_COUNT)
    await echo.sequential(WARM_UP_COUNT)
    await relay.sequential(WARM_UP_COUNT)
    const claims: (readonly number[])[] = []
    const bare: (readonly number[])[] = []
    const relayed: (readonly number[])[] = []
    // Alternating, so that a slow moment of the machine meets all.
    for (let round = 0; round < ROUNDS_COUNT; round++) {
      claims.push(await journeys.sequential(client, trips))
      bare.push(await echo.sequential(trips))
      relayed.push(await relay.sequential(trips))
    }
    const others = await Promise.all(
      Array.from({ length: AGENTS_COUNT - 1 }, (_, i) => attach(daemon, i + 1, journeys)),
    )
    await journeys.paced([client], OFFERED_PER_SECOND, 1)
    const loaded = latencyOf(await journeys.paced([client], OFFERED_PER_SECOND, seconds))
    for (const agent of [first, ...others]) agent.close()
    client.close()
    const part = 'local'
    const unit = 'µs'
    const p50 = (rounds: readonly (readonly number[])[]) => median(rounds.map((times) => latencyOf(times).p50Ms)) * 1000
    const p99 = (rounds: readonly (readonly number[])[]) => median(rounds.map((times) => latencyOf(times).p99Ms)) * 1000
    const floor = 'bare socket'
    const under = `${AGENTS_COUNT} agents, ${OFFERED_PER_SECOND} tasks/s`
    return [
      {
        part,
        what: 'local claim, submit to agent, p50',
        value: p50(claims),
        unit,
        target: { atMost: 3 },
        judged: 'ratio',
        peer: { name: floor, value: p50(bare) },
      },
      {
        part,
        what: 'the same, against a relay that writes as much, p50',
        value: p50(claims),
        unit,
        peer: { name: 'bare relay', value: p50(relayed) },
      },
      {
        part,
        what: 'local claim, submit to agent, p99',
        value: p99(claims),
        unit,
        peer: { name: floor, value: p99(bare) },
      },
      {
        part,
        what: `local claim, first ${trips} of a new node, p50`,
        value: p50([firstClaims]),
        unit,
        peer: { name: floor, value: p50([firstBare]) },
      },
      { part, what: `local claim, ${under}, mean`, value: loaded.meanMs, unit: 'ms', target: { atMost: 1 } },
      { part, what: `local claim, ${under}, p99`, value: loaded.p99Ms, unit: 'ms' },
    ]
  } finally {
    echo.stop()
    relay.stop()
    await daemon.stop()
  }
}

function attach(daemon: BenchDaemon, i: number, journeys: Journeys): Promise<BenchAgent> {
  const facts = { name: `agent-${i}`, skills: [{ name: SKILL }], slots: 1 }
  return BenchAgent.attach(daemon.socket, facts, journeys.onRun)
}
