import type { NodeId, WallMillis } from '../kernel/index.ts'
import type { Book } from './book.ts'
import { startOf } from './chronicle.ts'
import type { Coordinator } from './coordinator.ts'
import type { Leases } from './leases.ts'
import type { AttemptedRecord, ClaimsRecord, EndedRecord } from './records.ts'
import { exclude, excludeLost } from './setbacks.ts'
import type { Task } from './task.ts'

/** What the journal says, read back; and the fewest records that say the same. Applying a record twice changes nothing. */
export class Journal {
  readonly #book: Book
  readonly #coordinator: Coordinator
  readonly #leases: Leases
  readonly #executors = new Set<NodeId>()

  constructor(parts: { readonly book: Book; readonly coordinator: Coordinator; readonly leases: Leases }) {
    this.#book = parts.book
    this.#coordinator = parts.coordinator
    this.#leases = parts.leases
  }

  read(records: Iterable<ClaimsRecord>): void {
    for (const record of records) this.#apply(record)
  }

  /** Open tasks go on: those that somebody may still hold only when that is settled. */
  resume(): void {
    const open: Task[] = []
    for (const task of this.#book.values()) if (!task.hasEnded) open.push(task)
    this.#leases.recover(open, this.#executors)
    for (const task of open) {
      if (task.excluded.length > 0) this.#coordinator.regroup(task)
      if (this.#leases.isRecovering(task)) this.#coordinator.arm(task)
      else this.#coordinator.resume(task)
    }
    this.#book.resume()
  }

  snapshot(): readonly ClaimsRecord[] {
    const records: ClaimsRecord[] = []
    for (const node of this.#leases.executors()) records.push({ kind: 'executor', node })
    for (const record of this.#book.keyRecords()) records.push(record)
    for (const task of this.#book.values()) {
      if (!task.durable) continue
      records.push({ kind: 'submitted', ...task.submission })
      if (task.hasEnded) records.push(endOf(task))
      else records.push(standingOf(task))
    }
    return records
  }

  #apply(record: ClaimsRecord): void {
    switch (record.kind) {
      case 'submitted':
        this.#coordinator.restore(owned(record))
        return
      case 'attempted':
        this.#attempted(record)
        return
      case 'ended':
        this.#ended(record)
        return
      case 'executor':
        this.#executors.add(record.node)
        return
      case 'key':
        this.#book.remember(record.tenant, record.key, record.task, record.bodyHash, record.endedAt)
        return
      case 'standing':
        this.#standing(record)
    }
  }

  #attempted(record: AttemptedRecord): void {
    const task = this.#book.get(record.task)
    if (task === undefined || task.hasEnded) return
    const isNews = record.epoch > task.epoch || (record.epoch === task.epoch && record.attempt > task.attempt)
    if (!isNews) return
    task.epoch = record.epoch
    task.attempt = record.attempt
    task.executions = record.executions
    const { at, node, agent, error } = record
    task.note({
      at,
      kind: record.outcome,
      node,
      agent,
      attempt: record.attempt,
      text: `${error.code}: ${error.message}`.slice(0, 300).toWellFormed(),
    })
    if (record.outcome === 'lost') {
      task.losses += 1
      excludeLost(task, node, agent)
      return
    }
    task.failures += 1
    exclude(task, node, agent)
  }

  #ended(record: EndedRecord): void {
    const task = this.#book.get(record.task)
    if (task === undefined || task.hasEnded) return
    task.epoch = record.epoch
    task.attempt = record.attempt
    this.#started(task, record.startedAt)
    task.executor = record.executor
    task.executions = record.executions
    task.output = record.output?.slice()
    task.error = record.error
    task.isUncertain = false
    this.#book.end(task, record.state, record.at)
  }

  /** Of the attempts that a life made only the start of the first is written down, with the end. */
  #started(task: Task, startedAt: WallMillis | undefined): void {
    if (startedAt === undefined) return
    task.startedAt = startedAt
    const { history = [] } = task
    const after = history.findIndex(({ at }) => at >= startedAt)
    const next = history[after]
    if (next === undefined) task.begunAt = startedAt
    else task.history = history.toSpliced(after, 0, startOf(startedAt, next))
  }

  #standing(record: Extract<ClaimsRecord, { kind: 'standing' }>): void {
    const task = this.#book.get(record.task)
    if (task === undefined || task.hasEnded) return
    task.epoch = record.epoch
    task.attempt = record.attempt
    task.failures = record.failures
    task.losses = record.losses
    task.executions = record.executions
    task.excluded = record.excluded
  }
}

/** A copy that keeps no frame of the log alive. */
function owned(record: Extract<ClaimsRecord, { kind: 'submitted' }>): Extract<ClaimsRecord, { kind: 'submitted' }> {
  return { ...record, input: record.input.slice() }
}

function endOf(task: Task): ClaimsRecord {
  const { id, epoch, attempt, startedAt, executor, executions, output, error } = task
  const state = task.state === 'waiting' || task.state === 'awarded' || task.state === 'running' ? 'failed' : task.state
  return {
    kind: 'ended',
    task: id,
    state,
    epoch,
    attempt,
    at: task.endedAt ?? task.submission.submittedAt,
    startedAt,
    executor,
    executions,
    output,
    error,
  }
}

/** Without the attempt under way, which may yet be adopted: only attempts that are over are known to be over. */
function standingOf(task: Task): ClaimsRecord {
  const { id, failures, losses, executions, excluded, claim, isUncertain } = task
  const { epoch } = task
  const attempt = claim === undefined ? task.attempt : task.attempt - 1
  return {
    kind: 'standing',
    task: id,
    epoch,
    attempt,
    failures,
    losses,
    executions,
    uncertain: isUncertain,
    excluded,
    note: '',
  }
}
