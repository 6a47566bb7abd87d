import type { AgentFacts, AgentId, RequestId, RunOrder, Submission } from '../../src/claims/index.ts'
import type { Host, Simulation, SwarmProgram } from '../../src/sim/index.ts'
import type { ClaimsHostEffect } from '../../src/swarm/index.ts'
import { ClaimsChecker, type Work } from './claims-checker.ts'
import type { Job, Workload } from './workloads.ts'

/** What is known of one job in the end; virtual milliseconds. */
export interface JobLog {
  readonly job: Job
  readonly work: Work
  submittedAt: number | undefined
  /** Its coordinator decided who gets it, last. */
  selectedAt: number | undefined
  /** An agent had it in hand, first. */
  startedAt: number | undefined
  endedAt: number | undefined
  state: string
  executor: number | undefined
}

/** Replays a workload on a simulated swarm: agents that take as long as the job says, clients that only submit. */
export class ReplayLoad {
  readonly logs = new Map<string, JobLog>()
  readonly #sim: Simulation<SwarmProgram>
  readonly #workload: Workload
  readonly #checker: ClaimsChecker
  readonly #byTask = new Map<string, JobLog>()
  readonly #byRequest = new Map<number, JobLog>()
  readonly #working = new Set<string>()
  #submitting: JobLog | undefined
  #requests = 0
  #ended = 0

  constructor(sim: Simulation<SwarmProgram>, workload: Workload) {
    this.#sim = sim
    this.#workload = workload
    this.#checker = new ClaimsChecker(sim, ({ agent, order }) => this.#working.has(`${agent} ${order.task}`))
    sim.check(this.#checker)
  }

  get isDone(): boolean {
    return this.#ended >= this.logs.size
  }

  /** Every agent says that it is there. */
  attach(): void {
    for (const [machine, { agent }] of this.#workload.spots.entries()) {
      if (agent === undefined) continue
      this.#later(machine, 0, (program) =>
        program.tell({ kind: 'agent-attach', agent: agentAt(machine), facts: { name: 'agent', ...agent } }),
      )
    }
  }

  /** From now on jobs come as they came. */
  submit(): void {
    for (const [i, job] of this.#workload.jobs.entries()) {
      const submission = submissionOf(job, `job${i}`)
      const work: Work = {
        id: `job${i}`,
        machine: job.machine,
        submission,
        fits: ({ labels, resources, skills }) =>
          job.wants.require.every((name) => labels[name] !== undefined) &&
          job.wants.skills.every((skill) => skills.some(({ name }) => name === skill)) &&
          Object.entries(job.wants.resources).every(([unit, amount]) => amount <= (resources[unit] ?? 0)),
        task: undefined,
        acknowledged: false,
        cancelAcknowledged: false,
        executions: [],
      }
      this.#checker.work.set(work.id, work)
      const log: JobLog = {
        job,
        work,
        submittedAt: undefined,
        selectedAt: undefined,
        startedAt: undefined,
        endedAt: undefined,
        state: 'not submitted',
        executor: undefined,
      }
      this.logs.set(work.id, log)
      this.#later(job.machine, job.atMs, (program) => this.#submit(program, log))
    }
  }

  perform(host: Host, effect: ClaimsHostEffect): void {
    switch (effect.kind) {
      case 'reply': {
        const log = this.#byRequest.get(effect.request)
        const { outcome } = effect
        if (log === undefined) return
        if (!outcome.ok) this.#sim.violate('T-5', `${log.work.id} was refused: ${outcome.error.message}`, host.machine)
        else if (outcome.value.kind === 'accepted') {
          this.#byTask.set(outcome.value.task, log)
          this.#checker.acknowledged(log.work, outcome.value.task, outcome.value.duplicate)
        }
        return
      }
      case 'task-changed':
        this.#changed(effect.task, effect.state)
        return
      case 'run':
        this.#run(host.machine, effect.agent, effect.order)
        return
      case 'stop':
        this.#working.delete(`${effect.agent} ${effect.task}`)
    }
  }

  #submit(program: SwarmProgram, log: JobLog): void {
    this.#requests += 1
    this.#byRequest.set(this.#requests, log)
    log.submittedAt = this.#sim.now
    log.state = 'submitted'
    const ask = { kind: 'submit' as const, submission: log.work.submission }
    // The client hears the task's name when it is on disk; its first change is told at once.
    this.#submitting = log
    program.tell({ kind: 'request', request: this.#requests as RequestId, ask })
    this.#submitting = undefined
  }

  #changed(task: string, state: string): void {
    const log = this.#byTask.get(task) ?? this.#submitting
    if (log === undefined) return
    this.#byTask.set(task, log)
    log.state = state
    if (state === 'offered' || (state === 'running' && log.selectedAt === undefined)) log.selectedAt = this.#sim.now
    const hasEnded = state === 'completed' || state === 'failed' || state === 'cancelled' || state === 'dead-lettered'
    if (!hasEnded || log.endedAt !== undefined) return
    log.endedAt = this.#sim.now
    this.#ended += 1
  }

  #run(machine: number, agent: AgentId, order: RunOrder): void {
    const log = this.logs.get(order.trace ?? '')
    if (log === undefined) return
    const execution = { machine, agent, order, at: this.#sim.now, output: `${order.task}/${order.attempt}@${machine}` }
    const key = `${agent} ${order.task}`
    this.#working.add(key)
    this.#byTask.set(order.task, log)
    log.startedAt ??= this.#sim.now
    log.executor = machine
    this.#checker.started(execution, { name: 'agent', ...(this.#workload.spots[machine]?.agent ?? NOBODY) }, [])
    this.#later(machine, log.job.runMs, (program) => {
      if (!this.#working.delete(key)) return
      const output = new TextEncoder().encode(execution.output)
      program.tell({ kind: 'agent-result', agent, task: order.task, attempt: order.attempt, output })
    })
  }

  #later(machine: number, afterMs: number, run: (program: SwarmProgram) => void): void {
    this.#sim.processOf(machine)?.later(() => {
      const program = this.#sim.programOf(machine)
      if (program !== undefined) run(program)
    }, this.#sim.now + afterMs)
  }
}

const NOBODY: Omit<AgentFacts, 'name'> = { skills: [], slots: 0, resources: {}, labels: {}, price: 0 }

function agentAt(machine: number): AgentId {
  return `agent@${machine}` as AgentId
}

function submissionOf({ wants }: Job, id: string): Submission {
  return {
    ...wants,
    input: new TextEncoder().encode(JSON.stringify({ text: id.padEnd(180, '.') })),
    tenant: 'default',
    priority: 5,
    guarantee: 'exactly-once',
    durable: true,
    prefer: [],
    trace: id,
  }
}
