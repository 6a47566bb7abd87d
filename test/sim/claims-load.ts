import type {
  ClaimsAnswer,
  ClaimsRequest,
  Objective,
  Refusal,
  RequestId,
  Submission,
  TaskReport,
} from '../../src/claims/index.ts'
import type { Random, Result } from '../../src/kernel/index.ts'
import { type Host, type Load, type Simulation, type SwarmProgram, simNodeId } from '../../src/sim/index.ts'
import type { ClaimsHostEffect } from '../../src/swarm/index.ts'
import { type AgentsWatcher, HELD, hostCpuOf, SimAgents } from './claims-agents.ts'
import { ClaimsChecker, type Work } from './claims-checker.ts'
import { CONDITIONS, type Fits, SKILLS, TIERS } from './claims-conditions.ts'
import { LiarTrial } from './liar-trial.ts'
import { LiarWatch } from './liar-watch.ts'
import type { LyingMembers } from './lies/members.ts'

/** Mean gap between two submissions at one machine. */
const SUBMIT_EVERY_MS = 700
/** Of submissions: those that wait for the end in the same question. */
const CALLS_SHARE = 0.3
/** Everything that can end has ended this long after healing: back-offs, leases and breakers included. */
const END_BOUND_MS = 240_000
/** Every attempt may have been a liar's, who takes a lease for each. */
const LIAR_BOUND_FACTOR = 3
/** T-9 and T-10, with room for what is measured from outside. */
const AWARD_BOUND_MS = 2_000

/** T-10: a lease, a second, and what it takes to look around again. */
const REAWARD_BOUND_MS = 10_000 + 1_000 + AWARD_BOUND_MS
/** T-12: three in a row open a breaker, which is tried ever more rarely; tasks that failed elsewhere count for less. */
const FAILING_MAX = 25

interface Parts {
  readonly sim: Simulation<SwarmProgram>
  readonly checker: ClaimsChecker
  readonly agents: SimAgents
  readonly random: Random
}

type Asked = (outcome: Result<ClaimsAnswer, Refusal>) => void

/** Clients that submit, ask, wait and cancel at random; agents of all kinds; and the clauses that must hold. */
export class ClaimsLoad implements Load<SwarmProgram> {
  readonly clause = 'T-9'
  readonly boundMs: number
  readonly #liars: LyingMembers | undefined
  #watch: LiarWatch | undefined
  #trial: LiarTrial | undefined
  #parts: Parts | undefined
  readonly #asked = new Map<string, Asked>()
  readonly #submitted: Work[] = []
  #core: ReadonlySet<number> = new Set()
  #requests = 0
  #healed = false
  #probe: Work | undefined
  #probeAt = 0
  #probesLeft = 3
  /** Once all else is well: a task whose executor is switched off. */
  #held: { readonly work: Work; killedAt: number | undefined } | undefined
  #heldIsOver = false
  /** T-12: what agents that fail at once were given, per machine since its start, by name and skills. */
  readonly #failing: Map<string, number>[] = []

  /** @param liars members that lie, of which nothing is asked and for which nothing is promised */
  constructor(liars?: LyingMembers) {
    this.#liars = liars
    this.boundMs = liars === undefined ? END_BOUND_MS : LIAR_BOUND_FACTOR * END_BOUND_MS
  }

  /** How many tasks were acknowledged, and how many ended. */
  get figures(): Readonly<Record<string, number>> {
    const acknowledged = this.#submitted.filter((work) => work.acknowledged)
    const ended = acknowledged.filter(({ task }) => task !== undefined && this.#checker.ended.has(task))
    return {
      acknowledged: acknowledged.length,
      ended: ended.length,
      executions: this.#submitted.reduce((sum, { executions }) => sum + executions.length, 0),
      ...(this.#liars === undefined ? {} : { lies: this.#liars.lies }),
    }
  }

  begin(sim: Simulation<SwarmProgram>): void {
    this.#liars?.begin(sim)
    const watch = this.#liars === undefined ? undefined : new LiarWatch(sim, this.#liars.machines)
    if (watch !== undefined) sim.check(watch)
    this.#watch = watch
    const watcher: AgentsWatcher = {
      started: (...started) => checker.started(...started, hostCpuOf(started[0].machine)),
      failing: ({ machine, order }, { name }) => {
        if (watch?.isLiarsTask(order.task) !== true) this.#onFailing(machine, `${name} ${order.skills.join(' ')}`)
      },
      goneButAsked: ({ agent, machine, order }) =>
        sim.violate('CL-12', `${agent} was given ${order.task} after it had detached or while it was silent`, machine),
      steered: (...steered) => watch?.steered(...steered),
    }
    const agents: SimAgents = new SimAgents(sim, watcher, (machine) => machine === 0 || this.#isLiar(machine))
    const checker = new ClaimsChecker(sim, (execution) => agents.isWanted(execution), watch)
    this.#parts = { sim, checker, agents, random: sim.random.fork('load') }
    sim.check(checker)
    sim.check({
      onBoot: (machine) => {
        agents.boot(machine.index)
        this.#clients(machine.index)
      },
      onDown: (machine) => {
        agents.down(machine.index)
        this.#failing[machine.index] = new Map()
        for (const key of [...this.#asked.keys()]) if (key.startsWith(`${machine.index}/`)) this.#asked.delete(key)
      },
    })
  }

  needed(): readonly number[] {
    return this.#liars?.machines ?? []
  }

  #isLiar(machine: number): boolean {
    return this.#liars?.isLiar(machine) === true
  }

  perform(host: Host, effect: ClaimsHostEffect): void {
    if (this.#parts === undefined) return
    if (!this.#isLiar(host.machine)) this.#watch?.onEffect(host.machine, effect)
    if (effect.kind === 'reply') {
      const key = `${host.machine}/${effect.request}`
      const asked = this.#asked.get(key)
      if (asked === undefined)
        this.#sim.violate('CL-7', `request ${effect.request} was answered twice, or never made`, host.machine)
      this.#asked.delete(key)
      asked?.(effect.outcome)
      return
    }
    if (effect.kind === 'task-changed' && effect.state === 'completed' && !this.#healed) {
      // Who asks just after the end may not hear of it before it is on disk.
      if (this.#parts.random.chance(0.2)) this.#hear(host.machine, { kind: 'get', task: effect.task })
    }
    this.#parts.agents.perform(host.machine, effect)
  }

  healed(core: readonly number[]): void {
    this.#healed = true
    this.#core = new Set(core)
    const { sim, agents, checker } = this.#all
    agents.heal()
    if (this.#liars === undefined || this.#watch === undefined) return
    const [watch, machines] = [this.#watch, core.filter((machine) => !this.#isLiar(machine))]
    const submit = (machine: number, submission: Submission): Work => this.#submit(machine, submission, () => true)
    const plainly = (id: string): Submission => plain(this.#all.random, id)
    this.#trial = new LiarTrial({ sim, checker, watch, liars: this.#liars, machines, plainly, submit })
  }

  /** Everything acknowledged whose coordinator lives has ended; then, idle, each of a few is awarded in time (T-9). */
  missing(): string | undefined {
    const { sim, checker } = this.#all
    if (this.#held !== undefined && !this.#heldIsOver) return this.#heldTask()
    for (const work of this.#submitted) {
      const { task, machine, submission } = work
      if (task === undefined || !this.#core.has(machine) || !submission.durable || checker.ended.has(task)) continue
      if (this.#isLiar(machine)) continue
      const report = sim.programOf(machine)?.claims.task(task)
      if (report === undefined) {
        sim.violate('T-5', `${task} was acknowledged and is not known any more`, machine)
        return 'lost'
      }
      if (this.#watch?.mayRunForEver(report, work) === true) continue
      return `${task} on machine ${machine} is ${report.state} after ${report.attempts} attempts (${JSON.stringify(submission.require)} ${submission.resources.cpu ?? ''})`
    }
    return this.#trial === undefined
      ? (this.#takenSlot() ?? this.#probeNext())
      : (this.#trial.missing() ?? this.#takenSlot())
  }

  /** Nobody works any more, so no slot is taken: what was promised or told to stop has come back. */
  #takenSlot(): string | undefined {
    const { sim } = this.#all
    if (this.#probe !== undefined) return undefined
    for (const machine of this.#core) {
      for (const { agent, slotsUsed } of sim.programOf(machine)?.claims.agents() ?? []) {
        if (slotsUsed > 0) return `${slotsUsed} slots of agent ${agent} are taken, and nobody works`
      }
    }
    return undefined
  }

  get #all(): Parts {
    if (this.#parts === undefined) throw new Error('the load has not begun')
    return this.#parts
  }

  get #sim(): Simulation<SwarmProgram> {
    return this.#all.sim
  }

  get #checker(): ClaimsChecker {
    return this.#all.checker
  }

  #probeNext(): string | undefined {
    const { sim } = this.#all
    if (this.#probe !== undefined) {
      const [execution] = this.#probe.executions
      if (execution === undefined) {
        if (sim.now - this.#probeAt > AWARD_BOUND_MS)
          sim.violate('T-9', `${this.#probe.id} was not awarded within ${AWARD_BOUND_MS} ms in an idle swarm`)
        return 'a task in an idle swarm was not awarded yet'
      }
      this.#probe = undefined
      this.#probesLeft -= 1
    }
    if (this.#probesLeft <= 0) return this.#heldTask()
    const machine = this.#all.random.pick([...this.#core])
    this.#probeAt = sim.now
    this.#probe = this.#submit(machine, plain(this.#all.random, `probe${this.#probesLeft}`), () => true)
    return 'a task in an idle swarm was not awarded yet'
  }

  /** T-10: its executor loses power, and comes back without it. */
  #heldTask(): string | undefined {
    if (this.#heldIsOver) return undefined
    const { sim, random } = this.#all
    if (this.#held === undefined) {
      const submission = { ...plain(random, HELD), require: ['!(node==n0)'], deadlineMs: 60_000 }
      this.#probeAt = sim.now
      this.#held = { work: this.#submit(0, submission, (_facts, at) => at !== 0), killedAt: undefined }
      return 'a task is to lose its executor'
    }
    const { work, killedAt } = this.#held
    const [first, second] = work.executions
    if (first !== undefined && killedAt === undefined) {
      this.#held.killedAt = sim.now
      sim.stop(first.machine, 'power')
      sim.queue.call(sim.now + 2_000, () => sim.start(first.machine))
    }
    // Not every core has a second machine with the skill.
    this.#heldIsOver = second !== undefined || (first === undefined && sim.now - this.#probeAt > AWARD_BOUND_MS)
    const lateMs = killedAt === undefined ? 0 : sim.now - killedAt - REAWARD_BOUND_MS
    if (lateMs > 0 && second === undefined)
      sim.violate('T-10', `${HELD} was not awarded again within ${REAWARD_BOUND_MS} ms of its executor's end`)
    return 'a task that lost its executor was not awarded again yet'
  }

  #onFailing(machine: number, what: string): void {
    this.#failing[machine] ??= new Map()
    const count = (this.#failing[machine]?.get(what) ?? 0) + 1
    this.#failing[machine]?.set(what, count)
    if (count > FAILING_MAX)
      this.#sim.violate('T-12', `${what} was given ${count} tasks, and fails each at once`, machine)
  }

  #clients(machine: number): void {
    const random = this.#all.random.fork(`clients ${machine} ${this.#requests}`)
    const next = (): void => {
      this.#later(machine, random.exponential(SUBMIT_EVERY_MS), () => {
        if (this.#healed) return
        this.#act(machine, random)
        next()
      })
    }
    next()
  }

  #act(machine: number, random: Random): void {
    const old = this.#submitted.length === 0 ? undefined : random.pick(this.#submitted)
    if (random.chance(0.15) && old?.task !== undefined) this.#ask(machine, old.task, random)
    else if (random.chance(0.1) && old?.submission.key !== undefined && old.machine === machine)
      this.#again(old, random)
    else if (random.chance(0.01)) this.#sim.programOf(machine)?.compact()
    else {
      const { submission, fits } = drawSubmission(random, `w${this.#submitted.length}`)
      this.#submit(machine, submission, fits)
    }
  }

  #submit(machine: number, submission: Submission, fits: Work['fits']): Work {
    const work: Work = {
      id: submission.trace ?? '',
      machine,
      submission,
      fits,
      task: undefined,
      acknowledged: false,
      cancelAcknowledged: false,
      executions: [],
    }
    this.#submitted.push(work)
    this.#checker.work.set(work.id, work)
    if (this.#all.random.chance(CALLS_SHARE)) this.#call(work)
    else {
      this.#request(machine, { kind: 'submit', submission }, (outcome) => {
        if (outcome.ok && outcome.value.kind === 'accepted')
          this.#acknowledged(work, outcome.value.task, outcome.value.duplicate)
      })
    }
    return work
  }

  /** CL-14: whoever calls hears of the task when it has ended, or when he has waited long enough. */
  #call(work: Work): void {
    const { machine, submission } = work
    const timeoutMs = this.#all.random.between(1, 20_000)
    this.#request(machine, { kind: 'call', submission, timeoutMs }, (outcome) => {
      if (!outcome.ok) {
        if (typeof outcome.error.data?.task === 'string') this.#acknowledged(work, outcome.error.data.task, false)
      } else if (outcome.value.kind === 'report') {
        this.#acknowledged(work, outcome.value.report.task, false)
        this.#told(outcome.value.report)
      }
    })
  }

  /** The same key again: with the same body the same task, with another an error (T-4). */
  #again(work: Work, random: Random): void {
    const isSame = random.chance(0.7)
    const submission = isSame ? work.submission : { ...work.submission, priority: (work.submission.priority + 1) % 10 }
    this.#request(work.machine, { kind: 'submit', submission }, (outcome) => {
      if (outcome.ok && outcome.value.kind === 'accepted') {
        if (isSame) this.#acknowledged(work, outcome.value.task, outcome.value.duplicate)
        else if (work.task !== undefined && outcome.value.duplicate)
          this.#sim.violate('T-4', `${work.task} stands for another body too`, work.machine)
      }
    })
  }

  /** Others may ask for what a liar coordinates, whether or not it is as it says. */
  #acknowledged(work: Work, task: string, isDuplicate: boolean): void {
    if (this.#isLiar(work.machine)) work.task ??= task
    else this.#checker.acknowledged(work, task, isDuplicate)
  }

  #ask(machine: number, task: string, random: Random): void {
    if (this.#liars !== undefined && random.chance(0.2)) {
      this.#hear(machine, { kind: 'steer', task, input: new TextEncoder().encode('steered') })
      return
    }
    const kind = random.pick(['get', 'wait', 'wait', 'cancel', 'why', 'history'] as const)
    const ask: Extract<ClaimsRequest, { readonly task: string }> =
      kind === 'wait'
        ? { kind, task, timeoutMs: random.between(100, 20_000) }
        : kind === 'cancel'
          ? { kind, task, reason: 'chance' }
          : { kind, task }
    this.#hear(machine, ask)
  }

  #hear(machine: number, ask: Extract<ClaimsRequest, { readonly task: string }>): void {
    const { task } = ask
    this.#request(machine, ask, (outcome) => {
      if (this.#isLiar(machine)) return
      if (!outcome.ok) {
        this.#watch?.refused(machine, task, outcome.error.message)
        return
      }
      const { value } = outcome
      if (value.kind === 'cancelled') this.#checker.cancelAcknowledged(task, value.state)
      if (value.kind === 'report' && value.report.endedAt !== undefined) this.#told(value.report)
    })
  }

  #told({ task, state, output }: TaskReport): void {
    this.#checker.told(task, state, output === undefined ? undefined : new TextDecoder().decode(output))
  }

  #request(machine: number, ask: ClaimsRequest, asked: Asked): void {
    this.#requests += 1
    const request = this.#requests as RequestId
    this.#later(machine, 0, (program) => {
      this.#asked.set(`${machine}/${request}`, asked)
      program.tell({ kind: 'request', request, ask })
    })
  }

  #later(machine: number, afterMs: number, run: (program: SwarmProgram) => void): void {
    this.#sim.processOf(machine)?.later(() => {
      const program = this.#sim.programOf(machine)
      if (program !== undefined) run(program)
    }, this.#sim.now + afterMs)
  }
}

/** What anybody with the skill can do at once. */
function plain(random: Random, id: string): Submission {
  return {
    skills: [random.pick(SKILLS)],
    input: new TextEncoder().encode(id),
    tenant: 't0',
    priority: 5,
    guarantee: 'exactly-once',
    durable: true,
    resources: {},
    require: [],
    prefer: [],
    trace: id,
  }
}

function drawSubmission(random: Random, id: string): { readonly submission: Submission; readonly fits: Work['fits'] } {
  const base = plain(random, id)
  const tenant = `t${random.below(3)}`
  const cpu = random.chance(0.3) ? 1 + random.below(3) : 0
  const { require, fits, bounded } = drawConstraint(random)
  const budget = random.chance(0.15) ? random.below(4) : undefined
  const deadlineMs = bounded || budget !== undefined || random.chance(0.3) ? random.between(2_000, 40_000) : undefined
  const submission: Submission = {
    ...base,
    tenant,
    skills: random.chance(0.2) ? random.sample(SKILLS, 2) : base.skills,
    priority: random.below(10),
    guarantee: random.chance(0.1) ? 'at-least-once' : 'exactly-once',
    durable: random.chance(0.9),
    resources: cpu === 0 ? {} : { cpu },
    require,
    prefer: random.chance(0.2) ? [`tier==${random.pick(TIERS)}`] : [],
    input: random.chance(0.04) ? new Uint8Array(Math.floor(random.between(70_000, 300_000))) : base.input,
    budget,
    objective: random.chance(0.15) ? drawObjective(random) : undefined,
    key: random.chance(0.3) ? `k${id}` : undefined,
    deadlineMs,
    runTimeoutMs: random.chance(0.25) ? random.between(500, 5_000) : undefined,
    queueTimeoutMs: random.chance(0.1) ? random.between(1_000, 10_000) : undefined,
    retries: random.below(6),
  }
  const { skills } = submission
  return {
    submission,
    fits: (facts, machine) =>
      fits(facts, machine) &&
      skills.every((skill) => facts.skills.some(({ name }) => name === skill)) &&
      (facts.tenants?.includes(tenant) ?? true) &&
      facts.price <= (budget ?? Number.POSITIVE_INFINITY) &&
      cpu <= (facts.resources.cpu ?? 0),
  }
}

function drawObjective(random: Random): Objective {
  const weight = (): number => random.pick([0, 0, 1, random.float()])
  return { throughput: weight(), latency: weight(), quality: weight(), cost: weight() }
}

/** Conditions that not every core can fulfil have a deadline. */
function drawConstraint(random: Random): {
  readonly require: readonly string[]
  readonly fits: Fits
  readonly bounded: boolean
} {
  const kind = random.below(10)
  if (kind === 0) return needing([`tier==${random.pick(TIERS)}`], false)
  if (kind === 1) return needing([`node==${simNodeId(random.below(8))}`], true)
  if (kind === 2) return needing(['!(node==n0)', 'cpu>=2'], true)
  if (kind === 3) return needing(['agent==agent1'], false)
  return needing([], false)
}

function needing(require: readonly string[], bounded: boolean): ReturnType<typeof drawConstraint> {
  return {
    require,
    fits: (facts, machine) => require.every((condition) => CONDITIONS[condition]?.(facts, machine) === true),
    bounded,
  }
}
