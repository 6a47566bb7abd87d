import type { Contact, Founding, Granted, Refusal as IdentityRefusal, MemberParty, Ticket } from '../identity/index.ts'
import type { ErrorCode, Millis, NodeId, Random, Result, SwarmId, WallMillis } from '../kernel/index.ts'
import type { Lane, MessageKind, PeerCredentials } from '../wire/index.ts'
import type { Turned } from './gate.ts'

export interface NetworkClock {
  /** Monotonic. */
  now(): Millis
  wallNow(): WallMillis
}

export interface NetworkOptions {
  readonly swarm: SwarmId
  /** 32-byte Ed25519 secret of this node: the key that secures connections. */
  readonly seed: Uint8Array
  readonly clock: NetworkClock
  readonly random: Random
  /** This node as a member; undefined until it has joined. Asked at every handshake, so renewals take effect at once. */
  party(): MemberParty | undefined
  /**
   * Counts a ticket's use durably, then issues the newcomer's certificate, or says why not (I-7). Left out: this node
   * honours no tickets.
   */
  grant?(ticket: Ticket, newcomer: NodeId): Promise<Result<Granted, IdentityRefusal>>
  /** Multiaddr texts, for example `/ip4/0.0.0.0/tcp/4001`; empty for a node that can only dial out. */
  readonly listen: readonly string[]
  /** Told to others instead of what was found out by listening (P-11). */
  readonly announce?: readonly string[]
  readonly relay?: RelayOptions
  readonly mdns?: MdnsOptions
  readonly dht?: DhtOptions
  /** Addresses (with `/p2p/<node>`) reported as discovered peers at start. */
  readonly bootstrap?: readonly string[]
  /** Peers that mDNS, the bootstrap list or the DHT came across: hints for whoever decides whom to connect to. */
  onDiscovered?(peer: NodeId, addresses: readonly string[]): void
  /** What peers were charged for, for the log (W-5). */
  onPenalised?(peer: NodeId, points: number, reason: string): void
  /** A peer was refused because the key that has certified it is not known here; perhaps it is elsewhere. */
  onUnknownAuthority?(peer: NodeId): void
  /** Told whenever the addresses that this node announces have changed. */
  onAddresses?(addresses: readonly string[]): void
}

export interface RelayOptions {
  /** Forwards connections for members that can only dial out: for members with the role `relay`. */
  readonly serve?: boolean
  /** Keeps reservations at relays among the connected members, so that others can reach this node. */
  readonly reserve?: boolean
}

export interface MdnsOptions {
  /** UDP port, 5353 unless told otherwise. */
  readonly port?: number
}

export interface DhtOptions {
  /** Answers queries and keeps provider records; else it only asks. For stable members. */
  readonly serve: boolean
}

/** What a ticket was exchanged for. */
export interface JoinGrant {
  readonly founding: Founding
  readonly certificate: Uint8Array
  /** Members besides the issuer. */
  readonly contacts: readonly Contact[]
  /** Who granted it; the connection is that of a member from now on. */
  readonly issuer: PeerCredentials
}

/** Of one lane, over all links that are there now. */
export interface LaneTotals {
  queuedMessages: number
  queuedBytes: number
  /** Over the life of these links. */
  droppedCount: number
  sentMessages: number
}

/** Counters only grow; gauges are of now. Names are those of the metrics, less the prefix. */
export interface NetworkStats {
  readonly connections: number
  readonly connectionsInbound: number
  readonly links: number
  readonly streams: number
  readonly lanes: Readonly<Record<Lane, Readonly<LaneTotals>>>
  /** Connections as libp2p counts them: more than `connections` only while one ends or replaces another. */
  readonly sockets: number
  readonly admissionsPending: number
  readonly sourcesKnown: number
  readonly admissionsTotal: number
  readonly muxersTotal: number
  /** By code; refusals of ours and of peers are told apart. */
  readonly refusedByUs: Readonly<Partial<Record<ErrorCode, number>>>
  readonly refusedByPeers: Readonly<Partial<Record<ErrorCode, number>>>
  /** Turned away before a handshake, by reason. */
  readonly turnedAway: Readonly<Partial<Record<Turned, number>>>
  readonly dialsTotal: number
  readonly dialsFailedTotal: number
  readonly peersWanted: number
  readonly peersDenied: number
  /** Messages that left over links, by kind; over the life of the process. */
  readonly sentMessages: Readonly<Partial<Record<MessageKind, number>>>
  readonly gossipOutTotal: number
  readonly gossipInTotal: number
  readonly gossipRefusedTotal: number
  /** Inside the encryption: what the muxer carries. */
  readonly bytesInTotal: number
  readonly bytesOutTotal: number
}
