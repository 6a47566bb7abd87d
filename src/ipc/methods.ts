import { z } from 'zod'
import { type AttachResult, attachParams, detachParams, updateParams } from './agent-messages.ts'
import {
  type CouncilLogReport,
  type CouncilOutcome,
  type CouncilProofFile,
  type CouncilShowReport,
  type CouncilStatusReport,
  councilLogParams,
  councilProofParams,
  councilShowParams,
  councilStatusParams,
  proposeParams,
} from './council-messages.ts'
import { agentId, durationMs, rowLimit } from './fields.ts'
import { PROBLEM_CHARS_MAX, PROBLEMS_MAX } from './params.ts'
import type {
  AgentsReport,
  ConfigReport,
  DrainReport,
  EventsReport,
  MetricsReport,
  NodeStatus,
  PeersReport,
  StopReport,
  TicketReport,
} from './reports.ts'
import {
  type CancelResult,
  callParams,
  cancelParams,
  type HistoryReport,
  listParams,
  type SubmitResult,
  steerParams,
  submitParams,
  type TaskRecord,
  type TasksReport,
  taskParams,
  type WhyReport,
  waitParams,
} from './task-messages.ts'

const nothing = z.strictObject({})
const word = z.string().min(1).max(128)
const eventKinds = z.array(word).max(64)

/** `hello` must come first (I-3); `client` is for logs only. */
export const helloParams = z.strictObject({
  protocol: z.int(),
  client: z.string().min(1).max(128),
  token: z.string().max(1024).optional(),
})

export interface HelloResult {
  readonly protocol: number
  readonly node: string
  readonly swarm: string
  readonly version: string
  readonly features: readonly string[]
}

/** One method: how its parameters are judged, and (as a type only) what it answers. */
export interface Method<Params, Result> {
  readonly params: z.ZodType<Params>
  /** Never there at run time: carries the type of the answer. */
  readonly result?: Result
}

function method<Result>() {
  return <Params>(params: z.ZodType<Params>): Method<Params, Result> => ({ params })
}

/** Every method a client can call after `hello`, once. */
export const METHODS = {
  'agent.attach': method<AttachResult>()(attachParams),
  'agent.update': method<Record<string, never>>()(updateParams),
  'agent.detach': method<Record<string, never>>()(detachParams),
  'task.submit': method<SubmitResult>()(submitParams),
  /** Submitted and waited for in one: the record once it has ended, or TIMEOUT with the task in `data`. */
  'task.call': method<TaskRecord>()(callParams),
  'task.get': method<TaskRecord>()(taskParams),
  'task.wait': method<TaskRecord>()(waitParams),
  'task.cancel': method<CancelResult>()(cancelParams),
  'task.steer': method<Record<string, never>>()(steerParams),
  'task.why': method<WhyReport>()(taskParams),
  'task.history': method<HistoryReport>()(taskParams),
  'task.list': method<TasksReport>()(listParams),
  'node.status': method<NodeStatus>()(nothing),
  'node.peers': method<PeersReport>()(nothing),
  'node.agents': method<AgentsReport>()(z.strictObject({ limit: rowLimit.optional(), after: agentId.optional() })),
  'node.metrics': method<MetricsReport>()(nothing),
  'node.events': method<EventsReport>()(
    z.strictObject({ kinds: eventKinds.optional(), limit: z.int().min(1).max(1000).optional() }),
  ),
  'node.drain': method<DrainReport>()(z.strictObject({ timeoutMs: durationMs.optional() })),
  'node.stop': method<StopReport>()(nothing),
  'council.status': method<CouncilStatusReport>()(councilStatusParams),
  'council.log': method<CouncilLogReport>()(councilLogParams),
  'council.show': method<CouncilShowReport>()(councilShowParams),
  'council.propose': method<CouncilOutcome>()(proposeParams),
  'council.proof': method<CouncilProofFile>()(councilProofParams),
  'config.show': method<ConfigReport>()(nothing),
  'ticket.create': method<TicketReport>()(
    z.strictObject({
      roles: z.array(word).min(1).max(16).optional(),
      org: word.optional(),
      ttlMs: z.int().min(1000).optional(),
      uses: z.int().min(1).max(1_000_000).optional(),
    }),
  ),
  'events.subscribe': method<{ readonly subscription: string }>()(
    z.strictObject({ kinds: eventKinds.optional(), task: word.optional() }),
  ),
  'events.unsubscribe': method<Record<string, never>>()(z.strictObject({ subscription: word })),
} as const

export type MethodName = keyof typeof METHODS
export type ParamsOf<M extends MethodName> = z.infer<(typeof METHODS)[M]['params']>
export type ResultOf<M extends MethodName> = NonNullable<(typeof METHODS)[M]['result']>

/** Methods the session answers by itself, because they concern one connection only. */
export type SessionMethod = 'events.subscribe' | 'events.unsubscribe'

/** Methods the host answers. */
export type HostMethod = Exclude<MethodName, SessionMethod>

export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(METHODS, name)
}

/** One field that is wrong, and why. */
export interface ParamProblem {
  /** Dotted path; empty for the parameters as a whole. */
  readonly path: string
  readonly problem: string
}

/** Judges parameters whole (I-5): the value, or every problem, up to {@link PROBLEMS_MAX}. */
export function judgeParams<T>(
  schema: z.ZodType<T>,
  params: unknown,
): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly ParamProblem[] } {
  const judged = schema.safeParse(params)
  if (judged.success) return { ok: true, value: judged.data }
  const { issues } = judged.error
  const problems = issues.slice(0, PROBLEMS_MAX).map(({ path, message }) => {
    return { path: shortened(path.join('.')), problem: shortened(message) }
  })
  const restCount = issues.length - problems.length
  if (restCount > 0) problems.push({ path: '', problem: `and ${restCount} more` })
  return { ok: false, problems }
}

function shortened(text: string): string {
  return text.length <= PROBLEM_CHARS_MAX ? text : `${text.slice(0, PROBLEM_CHARS_MAX)}…`
}
