import type { AgentNotice, AgentNotices, RunParams } from './agent-messages.ts'
import type { Failure, Outcome, RequestId } from './frames.ts'
import type { JsonText } from './json-text.ts'
import type { HelloResult, HostMethod, ParamsOf } from './methods.ts'
import type { AgentOutcome, Order } from './orders.ts'
import type { NodeEvent } from './reports.ts'

/** What the daemon says of itself in the answer to `hello`, and what it asks for. */
export interface SessionGreeting {
  readonly hello: Omit<HelloResult, 'protocol'>
  /** Required of clients when the socket is shared (AGT-1). */
  readonly token?: string | undefined
}

/** What happens to a session. */
export type SessionInput =
  | { readonly kind: 'received'; readonly bytes: Uint8Array }
  /** The client has finished sending (I-10). */
  | { readonly kind: 'ended' }
  /** The host's answer to a `call`. */
  | { readonly kind: 'respond'; readonly id: RequestId; readonly outcome: Outcome }
  /** A task for one of the client's agents: asked for with `task.run`; its outcome is an `outcome`. */
  | { readonly kind: 'run'; readonly order: Order; readonly params: RunParams }
  /** Something its agents are to know. */
  | Notice
  /** Something happened that subscribers may want to see. */
  | { readonly kind: 'event'; readonly event: NodeEvent }
  /** The turn of the loop is over: what is `ready` is to be written. */
  | { readonly kind: 'flush' }
  /** The client took this many of the bytes written to it. */
  | { readonly kind: 'sent'; readonly byteCount: number }
  /** The host wants no more of this client. */
  | { readonly kind: 'hang-up'; readonly error: Failure }
  /** The daemon is stopping: requests in flight are still answered, new ones are refused. */
  | { readonly kind: 'shut-down' }

type Notice = {
  [N in AgentNotice]: { readonly kind: 'notify'; readonly method: N; readonly params: AgentNotices[N] }
}[AgentNotice]

/** A request for the host; it owes one `respond` with the same id, unless the session closes first. */
export type Call = {
  [M in HostMethod]: {
    readonly kind: 'call'
    readonly id: RequestId
    readonly method: M
    readonly params: ParamsOf<M>
  }
}[HostMethod]

/** What an agent says of an order that it has not answered yet. */
export interface ProgressReport {
  readonly kind: 'progress'
  readonly order: Order
  readonly fraction?: number | undefined
  readonly message?: string | undefined
  readonly partial?: JsonText | undefined
}

export type CloseReason =
  | 'finished'
  | 'no-hello'
  | 'refused'
  | 'malformed'
  | 'flood'
  | 'slow-reader'
  | 'expelled'
  | 'shutting-down'

/** What a session asks its host to do, in order. */
export type SessionEffect =
  | Call
  /** One for every `run`, unless the session closes first. */
  | { readonly kind: 'outcome'; readonly order: Order; readonly outcome: AgentOutcome }
  | ProgressReport
  /** There are lines for the client: the host steps a `flush` at the end of its turn of the loop, so that all leave in one write. */
  | { readonly kind: 'ready' }
  /** Bytes for the client: whole lines. Follows a `flush`, or stands before a `close`. */
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  /** Read nothing more from this client until `resume` (I-7). */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  /** Send what was written before, then close. Nothing follows. */
  | { readonly kind: 'close'; readonly reason: CloseReason; readonly error?: Failure }
