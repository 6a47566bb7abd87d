import { z } from 'zod'
import {
  amount,
  boundedText,
  dictionary,
  durationMs,
  EXPRESSIONS_MAX,
  expression,
  KEY_BYTES_MAX,
  name,
  RESOURCES_MAX,
  RETRIES_COUNT_MAX,
  rowLimit,
  SKILLS_PER_TASK_MAX,
  TRACE_BYTES_MAX,
  taskId,
} from './fields.ts'

export const TASK_STATES = [
  'accepted',
  'waiting',
  'offered',
  'running',
  'completed',
  'failed',
  'cancelled',
  'dead-lettered',
] as const
export type TaskState = (typeof TASK_STATES)[number]

export const GUARANTEES = ['exactly-once', 'at-least-once'] as const
export type Guarantee = (typeof GUARANTEES)[number]

const weight = amount.optional()

const submission = {
  skill: name.optional(),
  /** All of them at one agent, in place of `skill`. */
  skills: z.array(name).min(1).max(SKILLS_PER_TASK_MAX).optional(),
  /** Any JSON value of up to 1 MiB. */
  input: z.unknown().optional(),
  /** `default` unless given. */
  tenant: name.optional(),
  /** The same key again is the same task. */
  key: boundedText(KEY_BYTES_MAX).optional(),
  /** 9 is the most urgent; 5 unless given. */
  priority: z.int().min(0).max(9).optional(),
  /** It fails (`TIMEOUT`) when it has not ended this long after its submission; never, unless given. */
  deadlineMs: durationMs.optional(),
  /** It fails (`TIMEOUT`) when it has been without an agent for this long at a stretch, at first or between attempts. */
  queueTimeoutMs: durationMs.optional(),
  /** How long one attempt may take; one that takes longer has failed, and may be tried again. */
  runTimeoutMs: durationMs.optional(),
  /** Attempts after one that failed and may be repeated; 3 unless given. One that is lost with its node or agent is none. */
  retries: z.int().min(0).max(RETRIES_COUNT_MAX).optional(),
  /** `exactly-once` unless given. */
  guarantee: z.enum(GUARANTEES).optional(),
  /** On disk before it is accepted: true unless given. False is faster, and lost when the node stops. */
  durable: z.boolean().optional(),
  resources: dictionary(amount, RESOURCES_MAX).optional(),
  require: z.array(expression).max(EXPRESSIONS_MAX).optional(),
  prefer: z.array(expression).max(EXPRESSIONS_MAX).optional(),
  /** What counts when several could do it, as weights. */
  objective: z.strictObject({ throughput: weight, latency: weight, quality: weight, cost: weight }).optional(),
  /** The highest price. */
  budget: amount.optional(),
  /** Handed to the agent as it is. */
  trace: boundedText(TRACE_BYTES_MAX).optional(),
}

interface Skilled {
  readonly skill?: string | undefined
  readonly skills?: readonly string[] | undefined
}

const hasSkill = ({ skill, skills }: Skilled): boolean => (skill === undefined) !== (skills === undefined)
const SKILL_WANTED = { message: 'give either skill or skills', path: ['skill'] }

export const submitParams = z.strictObject(submission).refine(hasSkill, SKILL_WANTED)
/** The same, answered by its end. The time-out is of the answer: the task goes on. */
export const callParams = z
  .strictObject({ ...submission, timeoutMs: durationMs.optional() })
  .refine(hasSkill, SKILL_WANTED)

export const taskParams = z.strictObject({ task: taskId })
export const waitParams = z.strictObject({ task: taskId, timeoutMs: durationMs.optional() })
export const cancelParams = z.strictObject({ task: taskId, reason: boundedText(256, 0).optional() })
/** Any JSON value for the agent that runs it; at the node where it runs. */
export const steerParams = z.strictObject({ task: taskId, input: z.unknown() })
export const listParams = z.strictObject({
  state: z.enum(TASK_STATES).optional(),
  tenant: name.optional(),
  limit: rowLimit.optional(),
  /** The `next` of the page before. */
  after: taskId.optional(),
})

export interface SubmitResult {
  readonly task: string
  readonly state: 'accepted'
  /** The key was used before, for this very task. */
  readonly duplicate: boolean
}

export interface TaskFailure {
  /** A stable word; agents have their own. */
  readonly code: string
  readonly message: string
}

/** A task as its coordinator has it. Times are ISO 8601 UTC with milliseconds. */
export interface TaskRecord {
  readonly task: string
  readonly tenant: string
  readonly skill: string
  /** All of them, when the task needs more than one at once. */
  readonly skills?: readonly string[]
  readonly state: TaskState
  readonly priority: number
  readonly attempts: number
  readonly submittedAt: string
  readonly startedAt?: string
  readonly endedAt?: string
  /** The node that keeps it. */
  readonly coordinator: string
  /** Who has it, or had it last; the agent is not named before it has begun. */
  readonly executor?: { readonly node: string; readonly agent?: string }
  readonly output?: unknown
  readonly error?: TaskFailure
  readonly guarantee: Guarantee
  /** How many times it is known to have been started. */
  readonly executions: number
  /** Its coordinator was restarted while it was open, so there may have been more. */
  readonly executionsUncertain?: true
}

export interface CancelResult {
  /** `cancelled`, or how it had ended before. */
  readonly state: TaskState
}

/** One reason why a task is where it is; further fields depend on `code`. */
export interface WhyReason {
  readonly code: string
  readonly message: string
  readonly [field: string]: string | number
}

export interface BidReport {
  readonly node: string
  /** 0 to 1; the highest wins. */
  readonly score: number
  readonly runMs: number
  readonly waitMs: number
  readonly price: number
  /** What became of it, or why there was none. */
  readonly answer: string
}

/** Why it ran where it ran. */
export interface PlacementReport {
  /** An idle agent of the coordinator; the best of a round of bids; the first to claim a place it had kept. */
  readonly kind: 'local' | 'round' | 'claim'
  readonly node: string
  readonly agent?: string
  /** Nodes that could do it, as far as was known. */
  readonly candidates: number
  readonly bids: readonly BidReport[]
}

export interface WhyReport {
  readonly state: TaskState
  readonly reasons: readonly WhyReason[]
  readonly placement?: PlacementReport
}

export interface HistoryEntry {
  readonly at: string
  /** `submitted`, `started`, `failed`, `lost`, `refused`, or how it ended. */
  readonly kind: string
  readonly node?: string
  readonly agent?: string
  readonly attempt?: number
  readonly text?: string
}

/** Oldest first. */
export interface HistoryReport {
  readonly entries: readonly HistoryEntry[]
}

/** Tasks that the asked node coordinates, in order of submission, without their outputs. */
export interface TasksReport {
  readonly tasks: readonly TaskRecord[]
  /** There are more: ask again with this as `after`. */
  readonly next?: string
}
