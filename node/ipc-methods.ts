import {
  type Call,
  type Failure,
  type HostMethod,
  InvariantError,
  type MetricsReport,
  type Outcome,
  type ParamsOf,
  type ResultOf,
  SwarmError,
} from '../src/index.ts'
import type { CouncilHandle, NodeHandle } from './node-handle.ts'
import type { Visit } from './visit.ts'

/** Who calls. */
export interface Caller {
  readonly visit: Visit
}

/** How each method is answered. The type asks for every method of the registry, once. */
export type Handlers = {
  readonly [M in HostMethod]: (params: ParamsOf<M>, caller: Caller) => ResultOf<M> | Promise<ResultOf<M>>
}

/** How many events `node.events` gives unless asked for another number. */
const EVENTS_DEFAULT = 100

/** How long `node.drain` waits for what runs unless told otherwise. */
const DRAIN_MS_DEFAULT = 60_000

/** What the methods need beside the node itself. */
export interface MethodHost {
  readonly node: NodeHandle
  metrics(): Promise<MetricsReport>
  /** Begins an orderly stop of the process and returns at once; `reason` is for the log. */
  requestStop(reason: string): void
}

export function handlersOf({ node, metrics, requestStop }: MethodHost): Handlers {
  return {
    'node.status': () => node.status(),
    'node.peers': () => node.peers(),
    'node.agents': (params) => node.agents(params),
    'node.drain': ({ timeoutMs = DRAIN_MS_DEFAULT }) => node.drain(timeoutMs),
    'node.metrics': metrics,
    'node.events': ({ kinds, limit = EVENTS_DEFAULT }) => {
      const events = node.recentEvents().filter((event) => kinds === undefined || kinds.includes(event.kind))
      return { events: events.slice(-limit) }
    },
    'node.stop': () => {
      // After this turn of the loop, so that the answer is on its way before the socket closes.
      setImmediate(() => requestStop('asked to over the socket'))
      return { pid: process.pid }
    },
    'council.status': (params) => councilOf(node).status(params),
    'council.log': (params) => councilOf(node).log(params),
    'council.show': (params) => councilOf(node).show(params),
    'council.propose': (params) => councilOf(node).propose(params),
    'council.proof': (params) => councilOf(node).proof(params),
    'config.show': () => node.config(),
    'ticket.create': (params) => node.createTicket(params),
    'agent.attach': (params, { visit }) => visit.attach(params),
    'agent.update': (params, { visit }) => visit.update(params),
    'agent.detach': (params, { visit }) => visit.detach(params),
    'task.submit': (params, { visit }) => visit.submit(params),
    'task.call': (params, { visit }) => visit.call(params),
    'task.get': (params, { visit }) => visit.get(params),
    'task.wait': (params, { visit }) => visit.wait(params),
    'task.cancel': (params, { visit }) => visit.cancel(params),
    'task.steer': (params, { visit }) => visit.steer(params),
    'task.why': (params, { visit }) => visit.why(params),
    'task.history': (params, { visit }) => visit.history(params),
    'task.list': (params, { visit }) => visit.list(params),
  }
}

function councilOf({ council }: NodeHandle): CouncilHandle {
  if (council !== undefined) return council
  throw new SwarmError(
    'NOT_FOUND',
    'this node takes no part in a council yet: try again in a moment, or at another node',
  )
}

/**
 * Performs one call. Operational failures become coded answers; anything else is `INTERNAL` to the client and is
 * reported whole to `onFault`.
 *
 * @throws InvariantError, which must end the process
 */
export function perform(
  handlers: Handlers,
  call: Call,
  caller: Caller,
  onFault: (cause: unknown) => void,
): Promise<Outcome> {
  // `Call` pairs each method with its own parameters, and `Handlers` with its own handler.
  const handler = handlers[call.method] as (params: unknown, caller: Caller) => unknown
  let answer: unknown
  try {
    answer = handler(call.params, caller)
  } catch (cause) {
    answer = Promise.reject(cause)
  }
  // No async function: it would keep a promise and a frame of its own alive for every task under way.
  return Promise.resolve(answer).then(
    (result) => ({ ok: true, result }),
    (cause: unknown) => ({ ok: false, error: failureOf(call, cause, onFault) }),
  )
}

/** @throws InvariantError if it is one: the process must end */
function failureOf({ method }: Call, cause: unknown, onFault: (cause: unknown) => void): Failure {
  if (cause instanceof InvariantError) throw cause
  if (cause instanceof SwarmError) return { code: cause.code, message: cause.message, data: cause.data }
  onFault(cause)
  return { code: 'INTERNAL', message: `${method} failed for a reason that is in this node's log; please report it` }
}
