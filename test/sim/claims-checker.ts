import {
  type AgentFacts,
  type ClaimsRecord,
  compareTokens,
  type Submission,
  type Token,
} from '../../src/claims/index.ts'
import type { Checker, Machine, Simulation, SwarmProgram } from '../../src/sim/index.ts'
import { decodeNodeRecord } from '../../src/swarm/index.ts'
import type { Execution } from './claims-agents.ts'
import type { Fits } from './claims-conditions.ts'
import type { LiarWatch } from './liar-watch.ts'

/** One submission and all that became of it, as seen from outside. */
export interface Work {
  readonly id: string
  readonly machine: number
  readonly submission: Submission
  readonly fits: Fits
  task: string | undefined
  acknowledged: boolean
  cancelAcknowledged: boolean
  readonly executions: Execution[]
}

interface Ended extends Pick<Extract<ClaimsRecord, { kind: 'ended' }>, 'error'> {
  readonly state: string
  readonly output: string | undefined
  readonly executions: number
}

/** A node that runs tells its agents to stop within this: its loop may be 300 ms late. */
const STOP_GRACE_MS = 1_500

/** A pool that is full to within this is full: somebody may ask for a millionth of a millionth. */
const ROUNDING = 1e-8

/** How often every table is read, in virtual ms: the rest is judged as it happens. */
const READ_EVERY_MS = 500

/**
 * T-1 to T-8 and T-13 as safety. Sees orders that reach agents, answers that reach clients, what stands in the logs, and
 * the read-only views; reckons everything itself.
 */
export class ClaimsChecker implements Checker<SwarmProgram> {
  readonly #sim: Simulation<SwarmProgram>
  readonly work = new Map<string, Work>()
  readonly #byTask = new Map<string, Work>()
  /** Leases that each machine believes to hold. */
  readonly #leases = new Map<
    number,
    Map<string, { readonly token: Token; readonly endsAt: number; readonly exact: boolean }>
  >()
  readonly #tokens = new Map<string, Token>()
  /** Ends as they stand in the logs. */
  readonly ended = new Map<string, Ended>()
  readonly #recordsRead = new Map<number, { readonly records: readonly Uint8Array[]; readonly count: number }>()
  readonly #keys = new Map<string, string>()
  readonly #readAt: number[] = []
  readonly #turnAt: number[] = []

  readonly #isWanted: (execution: Execution) => boolean
  /** Where members lie: nothing is asked of them, or for what they coordinate. */
  readonly #watch: LiarWatch | undefined
  /** What an agent works on, be it nobody's submission. */
  readonly #ordered = new WeakMap<Execution, Work>()

  constructor(sim: Simulation<SwarmProgram>, isWanted: (execution: Execution) => boolean, watch?: LiarWatch) {
    this.#sim = sim
    this.#isWanted = isWanted
    this.#watch = watch
  }

  onDown(machine: Machine): void {
    this.#leases.delete(machine.index)
  }

  onTurn(machine: Machine, program: SwarmProgram): void {
    if (this.#watch?.isLiar(machine.index) === true) return
    this.#turnAt[machine.index] = this.#sim.now
    this.#readLeases(machine, program)
    this.#readLog(machine)
    if (this.#sim.now < (this.#readAt[machine.index] ?? 0)) return
    this.#readAt[machine.index] = this.#sim.now + READ_EVERY_MS
    this.#readTables(machine, program)
  }

  /** An agent was handed an order. */
  started(
    execution: Execution,
    facts: AgentFacts,
    running: readonly Execution[],
    onHost: readonly Execution[] = running,
    hostCpu = Number.POSITIVE_INFINITY,
  ): void {
    const { machine, order } = execution
    if (this.#watch?.isLiar(machine) === true) return
    const submitted = this.work.get(order.trace ?? '')
    const work = this.#watch === undefined ? submitted : this.#watch.judge(machine, order, submitted)
    if (work === undefined) {
      this.#violate('T-8', machine, `${order.task} was never submitted`)
      return
    }
    this.#ordered.set(execution, work)
    for (const other of work.executions) this.#suspect(work, other, execution)
    work.executions.push(execution)
    // Of a call nobody hears before its end.
    if (work === submitted) this.#byTask.set(order.task, work)
    if (!work.fits(facts, machine))
      this.#violate('T-8', machine, `${order.task} runs at ${facts.name}, which may not have it`)
    if (running.length > facts.slots)
      this.#violate('T-7', machine, `${facts.name} runs ${running.length} in ${facts.slots} slots`)
    const cpu = this.#cpuOf(running)
    if (cpu > (facts.resources.cpu ?? 0) + ROUNDING)
      this.#violate('T-7', machine, `${facts.name} runs ${cpu} cpu of ${facts.resources.cpu}`)
    if (this.#cpuOf(onHost) > hostCpu + ROUNDING)
      this.#violate('T-7', machine, `all agents run ${this.#cpuOf(onHost)} cpu of the ${hostCpu} that they share`)
  }

  #cpuOf(running: readonly Execution[]): number {
    let cpu = 0
    for (const execution of running) cpu += this.#ordered.get(execution)?.submission.resources.cpu ?? 0
    return cpu
  }

  /** T-1 as agents see it: when a second one begins, the first has been told to stop, if its node could do so at all. */
  #suspect(work: Work, earlier: Execution, later: Execution): void {
    const isSame = earlier.order.task === later.order.task
    if (!isSame || work.submission.guarantee === 'at-least-once' || !this.#worksOn(earlier)) return
    this.#sim.queue.call(this.#sim.now + STOP_GRACE_MS, () => {
      if (!this.#worksOn(earlier) || this.#pausedLately(earlier.machine)) return
      this.#violate(
        'T-1',
        earlier.machine,
        `${earlier.order.task} runs on here, though machine ${later.machine} has begun it again`,
      )
    })
  }

  #worksOn(execution: Execution): boolean {
    const process = this.#sim.processOf(execution.machine)
    return process !== undefined && !process.paused && this.#isWanted(execution)
  }

  #pausedLately(machine: number): boolean {
    return this.#sim.now - (this.#turnAt[machine] ?? 0) > STOP_GRACE_MS
  }

  /** A client has heard that its task is accepted. */
  acknowledged(work: Work, task: string, duplicate: boolean): void {
    const { key, tenant, durable } = work.submission
    if (!duplicate) {
      work.task = task
      work.acknowledged = true
      this.#byTask.set(task, work)
      const isThere = this.#sim
        .machine(work.machine)
        .log.records.some((bytes) =>
          recordsOf(bytes).some((record) => record.kind === 'submitted' && record.task === task),
        )
      if (durable && !isThere) this.#violate('T-5', work.machine, `${task} was acknowledged and is not on disk`)
    }
    if (key === undefined || !durable) return
    const text = `${work.machine}/${tenant}/${key}`
    const known = this.#keys.get(text)
    if (known !== undefined && known !== task) this.#violate('T-4', work.machine, `${text} is ${known} and ${task}`)
    this.#keys.set(text, task)
  }

  /** A client has heard how a task ended. */
  told(task: string, state: string, output: string | undefined): void {
    const work = this.#byTask.get(task)
    if (work === undefined || !work.submission.durable) return
    this.#readLog(this.#sim.machine(work.machine))
    const known = this.ended.get(task)
    if (known === undefined) {
      this.#violate('T-2', work.machine, `a client heard that ${task} is ${state}, which is on no disk`)
    } else if (known.state !== state || (state === 'completed' && known.output !== output)) {
      this.#violate(
        'T-2',
        work.machine,
        `a client heard that ${task} is ${state} ${output}, the log says ${known.state} ${known.output}`,
      )
    }
  }

  cancelAcknowledged(task: string, state: string): void {
    const work = this.#byTask.get(task)
    if (work === undefined || state !== 'cancelled') return
    work.cancelAcknowledged = true
    const known = this.ended.get(task)
    if (known !== undefined && known.state === 'completed')
      this.#violate('T-6', work.machine, `${task} was cancelled and completed`)
  }

  /** T-1: exclusive by the clocks of those who hold them; tokens only grow. */
  #readLeases(machine: Machine, program: SwarmProgram): void {
    const now = machine.clock.monotonic(this.#sim.now)
    const before = this.#leases.get(machine.index)
    const held = new Map<string, { readonly token: Token; readonly endsAt: number; readonly exact: boolean }>()
    for (const { task, token, endsAt, guarantee } of program.claims.leases(now)) {
      const exact = guarantee === 'exactly-once'
      if (this.#watch?.isLiarsTask(task) === true) continue
      held.set(task, { token, endsAt, exact })
      if (exact && before?.has(task) !== true) this.#newLease(machine, task, token)
    }
    this.#leases.set(machine.index, held)
  }

  #newLease(machine: Machine, task: string, token: Token): void {
    const last = this.#tokens.get(task)
    if (last !== undefined && compareTokens(token, last) <= 0) {
      this.#violate('T-1', machine.index, `${task} is leased under ${textOf(token)} after ${textOf(last)}`)
    }
    this.#tokens.set(task, token)
    for (const [index, leases] of this.#leases) {
      const other = leases.get(task)
      if (index === machine.index || other?.exact !== true) continue
      const there = this.#sim.machine(index).clock.monotonic(this.#sim.now)
      if (other.endsAt > there) {
        this.#violate(
          'T-1',
          machine.index,
          `${task} is leased here under ${textOf(token)} and on machine ${index} under ${textOf(other.token)}`,
        )
      }
    }
  }

  /** What has become durable on this machine since the last look. */
  #readLog(machine: Machine): void {
    const { records } = machine.log
    const read = this.#recordsRead.get(machine.index)
    // A compaction says everything again, in fewer words.
    const from = read?.records === records ? read.count : 0
    for (let i = from; i < records.length; i++) {
      for (const record of recordsOf(records[i] as Uint8Array))
        if (record.kind === 'ended') this.#onEnded(machine, record)
    }
    this.#recordsRead.set(machine.index, { records, count: records.length })
  }

  #onEnded(machine: Machine, record: Extract<ClaimsRecord, { kind: 'ended' }>): void {
    const { task, state, executions, error } = record
    const output = record.output === undefined ? undefined : new TextDecoder().decode(record.output)
    const known = this.ended.get(task)
    if (known !== undefined) {
      if (known.state !== state || known.output !== output) {
        this.#violate('T-2', machine.index, `${task} ended ${known.state} ${known.output}, and then ${state} ${output}`)
      }
      return
    }
    this.ended.set(task, { state, output, executions, error })
    const executor = record.executor?.node
    if (state === 'completed' && executor !== undefined && this.#watch?.isLyingNode(executor) === true) {
      if (!this.#watch.mayEnd(machine, executor, task, record))
        this.#violate(
          'T-3',
          machine.index,
          `${task} was completed by ${executor}, which was not given ${textOf(record)}`,
        )
      return
    }
    const work = this.#byTask.get(task)
    if (work === undefined) return
    if (work.cancelAcknowledged && state !== 'cancelled')
      this.#violate('T-6', machine.index, `${task} is ${state} after its cancellation was acknowledged`)
    if (state === 'completed') this.#onCompleted(machine, work, record, output)
  }

  #onCompleted(
    machine: Machine,
    work: Work,
    record: Extract<ClaimsRecord, { kind: 'ended' }>,
    output: string | undefined,
  ): void {
    const producer = work.executions.find((execution) => execution.output === output)
    if (producer === undefined) {
      this.#violate(
        'T-2',
        machine.index,
        `${record.task} was completed with ${output}, which no execution of it has said`,
      )
    } else if (producer.order.attempt !== record.attempt) {
      this.#violate(
        'T-3',
        machine.index,
        `attempt ${record.attempt} of ${record.task} was completed with the answer of attempt ${producer.order.attempt}`,
      )
    }
  }

  #readTables(machine: Machine, program: SwarmProgram): void {
    const { counts } = program.claims
    const { accepted, waiting, offered, running, completed, failed, cancelled, deadLettered } = counts
    const sum = waiting + offered + running + completed + failed + cancelled + deadLettered
    if (accepted !== sum || waiting < 0 || offered < 0 || running < 0) {
      this.#violate('T-5', machine.index, `the books do not balance: ${JSON.stringify(counts)}`)
    }
    let open = 0
    for (const report of program.claims.tasks()) {
      if (report.endedAt === undefined) open += 1
      this.#checkExecutions(machine, report)
    }
    if (open !== waiting + offered + running)
      this.#violate('T-5', machine.index, `${open} tasks are open, the books say ${waiting + offered + running}`)
    for (const { facts, slotsUsed } of program.claims.agents()) {
      if (slotsUsed > facts.slots)
        this.#violate('T-7', machine.index, `${facts.name} uses ${slotsUsed} of ${facts.slots} slots`)
    }
  }

  /** T-13: what ended by a result has told of every execution that began before. */
  #checkExecutions(machine: Machine, report: ReturnType<SwarmProgram['claims']['task']> & object): void {
    if (report.state !== 'completed' || report.executionsUncertain) return
    const work = this.#byTask.get(report.task)
    if (work === undefined || !work.submission.durable) return
    const known = this.ended.get(report.task)
    // A restart forgets what was uncertain once the end is known.
    if (known === undefined || this.#restarted.has(machine.index)) return
    const attempts = new Set(
      work.executions
        .filter(({ at, order }) => order.task === report.task && at < this.#sim.now - READ_EVERY_MS)
        .map(({ output }) => output),
    )
    if (attempts.size > report.executions) {
      this.#violate(
        'T-13',
        machine.index,
        `${report.task} was started ${attempts.size} times and says ${report.executions}`,
      )
    }
  }

  readonly #booted = new Set<number>()
  readonly #restarted = new Set<number>()

  onBoot(machine: Machine): void {
    if (this.#booted.has(machine.index)) this.#restarted.add(machine.index)
    this.#booted.add(machine.index)
  }

  #violate(clause: string, machine: number, text: string): void {
    this.#sim.violate(clause, text, machine)
  }
}

function recordsOf(bytes: Uint8Array): readonly ClaimsRecord[] {
  const decoded = decodeNodeRecord(bytes)
  return decoded.ok && decoded.value.kind === 'claims' ? decoded.value.records : []
}

function textOf({ epoch, attempt }: Token): string {
  return `(${epoch}, ${attempt})`
}
