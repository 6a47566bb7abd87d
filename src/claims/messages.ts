import type { NodeId } from '../kernel/index.ts'
import {
  bytes,
  count,
  dictionary,
  f64,
  flag,
  list,
  nodeId,
  optional,
  record,
  type Shape,
  text,
  type Value,
  variant,
  word,
} from '../wire/index.ts'
import type { RequestId, TaskId } from './ids.ts'

/** Bounds of what a submission may say; a submission that keeps them fits every message and record. */
export const TASK_ID_BYTES_MAX = 64
export const NAME_BYTES_MAX = 64
export const SKILLS_MAX = 8
export const RESOURCES_MAX = 16
export const CONDITIONS_MAX = 16
export const CONDITION_BYTES_MAX = 1024
export const KEY_BYTES_MAX = 256
export const PAYLOAD_BYTES_MAX = 1024 * 1024
export const MESSAGE_TEXT_BYTES_MAX = 4 * 1024
export const TRACE_BYTES_MAX = 512
/** Longest payload that stands inside a message; `inlineBytesMax` of the parameters is at most this. */
export const INLINE_BYTES_MAX = 96 * 1024

const OFFER_TASKS_MAX = 4096
const ROWS_MAX = 2048
const DURATION_MS_MAX = 2 ** 48
const COUNTER_MAX = 2 ** 48

const duration = count(DURATION_MS_MAX)
const counter = count(COUNTER_MAX)
const name = text(NAME_BYTES_MAX)
export const taskId: Shape<TaskId> = text<TaskId>(TASK_ID_BYTES_MAX)

/** What an executor must have, and what the task would like: equal demands wait in one group. */
export const demandShape = record({
  skills: list(name, SKILLS_MAX),
  resources: dictionary(NAME_BYTES_MAX, f64, RESOURCES_MAX),
  require: list(text(CONDITION_BYTES_MAX), CONDITIONS_MAX),
  prefer: list(text(CONDITION_BYTES_MAX), CONDITIONS_MAX),
  tenant: name,
  /** The highest price. */
  budget: optional(f64),
  objective: record({ throughput: f64, latency: f64, quality: f64, cost: f64 }),
  /** Executors that failed such a task: `node` or `node/agent`. */
  excluded: list(text(160), 32),
})
export type DemandBody = Value<typeof demandShape>

const payload = variant({
  inline: record({ bytes: bytes(INLINE_BYTES_MAX) }),
  /** To be fetched from the sender in parts. */
  parts: record({ transfer: counter, bytes: count(PAYLOAD_BYTES_MAX) }),
})
export type PayloadBody = Value<typeof payload>

export const taskError = record({ code: name, message: text(MESSAGE_TEXT_BYTES_MAX), retryable: flag })

const offer = record({
  /** Counts the coordinator's offers. */
  offer: counter,
  epoch: counter,
  demand: demandShape,
  tasks: count(OFFER_TASKS_MAX),
  priority: count(9),
  windowMs: duration,
  /** Whether a busy peer may keep it. */
  holdMs: duration,
  /** Since when the first of them waits. */
  waitedMs: duration,
  /** How long it may run, if that is limited: 0 means it is not. */
  runTimeoutMs: duration,
})

const bid = record({
  offer: counter,
  /** What an award for the slots of this bid names: what is kept for one bid is not given for another. */
  bid: counter,
  /** Free slots kept for the coordinator until the window and `promiseSlackMs` have passed. */
  slots: count(OFFER_TASKS_MAX),
  /** 0 for a bid; how long until a slot is free for an offer that is held. */
  waitMs: duration,
  /** Expected run time, measured. */
  runMs: duration,
  price: f64,
  qualityThousandths: count(1000),
  /** Share of the wishes that it fulfils. */
  preferenceThousandths: count(1000),
  /** A held offer whose slot has come free: late binding. */
  claim: flag,
})
export type BidBody = Value<typeof bid>

export const DECLINES = ['skill', 'resources', 'constraint', 'tenant', 'busy', 'draining', 'failing'] as const
export type DeclineReason = (typeof DECLINES)[number]

const decline = record({
  offer: counter,
  reason: word(DECLINES),
  /** It will never do as things are; otherwise ask again after that time. */
  final: flag,
  retryAfterMs: duration,
  /** What is missing: a skill, a unit, a condition. */
  needs: text(CONDITION_BYTES_MAX),
})

const awardedTask = record({
  task: taskId,
  attempt: counter,
  seal: counter,
  input: payload,
  runTimeoutMs: duration,
  /** Time left until the deadline; 0 for none. */
  deadlineMs: duration,
  priority: count(9),
  guarantee: word(['exactly-once', 'at-least-once']),
  trace: text(TRACE_BYTES_MAX),
})

const award = record({
  offer: counter,
  /** That of the bid which it answers: the lease counts from its sending (T-1). */
  bid: counter,
  epoch: counter,
  /** Grows with every award and every question for the inventory: see `inventory`. */
  serial: counter,
  leaseMs: duration,
  tasks: list(awardedTask, 256),
})

const attemptRow = record({ task: taskId, epoch: counter, attempt: counter })
export type AttemptRow = Value<typeof attemptRow>
/** What its executor says of a lease: with the seal of its award, which a later life of the coordinator knows it by (CL-20). */
const leaseRow = record({ task: taskId, epoch: counter, attempt: counter, seal: counter })
export type LeaseRow = Value<typeof leaseRow>

const accept = record({
  accepted: list(record({ task: taskId, epoch: counter, attempt: counter, agent: name }), 256),
  refused: list(record({ task: taskId, epoch: counter, attempt: counter, reason: text(64) }), 256),
})

const renew = record({ sequence: counter, leases: list(leaseRow, ROWS_MAX) })
/** All leases of that sequence are good for `leaseMs` from its sending, except those named. */
const renewed = record({ sequence: counter, leaseMs: duration, lost: list(attemptRow, ROWS_MAX) })

const progress = record({
  task: taskId,
  epoch: counter,
  attempt: counter,
  fraction: optional(f64),
  message: optional(text(MESSAGE_TEXT_BYTES_MAX)),
  partial: optional(bytes(INLINE_BYTES_MAX)),
})

export const RELEASES = ['agent-lost', 'agent-detached', 'lease-ended', 'draining', 'payload-lost'] as const
export type ReleaseReason = (typeof RELEASES)[number]

const outcome = variant({
  completed: record({ output: payload }),
  failed: record({ error: taskError }),
  /** It did not end: the executor cannot go on with it. */
  released: record({ reason: word(RELEASES) }),
})
export type OutcomeBody = Value<typeof outcome>

const result = record({
  task: taskId,
  epoch: counter,
  attempt: counter,
  seal: counter,
  agent: name,
  runMs: duration,
  outcome,
})

export const VERDICTS = ['accepted', 'stale', 'ended', 'unknown'] as const
export type Verdict = (typeof VERDICTS)[number]
const ack = record({ task: taskId, epoch: counter, attempt: counter, verdict: word(VERDICTS) })

const withdraw = record({
  offers: list(counter, ROWS_MAX),
  leases: list(record({ task: taskId, epoch: counter, attempt: counter, reason: text(256) }), ROWS_MAX),
})

const inventory = variant({
  /** What do you hold of mine? Whatever was awarded with a lower serial and is not in the answer is not held. */
  ask: record({ epoch: counter, serial: counter }),
  /** In pages; the last one says so. Also counts as a renewal of `sequence`. */
  held: record({ serial: counter, sequence: counter, last: flag, leases: list(leaseRow, ROWS_MAX) }),
})

/** Whoever is to have a long payload asks for its parts. */
const fetching = record({ transfer: counter, offset: count(PAYLOAD_BYTES_MAX), bytes: count(INLINE_BYTES_MAX) })
/** The answer; without bytes when it is not to be had any more. */
const part = record({ transfer: counter, offset: count(PAYLOAD_BYTES_MAX), bytes: bytes(INLINE_BYTES_MAX) })

/** Of extra input for a running task: what a question may carry. */
export const STEER_BYTES_MAX = 32 * 1024

const ask = variant({
  get: record({ task: taskId }),
  wait: record({ task: taskId, timeoutMs: duration }),
  cancel: record({ task: taskId, reason: text(256) }),
  why: record({ task: taskId }),
  history: record({ task: taskId }),
  /** With a token: from its coordinator to its executor. */
  steer: record({
    task: taskId,
    token: optional(record({ epoch: counter, attempt: counter })),
    input: bytes(STEER_BYTES_MAX),
  }),
})
export type SteerAsk = Extract<AskBody, { readonly kind: 'steer' }>

/** Who is to be answered: a request of this node, or another node's question. */
export type Asker =
  | { readonly kind: 'request'; readonly request: RequestId }
  | { readonly kind: 'peer'; readonly node: NodeId; readonly query: number }
export type AskBody = Value<typeof ask>

const query = record({ query: counter, ask })

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

const attributes = dictionary(NAME_BYTES_MAX, text(1024), 16)

export const reportShape = record({
  task: taskId,
  tenant: name,
  skills: list(name, SKILLS_MAX),
  state: word(TASK_STATES),
  priority: count(9),
  attempts: counter,
  submittedAt: f64,
  startedAt: optional(f64),
  endedAt: optional(f64),
  coordinator: nodeId as Shape<NodeId>,
  executor: optional(record({ node: nodeId as Shape<NodeId>, agent: name })),
  output: optional(payload),
  error: optional(taskError),
  guarantee: word(['exactly-once', 'at-least-once']),
  executions: counter,
  executionsUncertain: flag,
})
export type ReportBody = Value<typeof reportShape>

export const REASON_BYTES_MAX = 1024
const reasonRow = record({ code: name, message: text(REASON_BYTES_MAX), data: attributes })
const historyRow = record({
  at: f64,
  kind: name,
  node: text(NAME_BYTES_MAX),
  agent: name,
  attempt: counter,
  text: text(1024),
})
export type ReasonRow = Value<typeof reasonRow>
export type HistoryRow = Value<typeof historyRow>

const bidRow = record({
  node: text(NAME_BYTES_MAX),
  score: f64,
  runMs: duration,
  waitMs: duration,
  price: f64,
  answer: text(128),
})
/** Why it ran where it ran. */
export const placementShape = record({
  kind: word(['local', 'round', 'claim']),
  node: text(NAME_BYTES_MAX),
  agent: name,
  candidates: count(COUNTER_MAX),
  bids: list(bidRow, 32),
})
export type PlacementBody = Value<typeof placementShape>

const answer = variant({
  report: record({ report: reportShape }),
  cancelled: record({ state: word(TASK_STATES) }),
  why: record({ state: word(TASK_STATES), reasons: list(reasonRow, 32), placement: optional(placementShape) }),
  history: record({ entries: list(historyRow, 128) }),
  steered: record({}),
  error: record({ code: name, message: text(1024) }),
})
export type AnswerBody = Value<typeof answer>

const reply = record({ query: counter, answer })

/** The body of each kind that this protocol owns. */
export const CLAIMS_BODIES = {
  'claims.offer': offer,
  'claims.bid': bid,
  'claims.decline': decline,
  'claims.award': award,
  'claims.accept': accept,
  'claims.renew': renew,
  'claims.renewed': renewed,
  'claims.progress': progress,
  'claims.result': result,
  'claims.ack': ack,
  'claims.withdraw': withdraw,
  'claims.inventory': inventory,
  'claims.part': part,
  'claims.fetch': fetching,
  'claims.query': query,
  'claims.reply': reply,
} as const

export type ClaimsMessage = {
  readonly [K in keyof typeof CLAIMS_BODIES]: { readonly kind: K; readonly body: Value<(typeof CLAIMS_BODIES)[K]> }
}[keyof typeof CLAIMS_BODIES]

export type BodyOf<K extends ClaimsMessage['kind']> = Extract<ClaimsMessage, { readonly kind: K }>['body']
