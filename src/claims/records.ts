import type { NodeId, WallMillis } from '../kernel/index.ts'
import {
  bytes,
  count,
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
import {
  CONDITION_BYTES_MAX,
  demandShape,
  KEY_BYTES_MAX,
  NAME_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
  TRACE_BYTES_MAX,
  taskError,
  taskId,
} from './messages.ts'

const wall = count<WallMillis>()
const counter = count(2 ** 48)
const duration = count(2 ** 48)
const name = text(NAME_BYTES_MAX)
const executor = record({ node: nodeId as Shape<NodeId>, agent: name })

/** A task as it was accepted. Durations from `submittedAt`; 0 means that there is none. */
const submitted = record({
  task: taskId,
  demand: demandShape,
  key: optional(text(KEY_BYTES_MAX)),
  bodyHash: f64,
  priority: count(9),
  submittedAt: wall,
  deadlineMs: duration,
  queueTimeoutMs: duration,
  runTimeoutMs: duration,
  retries: count(1000),
  guarantee: word(['exactly-once', 'at-least-once']),
  trace: text(TRACE_BYTES_MAX),
  input: bytes(PAYLOAD_BYTES_MAX),
})
export type SubmittedRecord = Value<typeof submitted>

/** An attempt that is over without a result, and who is not to try again. */
const attempted = record({
  task: taskId,
  epoch: counter,
  attempt: counter,
  at: wall,
  node: text(NAME_BYTES_MAX),
  agent: name,
  /** Failed (the agent said so) or lost (nobody knows how far it came). */
  outcome: word(['failed', 'lost']),
  error: taskError,
  executions: counter,
})
export type AttemptedRecord = Value<typeof attempted>

const ended = record({
  task: taskId,
  state: word(['completed', 'failed', 'cancelled', 'dead-lettered']),
  epoch: counter,
  attempt: counter,
  at: wall,
  startedAt: optional(wall),
  executor: optional(executor),
  executions: counter,
  output: optional(bytes(PAYLOAD_BYTES_MAX)),
  error: optional(taskError),
})
export type EndedRecord = Value<typeof ended>

/** Everything that the claims write to the journal. The order of the cases is the format (W-6). */
export const claimsRecord = variant({
  submitted,
  attempted,
  ended,
  /** May hold leases of this coordinator: to be asked, or waited for, after a restart. */
  executor: record({ node: nodeId as Shape<NodeId> }),
  /** A key whose task is no longer kept (T-4). */
  key: record({ tenant: name, key: text(KEY_BYTES_MAX), task: taskId, bodyHash: f64, endedAt: wall }),
  /** Where an open task stood when the journal was compacted. */
  standing: record({
    task: taskId,
    epoch: counter,
    attempt: counter,
    failures: counter,
    losses: counter,
    executions: counter,
    uncertain: flag,
    excluded: list(text(160), 32),
    note: text(CONDITION_BYTES_MAX),
  }),
})
export type ClaimsRecord = Value<typeof claimsRecord>
