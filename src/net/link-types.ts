import type { Stream } from '@libp2p/interface'
import type { Millis, NodeId } from '../kernel/index.ts'
import type { LinkParams, LinkStats } from '../link/index.ts'
import type { Lane, MessageKind, MessageKindRules, SendOutcome } from '../wire/index.ts'

/**
 * Where streams come from: the host, once a connection has been admitted. Everything here concerns admitted peers
 * only; the driver trusts `peer` because the secured handshake proved it.
 */
export interface LinkStreams {
  /** Opens a stream on the live connection to that peer. Must not dial: rejects when there is no connection. */
  open(peer: NodeId, protocol: string, signal: AbortSignal): Promise<Stream>
  /** Registers for streams that peers open (libp2p `handle`; one inbound stream per protocol and connection is enough). */
  handle(protocol: string, onStream: (stream: Stream, peer: NodeId) => void): Promise<void>
  /** Ends the registration. */
  unhandle(protocol: string): Promise<void>
}

/** What the driver tells the host. Never called from inside a call into the driver, except from {@link LinkDriver.detach}. */
export interface LinkHandler<K extends string = MessageKind> {
  /** All lanes of an attached peer are open for the first time since `attach`: report the link as up now. */
  onOpen(peer: NodeId): void
  /** The lanes of an attached peer did not open in time, or will not: close the connection. */
  onFailed(peer: NodeId, reason: string): void
  /** A message of a known kind, on its lane, within its size and rate. The body is a view: copy what is kept for long. */
  onMessage(peer: NodeId, kind: K, body: Uint8Array): void
  /** The lane has room again after a `full` for a kind that refuses. */
  onRoom(peer: NodeId, lane: Lane): void
  /** Resumed messages of this lane, either way, sent before now may be lost. Comes before `onOpen` after a restart. */
  onGap(peer: NodeId, lane: Lane): void
  /** Points against a peer (W-5); 100 or more at once is a protocol violation. The host sums them and disconnects. */
  onPenalty(peer: NodeId, points: number, reason: string): void
}

/** Links to admitted peers, as the host sees them. Implemented by `LinkDriver`. */
export interface Links<K extends string = MessageKind> {
  /** Registers the lane protocols. Call once, before connections are accepted. */
  start(): Promise<void>
  /** A connection to this peer has been admitted. Idempotent while attached: a second connection joins the link. */
  attach(peer: NodeId): void
  /**
   * No connection to this peer is left, or it is not wanted any more. What was not acknowledged is kept for a while
   * (`RESUME_KEEP_MS`) and resumes at the next `attach`; with `forget` it is dropped at once.
   */
  detach(peer: NodeId, options?: { readonly forget?: boolean }): void
  /**
   * Takes a message or refuses it at once. `full`: nothing was taken; kinds that refuse get `onRoom` later, kinds that
   * drop were counted. `no-link`: not attached, or not open yet. A body above its kind's bound is a bug of the caller.
   */
  send(peer: NodeId, kind: K, body: Uint8Array): SendOutcome
  /** Whether the peer is attached and all its lanes have been open. */
  isOpen(peer: NodeId): boolean
  stats(peer: NodeId): LinkStats | undefined
  /** Sends what can be sent at once, closes all streams and timers. */
  stop(): Promise<void>
}

export interface LinkDriverInit<K extends string = MessageKind> {
  readonly self: NodeId
  /** `${PROTOCOL_PREFIX}/${swarmId}/link/${lane}/1` for each lane; see `linkProtocol`. */
  readonly protocolOf: (lane: Lane) => string
  readonly streams: LinkStreams
  readonly handler: LinkHandler<K>
  /** The kinds of messages and their rules: `MESSAGE_KINDS`, except in tests and benches. */
  readonly kinds: Readonly<Record<K, MessageKindRules>>
  /** Bounds of the lanes. @default LINK_PARAMS */
  readonly params?: LinkParams
  /** Monotonic milliseconds. */
  readonly now: () => Millis
  /** A number from 1 to 2^48 - 1 that this node never used before: tells a restarted node from a reconnected one. */
  readonly newEpoch?: () => number
}
