import type { Millis, NodeId, WallMillis } from '../kernel/index.ts'
import type { Alarm } from './alarms.ts'
import type { Group } from './demand.ts'
import { compareTokens, type RequestId, type TaskId, type Token } from './ids.ts'
import type { HistoryRow, PlacementBody, TaskState } from './messages.ts'
import { Entry } from './queue.ts'
import type { SubmittedRecord } from './records.ts'
import type { Guarantee, TaskError, TaskReport } from './types.ts'

/** Rows of a task's history that are kept; the first attempt and the latest tell the most. */
const HISTORY_MAX = 64

export type EndState = 'completed' | 'failed' | 'cancelled' | 'dead-lettered'

/** Who has it now. */
export interface Claim {
  readonly node: NodeId
  agent: string
  readonly token: Token
  /** Orders awards and questions for the inventory to that node. */
  readonly serial: number
  /** Started, as far as is known, and since when it is. */
  isStarted: boolean
  startedAt: Millis | undefined
  readonly awardedAt: Millis
  /** By this node's clock; infinite for its own agents. */
  endsAt: Millis
  alarm: Alarm | undefined
  /** What the executor said it would take, for its calibration. */
  readonly bidMs: number
  /** Shows whether a peer with an open breaker is well again (T-12). */
  isProbe: boolean
}

export function claimOf(
  node: NodeId,
  token: Token,
  awardedAt: Millis,
  endsAt: Millis,
  serial: number,
  bidMs: number,
): Claim {
  const unknown = { agent: '', isStarted: false, startedAt: undefined, alarm: undefined, isProbe: false }
  return { node, token, serial, awardedAt, endsAt, bidMs, ...unknown }
}

/** Whoever wants to hear of the end: a request here, or a question of another node. */
export type Waiter =
  | { readonly kind: 'request'; readonly request: RequestId; readonly alarm: Alarm | undefined }
  | PeerWaiter

export interface PeerWaiter {
  readonly kind: 'peer'
  readonly node: NodeId
  readonly query: number
  readonly alarm: Alarm | undefined
}

/** One task at its coordinator. Fields that most tasks never need are undefined until they do. */
export class Task extends Entry {
  readonly id: TaskId
  readonly submission: SubmittedRecord
  readonly durable: boolean
  group: Group
  state: 'waiting' | 'awarded' | 'running' | EndState = 'waiting'
  /** The last token that was given out; a restart begins above it with its own epoch. */
  epoch = 0
  attempt = 0
  failures = 0
  losses = 0
  executions = 0
  isUncertain = false
  /** Not in the queue although it waits: a back-off, or leases of an earlier life to be outwaited. */
  pause: 'none' | 'retry' | 'recovery' = 'none'
  /** When its last attempt was over, for its queue time-out; undefined if there was none. */
  waitsSince: Millis | undefined
  claim: Claim | undefined
  /** When the first attempt began. */
  startedAt: WallMillis | undefined
  /** When the latest attempt began, until it has come to nothing. */
  begunAt: WallMillis | undefined
  endedAt: WallMillis | undefined
  executor: { readonly node: NodeId; readonly agent: string } | undefined
  output: Uint8Array | undefined
  error: TaskError | undefined
  excluded: readonly string[] = NOBODY
  history: HistoryRow[] | undefined
  placement: PlacementBody | undefined
  waiters: Waiter[] | undefined
  /** Deadline or queue time-out, whichever is first. */
  timeout: Alarm | undefined
  retryAlarm: Alarm | undefined
  /** Stale tokens whose results have come, so that each counts once. */
  strays: string[] | undefined

  constructor(submission: SubmittedRecord, group: Group, durable: boolean) {
    super()
    this.id = submission.task
    this.submission = submission
    this.group = group
    this.durable = durable
  }

  get guarantee(): Guarantee {
    return this.submission.guarantee
  }

  get priority(): number {
    return this.submission.priority
  }

  get hasEnded(): boolean {
    return this.endedAt !== undefined
  }

  get token(): Token {
    return { epoch: this.epoch, attempt: this.attempt }
  }

  /** Whether that token is the one in force. */
  isCurrent(token: Token): boolean {
    return token.epoch === this.epoch && token.attempt === this.attempt
  }

  /**
   * Whether a lease of an earlier epoch may still be in force here: nothing has been awarded since, and it is not older
   * than the last attempt that is known to be over.
   */
  mayAdopt(token: Token, ownEpoch: number): boolean {
    return token.epoch < ownEpoch && this.epoch < ownEpoch && compareTokens(token, this.token) > 0
  }

  note(row: HistoryRow): void {
    this.history ??= []
    if (this.history.length >= HISTORY_MAX) this.history.splice(2, 1)
    this.history.push(row)
  }

  report(coordinator: NodeId): TaskReport {
    const { submission } = this
    return {
      task: this.id,
      tenant: submission.demand.tenant,
      skills: submission.demand.skills,
      state: this.shownState,
      priority: submission.priority,
      attempts: this.attempt,
      submittedAt: submission.submittedAt,
      startedAt: this.startedAt,
      endedAt: this.endedAt,
      coordinator,
      executor: this.executor,
      output: this.output,
      error: this.error,
      guarantee: submission.guarantee,
      executions: this.executions,
      executionsUncertain: this.isUncertain,
    }
  }

  get shownState(): TaskState {
    return this.state === 'awarded' ? 'offered' : this.state
  }
}

const NOBODY: readonly string[] = []
