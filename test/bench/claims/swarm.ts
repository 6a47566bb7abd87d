import { setTimeout as delay } from 'node:timers/promises'
import { LocalSwarm } from '../../../node/local-swarm.ts'
import { type Figure, latencyOf } from '../figures.ts'
import { SETTLE_MS, type Traffic, trafficBetween, trafficOf, watchedMs } from '../swarm-traffic.ts'
import { BenchAgent, BenchClient, bundledProgram } from '../work-daemon.ts'
import { Journeys } from './journey.ts'

/** Ten times what SWARM+ publishes for its swarms of this size, and little enough for 60 processes on two cores. */
const OFFERED_PER_SECOND = 15
const SLOTS_COUNT = 4
/** Kinds of messages are named that are at least so much of all. */
const KIND_SHARE_MIN = 0.01
/** Every node has one agent with one of these, so that most tasks have to travel. Seven, so that turns of skills and of
 * nodes do not go together, unless there are a multiple of seven. */
const SKILLS = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta']

/** Of a task at 60 nodes. The issue speaks of its share of gossip, the design of everything: both are judged. */
const MESSAGES_MAX = 30
/** Until nodes have met those with whom they work from then on: every new link costs both ends a handshake. */
const WARM_UP_SECONDS = 20

export interface SwarmOptions {
  readonly directory: string
  readonly nodes: number
  readonly seconds: number
}

/** Real processes that form one swarm on loopback; tasks for seven skills are submitted at nodes in turn. */
export async function swarmClaims({ directory, nodes, seconds }: SwarmOptions): Promise<readonly Figure[]> {
  const pids = new Set<number>()
  const end = (): void => {
    for (const pid of pids) kill(pid)
  }
  process.once('exit', end)
  const program = await bundledProgram()
  const swarm = new LocalSwarm({ directory, program, detached: false, onSpawned: (pid) => pids.add(pid) })
  try {
    const members = await swarm.up(nodes, { started: () => undefined, seen: () => undefined })
    const clients = await Promise.all(members.map(({ socket }) => BenchClient.connect(socket)))
    const journeys = new Journeys(SKILLS, true)
    const attached = members.map(({ socket }, i) => {
      const facts = { name: `agent-${i}`, skills: [{ name: SKILLS[i % SKILLS.length] }], slots: SLOTS_COUNT }
      return BenchAgent.attach(socket, facts, journeys.onRun)
    })
    await Promise.all(attached)
    await delay(SETTLE_MS)
    await journeys.paced(clients, OFFERED_PER_SECOND, WARM_UP_SECONDS)
    const idle = await watched(clients, () => delay(watchedMs(nodes)))
    let times: readonly number[] = []
    const busy = await watched(clients, async () => {
      times = await journeys.paced(clients, OFFERED_PER_SECOND, Math.max(seconds, watchedMs(nodes) / 1000))
    })
    for (const client of clients) client.close()
    return figuresOf(nodes, latencyOf(times), idle, busy)
  } finally {
    end()
  }
}

/** What crosses links while something runs. */
interface Watched extends Traffic {
  readonly tookMs: number
}

async function watched(clients: readonly BenchClient[], run: () => Promise<void>): Promise<Watched> {
  const before = await trafficOf(clients)
  const startedAt = performance.now()
  await run()
  const traffic = trafficBetween(before, await trafficOf(clients))
  return { ...traffic, tookMs: performance.now() - startedAt }
}

function figuresOf(nodes: number, took: ReturnType<typeof latencyOf>, idle: Watched, busy: Watched): readonly Figure[] {
  const part = 'swarm'
  const unit = ''
  const what = `${nodes} processes, submit to agent`
  const idlePerSecond = (count: number): number => (count * 1000) / idle.tookMs
  const total = (busy.sent + busy.gossiped) / took.count
  const heartbeats = (idlePerSecond(idle.sent + idle.gossiped) * busy.tookMs) / 1000 / took.count
  const atMost = { atMost: MESSAGES_MAX }
  return [
    { part, what: `${what}, p50`, value: took.p50Ms, unit: 'ms', target: { atMost: 50 } },
    { part, what: `${what}, p95`, value: took.p95Ms, unit: 'ms', target: { atMost: 150 } },
    { part, what: `${what}, p99`, value: took.p99Ms, unit: 'ms' },
    { part, what: 'messages a task: offer, bid, award and what follows', value: busy.claims / took.count, unit },
    {
      part,
      what: 'and what else there is because of it, gossip included',
      value: total - heartbeats,
      unit,
      target: atMost,
    },
    { part, what: `everything on the wire, at ${OFFERED_PER_SECOND} tasks/s`, value: total, unit, target: atMost },
    { part, what: 'what the idle swarm says: on links', value: idlePerSecond(idle.sent), unit: '/s' },
    { part, what: 'what the idle swarm says: gossip taken in', value: idlePerSecond(idle.gossiped), unit: '/s' },
    ...kindsOf(idle).map(([kind, count]) => ({
      part,
      what: `what the idle swarm says: ${kind}`,
      value: idlePerSecond(count),
      unit: '/s',
    })),
    ...kindsOf(busy).map(([kind, count]) => ({
      part,
      what: `everything on the wire: ${kind}`,
      value: count / took.count,
      unit,
    })),
  ]
}

/** Those that make up most of it, the most frequent first. */
function kindsOf({ byKind, sent }: Watched): readonly (readonly [string, number])[] {
  return Object.entries(byKind)
    .filter(([, count]) => count > sent * KIND_SHARE_MIN)
    .toSorted(([, a], [, b]) => b - a)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
