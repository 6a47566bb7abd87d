import { after, type NodeId } from '../kernel/index.ts'
import type { Violation } from './checker.ts'
import { FaultDriver, machinesOf } from './fault-driver.ts'
import { isCutPairs, isLossAndPauses } from './generate.ts'
import type { Latency } from './latency.ts'
import type { Machine } from './machine.ts'
import { disagreement, MembershipChecker, type MembershipProgram } from './membership-checker.ts'
import type { NetworkCounts } from './network.ts'
import type { Boot } from './program.ts'
import type { FaultKind, Scenario } from './scenario.ts'
import { Simulation, simNodeId } from './simulation.ts'

/** Bounds of the liveness clauses, in milliseconds. */
export interface LivenessBounds {
  /** M-7: views converge within this after healing. */
  readonly convergeMs: number
  /** M-5: a crash is known to all of the core within this. */
  readonly detectMs: number
}

export interface RunOptions<P extends MembershipProgram> {
  readonly scenario: Scenario
  readonly latency: Latency
  readonly boot: Boot<P>
  readonly bounds: LivenessBounds
  /** Asks a program to say good-bye. */
  leave(program: P): void
  readonly membersMax: number
  readonly linksMax: number
  readonly readEveryMs: number
  readonly suspicionMsMin: number
  reservedOn(machine: Machine): number
  readonly onTrace?: ((line: string) => void) | undefined
  /** What runs on the swarm besides, and what must hold of it. */
  readonly load?: Load<P> | undefined
  /** Whether M-1 to M-10 are checked too; by default they are. */
  readonly judgesMembership?: boolean
}

/** Work for a swarm in a simulation, with its own checks. */
export interface Load<P extends MembershipProgram> {
  begin(sim: Simulation<P>): void
  /** Machines without which the load's liveness clauses promise nothing. */
  needed?(): readonly number[]
  /** All faults have ended; these machines run. */
  healed(core: readonly number[]): void
  /** What is still to come, if anything, before the load's liveness clauses hold. */
  missing(): string | undefined
  readonly clause: string
  readonly boundMs: number
  /** What it met and did, by name. */
  readonly figures?: Readonly<Record<string, number>>
}

export interface RunResult {
  readonly scenario: Scenario
  readonly violations: readonly Violation[]
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly nodeHours: number
  /** Nodes declared dead while they ran, in the safety phase. */
  readonly falseDeaths: number
  /** How often running nodes had to contradict a suspicion or death, in the safety phase. */
  readonly refutations: number
  /** Whether the weather was M-6's, in which there must be none. */
  readonly m6: boolean
  /** How long views took to agree after healing; undefined when the run ended before. */
  readonly convergedMs: number | undefined
  /** How long a crash took to be known by all; undefined when it was not tried. */
  readonly detectedMs: number | undefined
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly network: Readonly<NetworkCounts>
  readonly figures: Readonly<Record<string, number>>
}

/** How often the liveness phase looks whether it is there yet: views of large swarms take long to compare. */
function lookEveryMs(machines: number): number {
  return machines <= 64 ? 50 : 1_000
}

/**
 * Two that cannot reach each other ask others, so a cut pair is not even a suspicion; now and then a connection breaks
 * in the middle of an indirect probe.
 */
const REFUTATIONS_PER_CUT_MAX = 0.5

/** Runs a scenario: faults and safety first, then a healed core and liveness. Stops at the first violation. */
export function runScenario<P extends MembershipProgram>(options: RunOptions<P>): RunResult {
  const { scenario, bounds, judgesMembership = true } = options
  const sim = simulationOf(options)
  const checker = new MembershipChecker(sim, {
    membersMax: options.membersMax,
    linksMax: options.linksMax,
    readEveryMs: options.readEveryMs,
    suspicionMsMin: options.readEveryMs > 0 ? 0 : options.suspicionMsMin,
    reservedOn: (machine) => options.reservedOn(machine),
    twins: scenario.faults.twin !== undefined,
    corrupted: scenario.weather.corruptRate > 0,
  })
  if (judgesMembership) sim.check(checker)
  const driver = new FaultDriver(sim, scenario, {
    leave: (machine) => {
      const program = sim.programOf(machine)
      if (program !== undefined) sim.processOf(machine)?.later(() => options.leave(program))
    },
  })
  options.load?.begin(sim)
  driver.begin()
  sim.run(scenario.safetyMs)
  const { falseDeaths, refutations, nodeHours } = checker
  const m6 = isLossAndPauses(scenario)
  if (m6 && falseDeaths > 0) sim.violate('M-6', `${falseDeaths} running nodes were declared dead`)
  if (isCutPairs(scenario) && (falseDeaths > 0 || refutations > driver.counts.cutPair * REFUTATIONS_PER_CUT_MAX)) {
    const cuts = driver.counts.cutPair
    sim.violate('M-6', `${cuts} cut pairs brought ${refutations} refutations and ${falseDeaths} false deaths`)
  }
  const { load } = options
  const core = sim.violations.length > 0 ? [] : driver.heal(load?.needed?.())
  // All is well only once the last of those that stand still has woken.
  const standingMs = Math.max(0, ...core.map((machine) => (sim.processOf(machine)?.pausedUntil ?? 0) - sim.now))
  const convergedMs = judgesMembership
    ? until(sim, 'M-7', standingMs + bounds.convergeMs, () => disagreement(sim, core))
    : undefined
  if (load !== undefined && sim.violations.length === 0) {
    load.healed(core)
    until(sim, load.clause, load.boundMs, () => load.missing())
  }
  const isTried = judgesMembership && core.length >= 2
  const detectedMs = isTried ? detection(sim, core, scenario.settleMs, bounds.detectMs) : undefined
  sim.trace.record('end', sim.now, 0, sim.violations.length, undefined, () => `${sim.violations.length} violations`)
  return {
    scenario,
    violations: sim.violations,
    hash: sim.trace.hash,
    events: sim.queue.fired,
    virtualMs: sim.now,
    nodeHours,
    falseDeaths,
    refutations,
    m6,
    convergedMs,
    detectedMs,
    faults: driver.counts,
    network: sim.network.counts,
    figures: load?.figures ?? {},
  }
}

function simulationOf<P extends MembershipProgram>(options: RunOptions<P>): Simulation<P> {
  const { scenario, latency, boot, onTrace } = options
  const machines = machinesOf(scenario)
  const twin = scenario.faults.twin === undefined ? undefined : machines - 1
  return new Simulation<P>({
    seed: `${scenario.name}/${scenario.seed}`,
    machines,
    latency,
    weather: scenario.weather,
    transport: { halfOpenRate: scenario.halfOpenRate },
    boot,
    nodeOf: (machine): NodeId => simNodeId(machine === twin ? 0 : machine),
    ...(onTrace === undefined ? {} : { onTrace }),
  })
}

/** The longest that a node in a calm swarm may take to trust itself again. */
const RECOVER_MS = 180_000

/** M-5: after all is well, one of the core dies, and the rest must know in time. */
function detection<P extends MembershipProgram>(
  sim: Simulation<P>,
  core: readonly number[],
  settleMs: number,
  boundMs: number,
): number | undefined {
  sim.run(sim.now + settleMs)
  // M-5 speaks of nodes in good health: what they stretched for the faults before has to come back first (M-15).
  until(sim, 'M-15', RECOVER_MS, () => {
    const unwell = core.find((machine) => (sim.programOf(machine)?.membership.health ?? 0) > 0)
    return unwell === undefined ? undefined : `machine ${unwell} does not get well`
  })
  if (sim.violations.length > 0) return undefined
  const random = sim.random.fork('victim')
  const victim = random.pick(core)
  const survivors = core.filter((machine) => machine !== victim)
  sim.stop(victim, random.chance(0.5) ? 'kill' : 'power')
  const { node } = sim.machine(victim)
  return until(sim, 'M-5', boundMs, () => {
    for (const machine of survivors) {
      for (const member of sim.programOf(machine)?.membership.members() ?? []) {
        if (member.node === node && member.state !== 'dead' && member.state !== 'left') {
          return `machine ${machine} still believes that ${node} is ${member.state}`
        }
      }
    }
    return undefined
  })
}

/** Lets time pass until nothing is `missing`. Returns how long it took; past the bound the clause is violated. */
function until<P extends MembershipProgram>(
  sim: Simulation<P>,
  clause: string,
  boundMs: number,
  missing: () => string | undefined,
): number | undefined {
  const start = sim.now
  const end = after(start, boundMs)
  while (sim.violations.length === 0) {
    const what = missing()
    if (what === undefined) return sim.now - start
    if (sim.now >= end) {
      sim.violate(clause, `not within ${boundMs} ms: ${what}`)
      return undefined
    }
    sim.run(Math.min(end, sim.now + lookEveryMs(sim.machines.length)))
  }
  return undefined
}
