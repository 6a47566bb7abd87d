import type { NodeId } from '../../src/kernel/index.ts'
import {
  bootSwarm,
  CALM,
  LAN,
  type Latency,
  type Scenario,
  SimKeys,
  Simulation,
  type SwarmProgram,
  simAddress,
  simNodeId,
  type Violation,
  WAN,
} from '../../src/sim/index.ts'
import { type JobLog, ReplayLoad } from './replay-load.ts'
import { type Counts, since, Traffic } from './traffic.ts'
import { buildNode, paramsOf } from './wiring.ts'
import type { Workload } from './workloads.ts'

export interface ReplayOptions {
  readonly workload: Workload
  readonly seed: string
  readonly latency: 'lan' | 'wan'
  /** So many nodes at which no tasks are submitted are switched off when half of the jobs have come. */
  readonly kill: number
}

export interface Replay {
  readonly logs: readonly JobLog[]
  readonly violations: readonly Violation[]
  /** Messages from the first submission to the last end. */
  readonly messages: Counts
  /** What the idle swarm sends in a second. */
  readonly idlePerSecond: Counts
  readonly spanMs: number
}

/** Everyone knows everyone, and every agent, long before this; virtual ms. */
const FORMATION_MS = 60_000
/** Longer than the rarest thing that an idle swarm does: the heartbeats of its digests, which a crowd stretches. */
const IDLE_MS = 240_000
/** After the last job came. */
const END_MS = 600_000
const LOOK_EVERY_MS = 100

/** What `src/net` sets as the degree of its gossip mesh. */
const GOSSIP_DEGREE = 4

/** Runs a workload on a calm swarm, with the clauses of claims checked all along. */
export function replay({ workload, seed, latency, kill }: ReplayOptions): Replay {
  const machines = workload.spots.length
  const scenario: Scenario = {
    name: `replay ${workload.name}`,
    seed,
    nodes: machines,
    latency,
    formationMs: 2_000,
    contacts: 2,
    safetyMs: 0,
    coreShareMin: 1,
    settleMs: 0,
    weather: CALM,
    halfOpenRate: 0,
    faults: {},
  }
  const params = paramsOf(scenario)
  const distance: Latency = latency === 'lan' ? LAN : WAN
  const sim: Simulation<SwarmProgram> = new Simulation<SwarmProgram>({
    seed: `${scenario.name}/${seed}`,
    machines,
    latency: distance,
    transport: { gossipFanout: GOSSIP_DEGREE },
    boot: bootSwarm({
      keys: new SimKeys(seed),
      contactsOf: ({ machine }) => (machine === 0 ? [] : [contact(0), contact(Math.floor(machine / 2))]),
      build: (parts, host) => buildNode(parts, params, host),
      perform: (host, effect) => load.perform(host, effect),
    }),
  })
  const load = new ReplayLoad(sim, workload)
  const traffic = new Traffic(sim)
  for (let machine = 0; machine < machines; machine++) sim.queue.call(machine * 20, () => sim.start(machine))
  sim.run(FORMATION_MS / 2)
  load.attach()
  sim.run(FORMATION_MS)
  const idleFrom = traffic.read()
  sim.run(FORMATION_MS + IDLE_MS)
  const before = traffic.read()
  const startedAt = sim.now
  load.submit()
  const lastAt = Math.max(...workload.jobs.map(({ atMs }) => atMs))
  if (kill > 0) sim.queue.call(startedAt + lastAt / 2, () => killSome(sim, workload, kill))
  while (!load.isDone && sim.violations.length === 0 && sim.now < startedAt + lastAt + END_MS)
    sim.run(sim.now + LOOK_EVERY_MS)
  const idle = since(idleFrom, before)
  return {
    logs: [...load.logs.values()],
    violations: sim.violations,
    messages: since(before, traffic.read()),
    idlePerSecond: new Map([...idle].map(([kind, count]) => [kind, (count * 1000) / IDLE_MS])),
    spanMs: sim.now - startedAt,
  }
}

function contact(machine: number): { readonly node: NodeId; readonly addresses: readonly string[] } {
  return { node: simNodeId(machine), addresses: [simAddress(machine)] }
}

function killSome(sim: Simulation<SwarmProgram>, workload: Workload, count: number): void {
  const victims = [...workload.spots.keys()].filter((machine) => workload.jobs.every((job) => job.machine !== machine))
  for (const victim of sim.random.fork('victims').sample(victims, count)) sim.stop(victim, 'kill')
}
