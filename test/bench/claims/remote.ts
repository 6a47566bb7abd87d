import { setTimeout as delay } from 'node:timers/promises'
import { type Figure, latencyOf } from '../figures.ts'
import { BenchAgent, BenchClient, BenchDaemon } from '../work-daemon.ts'
import { Journeys } from './journey.ts'

const OFFERED_PER_SECOND = 200
/** As with local claims: what runs all day is to be measured, not how two new nodes meet and compile. */
const WARM_UP_COUNT = 2_000
const SLOTS_COUNT = 64
const SKILL = 'remote'
const POLL_MS = 20
const MEET_TIMEOUT_MS = 20_000

/** Two nodes on loopback, the submitter at one and the agent at the other: offer, bid, award and the way to the agent. */
export async function remoteClaims(seconds: number): Promise<readonly Figure[]> {
  const here = await BenchDaemon.start({ startArgs: LOOPBACK })
  const daemons = [here]
  try {
    const client = await BenchClient.connect(here.socket)
    const { ticket } = await client.call('ticket.create', { uses: 1 })
    const there = await BenchDaemon.start({ startArgs: [...LOOPBACK, '--join', String(ticket)] })
    daemons.push(there)
    const figures: Figure[] = []
    for (const isDurable of [true, false]) {
      const journeys = new Journeys([SKILL], isDurable)
      const facts = { name: 'remote', skills: [{ name: SKILL }], slots: SLOTS_COUNT }
      const agent = await BenchAgent.attach(there.socket, facts, journeys.onRun)
      await heardOf(client, SKILL)
      await journeys.sequential(client, WARM_UP_COUNT)
      const took = latencyOf(await journeys.paced([client], OFFERED_PER_SECOND, seconds))
      agent.close()
      const what = `remote claim at ${OFFERED_PER_SECOND}/s, ${isDurable ? 'durable' : 'volatile'}`
      figures.push(
        { part: 'remote', what: `${what}, p50`, value: took.p50Ms, unit: 'ms', target: { atMost: 2 } },
        { part: 'remote', what: `${what}, p99`, value: took.p99Ms, unit: 'ms', target: { atMost: 10 } },
      )
    }
    client.close()
    return figures
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.stop()))
  }
}

const LOOPBACK = ['--listen', '/ip4/127.0.0.1/tcp/0']

/** Until a task of that skill has ended: the directory then knows where the skill is. */
async function heardOf(client: BenchClient, skill: string): Promise<void> {
  const until = performance.now() + MEET_TIMEOUT_MS
  const { task } = await client.call('task.submit', { skill, input: { number: 0 } })
  for (;;) {
    const { state } = await client.call('task.get', { task })
    if (state === 'completed') return
    if (performance.now() > until) throw new Error(`the first task is still ${state}`)
    await delay(POLL_MS)
  }
}
