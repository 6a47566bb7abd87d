import type { Failure, Outcome, RequestId } from './frames.ts'
import type { HelloResult, HostMethod, ParamsOf } from './methods.ts'
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
  /** Something happened that subscribers may want to see. */
  | { readonly kind: 'event'; readonly event: NodeEvent }
  /** The client took this many of the bytes written to it. */
  | { readonly kind: 'sent'; readonly byteCount: number }
  /** The daemon is stopping: requests in flight are still answered, new ones are refused. */
  | { readonly kind: 'shut-down' }

/** A request for the host; it owes one `respond` with the same id, unless the session closes first. */
export type Call = {
  [M in HostMethod]: {
    readonly kind: 'call'
    readonly id: RequestId
    readonly method: M
    readonly params: ParamsOf<M>
  }
}[HostMethod]

export type CloseReason = 'finished' | 'no-hello' | 'refused' | 'malformed' | 'flood' | 'slow-reader' | 'shutting-down'

/** What a session asks its host to do, in order. */
export type SessionEffect =
  | Call
  /** Bytes for the client: whole lines. The host may gather those of one turn of the loop into one write. */
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  /** Read nothing more from this client until `resume` (I-7). */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  /** Send what was written before, then close. Nothing follows. */
  | { readonly kind: 'close'; readonly reason: CloseReason; readonly error?: Failure }
