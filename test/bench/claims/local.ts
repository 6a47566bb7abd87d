import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type Figure, latencyOf, median } from '../figures.ts'
import { BenchAgent, BenchClient, BenchDaemon } from '../work-daemon.ts'
import { Journeys } from './journey.ts'

const ROUNDS_COUNT = 5
/** What runs all day is to be measured, not how its program is compiled: that ends after some thousand tasks. */
const WARM_UP_COUNT = 5_000
const TRIPS_PER_SECOND_OF_BENCH = 400
const LINE_BYTES = 200
const AGENTS_COUNT = 500
const OFFERED_PER_SECOND = 1_000
const SKILL = 'local'

/**
 * A task that is not written to disk, from its submission to an agent of the same node, against a line over a bare Unix
 * socket and back: both cross two sockets and wake another process twice. A new daemon's first tasks stand apart.
 */
export async function localClaims(seconds: number, nodeArgs: readonly string[]): Promise<readonly Figure[]> {
  const daemon = await BenchDaemon.start({ nodeArgs })
  const echo = await Echo.start()
  const journeys = new Journeys([SKILL], false)
  try {
    const client = await BenchClient.connect(daemon.socket)
    const first = await attach(daemon, 0, journeys)
    const trips = Math.ceil((TRIPS_PER_SECOND_OF_BENCH * seconds) / ROUNDS_COUNT)
    const firstClaims = await journeys.sequential(client, trips)
    const firstBare = await echo.sequential(trips)
    await journeys.sequential(client, WARM_UP_COUNT)
    await echo.sequential(WARM_UP_COUNT)
    const claims: (readonly number[])[] = []
    const bare: (readonly number[])[] = []
    // Alternating, so that a slow moment of the machine meets both.
    for (let round = 0; round < ROUNDS_COUNT; round++) {
      claims.push(await journeys.sequential(client, trips))
      bare.push(await echo.sequential(trips))
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
    await daemon.stop()
  }
}

function attach(daemon: BenchDaemon, i: number, journeys: Journeys): Promise<BenchAgent> {
  const facts = { name: `agent-${i}`, skills: [{ name: SKILL }], slots: 1 }
  return BenchAgent.attach(daemon.socket, facts, journeys.onRun)
}

/** The floor: another process that sends every line back. */
class Echo {
  readonly #stop: () => void
  readonly #path: string

  static async start(): Promise<Echo> {
    const directory = mkdtempSync(join(tmpdir(), 'snb-'))
    const path = join(directory, 'echo')
    const child = fork(new URL('../ipc-child.ts', import.meta.url), ['echo', path], { execArgv: [] })
    await once(child, 'message')
    return new Echo(path, () => {
      child.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    })
  }

  private constructor(path: string, stop: () => void) {
    this.#path = path
    this.#stop = stop
  }

  async sequential(count: number): Promise<readonly number[]> {
    const socket = connect(this.#path)
    await once(socket, 'connect')
    const sent = `${'x'.repeat(LINE_BYTES - 1)}\n`
    const times: number[] = []
    for (let i = 0; i < count; i++) {
      const startedAt = performance.now()
      const back = once(socket, 'data')
      socket.write(sent)
      await back
      times.push(performance.now() - startedAt)
    }
    socket.destroy()
    return times
  }

  stop(): void {
    this.#stop()
  }
}
