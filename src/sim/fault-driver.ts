import type { Millis, Random } from '../kernel/index.ts'
import type { MachineClock } from './clock.ts'
import { CALM } from './paths.ts'
import type { Program } from './program.ts'
import { FAULT_KINDS, type FaultKind, type Scenario } from './scenario.ts'
import type { Simulation } from './simulation.ts'

/** How late a slow machine comes to everything, at most. */
const SLOW_MS_MAX = 300

/** The farthest a wall clock jumps. */
const WALL_STEP_MS_MAX = 3_600_000

/** A machine that was paused runs for at least this long. */
const BREATH_MS = 5_000

/** Worst rate error of a quartz clock that still counts as working. */
const DRIFT_MAX = 500e-6

/** What a scenario needs from whoever runs it. */
export interface FaultHooks {
  /** The operator takes a machine out of the swarm: a program may say goodbye first. */
  leave(machine: number): void
}

/** Makes the faults of a scenario happen, each kind by its own stream of chance (SI-3), and ends them all. */
export class FaultDriver<P extends Program> {
  readonly #sim: Simulation<P>
  readonly #scenario: Scenario
  readonly #hooks: FaultHooks
  readonly #random: Random
  /** How often each kind struck (SI-12). */
  readonly counts: Readonly<Record<FaultKind, number>>
  readonly #counts: Record<FaultKind, number>
  /** Ends of faults that last: run when their time is up or when the swarm is healed, once. */
  readonly #undo = new Set<() => void>()
  /** Machines that are members: started and not taken out. */
  readonly #members = new Set<number>()
  readonly #gone = new Set<number>()
  readonly #spare: number[]
  readonly #twin: number | undefined
  /** Until when each machine is not paused again. */
  readonly #breathesUntil: number[] = []
  #healed = false

  constructor(sim: Simulation<P>, scenario: Scenario, hooks: FaultHooks) {
    this.#sim = sim
    this.#scenario = scenario
    this.#hooks = hooks
    this.#random = sim.random.fork('faults')
    this.#counts = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>
    this.counts = this.#counts
    const { nodes } = scenario
    this.#spare = scenario.faults.join === undefined ? [] : range(nodes, nodes + sparesOf(scenario))
    this.#twin = scenario.faults.twin === undefined ? undefined : machinesOf(scenario) - 1
  }

  /** Machines that belong to the swarm, whether they run just now or not. */
  get members(): readonly number[] {
    return [...this.#members]
  }

  /** Machines that were taken out for good. */
  get gone(): readonly number[] {
    return [...this.#gone]
  }

  /** Starts the first machines and plans the faults. */
  begin(): void {
    const { nodes, formationMs, faults, safetyMs } = this.#scenario
    const random = this.#random.fork('formation')
    for (let machine = 0; machine < nodes; machine++) {
      this.#members.add(machine)
      this.#sim.queue.call(machine === 0 ? 0 : random.between(0, formationMs), () => this.#sim.start(machine))
    }
    for (const kind of FAULT_KINDS) {
      const plan = faults[kind]
      if (plan !== undefined) this.#plan(kind, plan.everyMs, plan.forMs, this.#random.fork(kind), safetyMs)
    }
  }

  /** Ends every fault; machines of the core run again, all others are switched off. Returns the core: `needed` and more. */
  heal(needed: readonly number[] = []): readonly number[] {
    this.#healed = true
    for (const undo of [...this.#undo]) undo()
    this.#sim.paths.weather = CALM
    this.#sim.paths.unclogAll()
    const members = [...this.#members].sort((a, b) => a - b)
    const random = this.#random.fork('core')
    const least = Math.max(1, Math.ceil(members.length * this.#scenario.coreShareMin))
    const size = least + random.below(members.length - least + 1)
    // The first machine is everybody's contact: a newcomer that never met anyone has nobody else to ask.
    const others = members.filter((machine) => machine !== 0)
    const drawn = [0, ...random.sample(others, size - 1)]
    const there = needed.filter((machine) => members.includes(machine))
    const core = [...new Set([...drawn, ...there])].sort((a, b) => a - b)
    for (const machine of members) {
      if (core.includes(machine)) this.#sim.start(machine)
      else this.#sim.stop(machine, random.chance(0.5) ? 'kill' : 'power')
    }
    this.#sim.fault(0, core.length, () => `healed; the core is ${core.join(' ')}`)
    return core
  }

  #plan(kind: FaultKind, everyMs: number, forMs: readonly [number, number], random: Random, until: number): void {
    const at = this.#sim.now + random.exponential(everyMs)
    if (at >= until) return
    this.#sim.queue.call(at, () => {
      if (this.#healed) return
      this.#strike(kind, random, random.between(forMs[0], forMs[1]))
      this.#plan(kind, everyMs, forMs, random, until)
    })
  }

  #strike(kind: FaultKind, random: Random, forMs: number): void {
    const running = [...this.#members].filter((machine) => this.#sim.isRunning(machine))
    if (running.length === 0) return
    const victim = random.pick(running)
    this.#counts[kind] += 1
    this.#sim.fault(victim, FAULT_KINDS.indexOf(kind), () => `${kind} for ${forMs.toFixed(0)} ms`)
    const { now } = this.#sim
    const machine = this.#sim.machine(victim)
    const strikes: Readonly<Record<FaultKind, () => void>> = {
      crash: () => this.#crash(victim, 'kill', forMs),
      powerLoss: () => this.#crash(victim, 'power', forMs),
      pause: () => this.#pause(victim, forMs),
      slow: () => this.#slow(victim, random.between(1, SLOW_MS_MAX), forMs),
      partition: () => this.#split(random, false, forMs),
      oneWay: () => this.#split(random, true, forMs),
      cut: () => this.#block(this.#pairs(random), forMs),
      cutPair: () => this.#block(this.#between([victim], random.sample(this.#othersThan(victim), 1)), forMs),
      isolate: () => this.#block(this.#between([victim], this.#othersThan(victim)), forMs),
      clog: () => this.#clog(random, forMs),
      wallStep: () => this.#stepWall(machine.clock, random.between(-WALL_STEP_MS_MAX, WALL_STEP_MS_MAX)),
      drift: () => machine.clock.setRate(now, 1 + random.between(-DRIFT_MAX, DRIFT_MAX)),
      diskStall: () => machine.log.stall(now + forMs),
      leave: () => this.#leave(victim, random, running.length),
      join: () => this.#join(),
      twin: () => this.#startTwin(forMs),
    }
    strikes[kind]()
  }

  #crash(machine: number, how: 'kill' | 'power', forMs: number): void {
    this.#sim.stop(machine, how)
    this.#later(forMs, () => {
      if (this.#members.has(machine)) this.#sim.start(machine)
    })
  }

  /** Two pauses with no time to breathe in between would be one longer pause, which is another fault (M-6). */
  #pause(machine: number, forMs: number): void {
    const { now } = this.#sim
    if (now < (this.#breathesUntil[machine] ?? 0)) return
    this.#breathesUntil[machine] = now + forMs + BREATH_MS
    this.#sim.pause(machine, forMs)
  }

  #slow(machine: number, lagMs: number, forMs: number): void {
    const process = this.#sim.processOf(machine)
    if (process === undefined) return
    process.lagMs = lagMs
    this.#later(forMs, () => {
      process.lagMs = 0
    })
  }

  #split(random: Random, oneWay: boolean, forMs: number): void {
    const everyone = random.shuffle(this.#everyone())
    const cut = 1 + random.below(Math.max(1, everyone.length - 1))
    const near = everyone.slice(0, cut)
    const far = everyone.slice(cut)
    this.#block(oneWay ? near.flatMap((a) => far.map((b) => [a, b] as const)) : this.#between(near, far), forMs)
  }

  #between(near: readonly number[], far: readonly number[]): readonly (readonly [number, number])[] {
    return near.flatMap((a) => far.flatMap((b) => [[a, b] as const, [b, a] as const]))
  }

  #pairs(random: Random): readonly (readonly [number, number])[] {
    const everyone = this.#everyone()
    const count = 1 + random.below(everyone.length)
    return Array.from({ length: count }, () => random.sample(everyone, 2)).flatMap(([a, b]) => {
      if (a === undefined || b === undefined) return []
      return random.chance(0.3) ? [[a, b] as const] : [[a, b] as const, [b, a] as const]
    })
  }

  #block(paths: readonly (readonly [number, number])[], forMs: number): void {
    for (const [from, to] of paths) this.#sim.block(from, to)
    this.#later(forMs, () => {
      for (const [from, to] of paths) this.#sim.unblock(from, to)
    })
  }

  #clog(random: Random, forMs: number): void {
    for (const [from, to] of this.#pairs(random)) this.#sim.paths.clog(from, to, (this.#sim.now + forMs) as Millis)
  }

  #leave(machine: number, random: Random, running: number): void {
    // The first is everybody's contact, and somebody stays to be asked.
    if (machine === 0 || running <= 2) return
    this.#members.delete(machine)
    this.#gone.add(machine)
    if (random.chance(0.7)) this.#hooks.leave(machine)
    this.#sim.queue.call(this.#sim.now + LEAVE_GRACE_MS, () => this.#sim.stop(machine, 'kill'))
  }

  #join(): void {
    const machine = this.#spare.shift()
    if (machine === undefined) return
    this.#members.add(machine)
    this.#sim.start(machine)
  }

  #startTwin(forMs: number): void {
    const twin = this.#twin
    if (twin === undefined || this.#sim.isRunning(twin)) return
    this.#sim.start(twin)
    this.#later(forMs, () => this.#sim.stop(twin, 'kill'))
  }

  #everyone(): readonly number[] {
    return this.#sim.machines.map((machine) => machine.index)
  }

  #othersThan(machine: number): readonly number[] {
    return this.#everyone().filter((other) => other !== machine)
  }

  /** Until somebody sets the clock right, which is when all faults end. */
  #stepWall(clock: MachineClock, byMs: number): void {
    clock.stepWall(byMs)
    this.#undo.add(() => clock.stepWall(-byMs))
  }

  #later(forMs: number, undo: () => void): void {
    const once = (): void => {
      if (this.#undo.delete(once)) undo()
    }
    this.#undo.add(once)
    this.#sim.queue.call(this.#sim.now + forMs, once)
  }
}

/** How long a leaving machine has to say so. */
const LEAVE_GRACE_MS = 1_000

/** Machines kept aside to join later. */
function sparesOf(scenario: Scenario): number {
  return scenario.faults.join === undefined ? 0 : Math.max(1, Math.floor(scenario.nodes / 2))
}

/** Machines that a run of the scenario needs: members, those that join later, and the twin of the first, last. */
export function machinesOf(scenario: Scenario): number {
  return scenario.nodes + sparesOf(scenario) + (scenario.faults.twin === undefined ? 0 : 1)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}
