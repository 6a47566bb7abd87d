import type { NodeId, WallMillis } from '../kernel/index.ts'
import type { Lane, MessageKind } from './message-kinds.ts'

/**
 * What the host provides to whoever drives the cores. The real ones are `src/net` and `src/storage`; the simulator has
 * its own. Identities and bytes only: no libp2p type and no file handle crosses these lines.
 */

/** What the secured handshake proved about a peer: from its membership certificate, not from its own words. */
export interface PeerCredentials {
  readonly node: NodeId
  readonly org: string
  readonly roles: readonly string[]
  /** When its certificate ends, by the wall clock. */
  readonly certificateExpiresAt: WallMillis
}

/**
 * `queued`: it will be sent unless the link dies. `full`: the lane's queue or credit is used up, nothing was taken.
 * `no-link`: there is no link to that peer.
 */
export type SendOutcome = 'queued' | 'full' | 'no-link'

/** Why a link ended, in the words that reach operators. */
export type LinkDownReason =
  | 'closed-by-peer'
  | 'closed-by-us'
  | 'connection-lost'
  | 'protocol-violation'
  | 'certificate-expired'
  | 'certificate-revoked'
  | 'shutting-down'

/** Calls into the driver. None of them throws, and none is called from inside a call into the port. */
export interface NetworkHandler {
  onLinkUp(peer: PeerCredentials): void
  onLinkDown(peer: NodeId, reason: LinkDownReason): void
  /** A message of a known kind, within its size and rate; the body is not yet decoded. */
  onMessage(from: NodeId, kind: MessageKind, body: Uint8Array): void
  /**
   * What is wrong with the form of a gossiped hint, if anything. Asked before it is passed on, so that no correct node
   * passes on what the next one would blame it for.
   */
  faultOfGossip(kind: MessageKind, body: Uint8Array): string | undefined
  /** A gossiped hint of proper form; `from` is whoever passed it on, not its author. */
  onGossip(from: NodeId, kind: MessageKind, body: Uint8Array): void
  /** The lane has room again after a `full`. */
  onRoom(peer: NodeId, lane: Lane): void
  /** A connection could not be made; `code` is a registered error code. */
  onDialFailed(peer: NodeId | undefined, address: string, code: string, message: string): void
  /** Messages that must not be lost (`resumed`) may have been: the peer restarted or its buffer overflowed. */
  onGap(peer: NodeId, lane: Lane): void
}

/** Links to peers, and gossip. At most one link per peer; a second connection replaces or joins it inside the port. */
export interface NetworkPort {
  /** Takes the message or refuses it at once; messages of one turn of the loop leave in one frame per peer and lane. */
  send(to: NodeId, kind: MessageKind, body: Uint8Array): SendOutcome
  publish(kind: MessageKind, body: Uint8Array): void
  /** Wants a link to that peer; dials with back-off until {@link disconnect}. Addresses are multiaddr texts. */
  connect(peer: NodeId, addresses: readonly string[]): void
  /** No longer wants a link to that peer, and closes it. */
  disconnect(peer: NodeId, reason: LinkDownReason): void
  /** A linked peer has shown a later certificate than at its handshake: its connection lives as long as that. */
  renewed(peer: NodeId, certificateExpiresAt: WallMillis): void
  /** Reports a peer's bad input; enough of them end the connection (W-5). */
  penalise(peer: NodeId, points: number, reason: string): void
}

/** A record's place in the log: 1 for the first, without gaps. */
export type LogIndex = number

/** Why a log wants no new work now. Work already admitted may still be appended, within the log's bound. */
export type LogRefusal = 'OVERLOADED' | 'DISK_FULL' | 'STORE_FAILED'

/**
 * An append-only log of records on stable storage. `append` never waits; the log groups what one turn of the loop
 * appends and what comes while the last group is on its way to the disk, and reports how far it is durable.
 */
export interface LogPort {
  /**
   * Takes (copies) a record. It is durable once {@link LogHandler.onDurable} has reported its index or a later one. One
   * that `mayWait` goes to the disk with the next that may not, or when the log is told to {@link hurry}.
   *
   * @throws SwarmError OVERLOADED or DISK_FULL at the bound on waiting bytes, STORE_FAILED after a failure,
   * SHUTTING_DOWN after close. Nothing was taken then; whoever sheds new work on {@link refusal} does not get here.
   */
  append(record: Uint8Array, mayWait?: boolean): LogIndex
  /** Whatever was appended goes to the disk now. */
  hurry(): void
  /** Whether new work must be shed, and why. After DISK_FULL, asking is what makes the log look for space again. */
  refusal(): LogRefusal | undefined
  /**
   * Replaces everything appended so far by these records, which must say the same in fewer words (a snapshot) and must
   * not change any more. Atomic: a crash leaves the old records or the new ones. Indices go on growing.
   */
  compact(records: readonly Uint8Array[]): void
  /** Bytes appended since the last compaction was asked for; the owner decides when it is worth another. */
  readonly bytesSinceCompaction: number
}

export interface LogHandler {
  onDurable(upTo: LogIndex): void
  /** The disk refused to write or to sync. What was not reported durable may be lost: the process must stop. */
  onFailed(cause: unknown): void
}
