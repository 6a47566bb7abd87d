import type { Certificate, Signer, Verifier } from '../identity/types.ts'
import type { Core, Incarnation, Millis, NodeId, OrgId, Random, Result, WallMillis } from '../kernel/index.ts'
import type { LinkDownReason, NetworkCoordinate, PeerCredentials } from '../wire/index.ts'
import type { MemberEntry, MembershipMessage, MembershipRecord, PresenceBody } from './messages.ts'
import type { MembershipParams } from './params.ts'

/** Alive, suspect (no longer heard of, may still refute), dead (was not refuted in time), left (said good-bye). */
export type MemberState = 'alive' | 'suspect' | 'dead' | 'left'

/** What a node says about itself, apart from its incarnation. */
export interface MemberFacts {
  /** Multiaddr texts, at most 8. */
  readonly addresses: readonly string[]
  readonly region: string
  readonly zone: string
  readonly labels: Readonly<Record<string, string>>
  readonly version: string
  readonly startedAt: WallMillis
}

export type MembershipInput =
  | { readonly kind: 'link-up'; readonly peer: PeerCredentials }
  | { readonly kind: 'link-down'; readonly peer: NodeId; readonly reason: LinkDownReason }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: MembershipMessage }
  /** What this node says about itself has changed; unchanged facts cost nothing. */
  | { readonly kind: 'facts'; readonly facts: MemberFacts }
  /** This node's renewed certificate. */
  | { readonly kind: 'certificate'; readonly certificate: Uint8Array }
  /** All the peers to which other cores need a lasting link (cell mates, backups); replaces the list before. */
  | { readonly kind: 'hold'; readonly peers: readonly NodeId[] }
  /** The council has revoked this node: it is put out and stays out while this node runs. */
  | { readonly kind: 'revoke'; readonly node: NodeId }
  /** What is known of organisations and their keys has changed: everyone is judged anew (M-21). */
  | { readonly kind: 'authorities' }
  /** Somebody came across a peer (mDNS, a bootstrap list, the DHT): a hint, dialled once if it is not known yet. */
  | { readonly kind: 'introduce'; readonly peer: NodeId; readonly addresses: readonly string[] }
  /** Say good-bye; afterwards the core falls silent. */
  | { readonly kind: 'leave' }

/** For other cores. Reachability is a hint: it moves no vote, no grant and no admission (M-3). */
export type MembershipEvent =
  | { readonly kind: 'member-up'; readonly member: Member }
  | { readonly kind: 'member-updated'; readonly member: Member }
  /** It refuted: the suspicion is void. */
  | { readonly kind: 'member-cleared'; readonly node: NodeId }
  | { readonly kind: 'member-suspect'; readonly node: NodeId }
  | { readonly kind: 'member-down'; readonly node: NodeId; readonly incarnation: Incarnation }
  | { readonly kind: 'member-left'; readonly node: NodeId; readonly incarnation: Incarnation }
  /** Somebody is certified by a key that this node does not know (yet). */
  | { readonly kind: 'authority-unknown'; readonly node: NodeId }
  /** This node's key has spoken elsewhere, or here and it is forgotten (M-17). */
  | { readonly kind: 'twin' }
  /** The key that certified this very node was withdrawn. */
  | { readonly kind: 'unvouched' }
  /** A tombstone's time is up; nothing is known of the node any more. */
  | { readonly kind: 'member-forgotten'; readonly node: NodeId }

export type MembershipObservation =
  /** The host was late by this much (event loop or process pause); pending time-outs were shifted by it. */
  | { readonly kind: 'lagging'; readonly lagMs: number; readonly health: number }
  | { readonly kind: 'health'; readonly score: number }
  | { readonly kind: 'suspected'; readonly node: NodeId; readonly by: NodeId; readonly lost: boolean }
  /** Someone suspected or declared dead this node, which says that it is alive. */
  | { readonly kind: 'refuted'; readonly by: NodeId; readonly incarnation: number }
  | { readonly kind: 'down'; readonly node: NodeId; readonly suspectedMs: number; readonly confirmations: number }
  | { readonly kind: 'twin'; readonly node: NodeId; readonly incarnation: number; readonly advice: string }
  | { readonly kind: 'rejected'; readonly from: NodeId; readonly node: NodeId; readonly reason: string }
  /** The table holds `membersMax` entries none of which may go: a newcomer was not taken in (M-4). */
  | { readonly kind: 'table-full'; readonly node: NodeId }
  | { readonly kind: 'overlay'; readonly mode: 'mesh' | 'rings'; readonly members: number; readonly neighbours: number }

/** Performed in list order; a `persist` is durable before any later effect of the same step is performed. */
export type MembershipEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: MembershipMessage }
  | { readonly kind: 'connect'; readonly peer: NodeId; readonly addresses: readonly string[] }
  | { readonly kind: 'disconnect'; readonly peer: NodeId; readonly reason: LinkDownReason }
  | { readonly kind: 'persist'; readonly record: MembershipRecord }
  | { readonly kind: 'penalise'; readonly peer: NodeId; readonly points: number; readonly reason: string }
  | { readonly kind: 'observe'; readonly observation: MembershipObservation }
  | { readonly kind: 'event'; readonly event: MembershipEvent }

/** One member as this node sees it. */
export interface Member {
  readonly node: NodeId
  readonly state: MemberState
  readonly incarnation: Incarnation
  /** When it came into this state, by this node's monotonic clock. */
  readonly since: Millis
  readonly org: OrgId
  readonly roles: readonly string[]
  readonly addresses: readonly string[]
  readonly region: string
  readonly zone: string
  /** Its own labels, overruled by those in its certificate. */
  readonly labels: Readonly<Record<string, string>>
  readonly version: string
  readonly startedAt: WallMillis
  readonly certificateEpoch: number
  readonly certificateExpiresAt: WallMillis
}

/** A verified entry: everything here is a pure function of the entry's bytes, and none of it a view into a frame. */
export interface Judged {
  readonly entry: MemberEntry
  readonly presence: PresenceBody
  readonly certificate: Certificate
  readonly labels: Readonly<Record<string, string>>
}

/**
 * Judges a signed entry. Answers change with what is known of organisations only; the simulator, which has one, may remember its answers across nodes, because verifying one
 * statement a thousand times tells nothing new.
 */
export type Judge = (entry: MemberEntry) => Result<Judged, Unjudged>

/** Why an entry was not taken; `unknown` and `withdrawn`: the authority that has certified its subject. */
export interface Unjudged {
  readonly reason: string
  readonly why: 'forged' | 'unknown' | 'withdrawn'
}

/** Where to look for a node. */
export interface Peer {
  readonly node: NodeId
  readonly addresses: readonly string[]
}

export interface MembershipOptions {
  readonly signer: Signer
  readonly verifier: Verifier
  /** In place of `judgeWith(verifier)`. */
  readonly judge?: Judge
  readonly random: Random
  readonly params: MembershipParams
  readonly certificate: Uint8Array
  readonly facts: MemberFacts
  /** The `ceiling` of the last `incarnation` record in the log; undefined for a node that never ran. */
  readonly ceiling?: Incarnation | undefined
  /** Where to begin: the last `peers` record, and what the ticket named. */
  readonly peers?: readonly Peer[]
  /** Dialled as well when nobody of `peers` answers: whom the issuer of its ticket told a newcomer of. */
  readonly spares?: readonly Peer[]
}

/** What others may read, at any time between steps. */
export interface MembershipView {
  /** Everyone known, this node included, in order of arrival in the table. */
  members(): IterableIterator<Member>
  member(node: NodeId): Member | undefined
  /** The certificate that its latest word came with. */
  certificateOf(node: NodeId): Uint8Array | undefined
  self(): Member
  state(node: NodeId): MemberState | undefined
  /** Alive or suspect: not yet given up. */
  isUp(node: NodeId): boolean
  /** Members that are up, this node included. */
  readonly upCount: number
  /** Whom this node links to and probes, sorted. */
  neighbours(): readonly NodeId[]
  linked(node: NodeId): boolean
  /** Smoothed round trip over the link, or what the coordinates predict; undefined when neither is known. */
  rttMs(node: NodeId): number | undefined
  readonly coordinate: NetworkCoordinate
  /** Local health (Lifeguard): 0 is well; time-outs are stretched by 1 + this. */
  readonly health: number
}

export type MembershipCore = Core<MembershipInput, MembershipEffect> & MembershipView
