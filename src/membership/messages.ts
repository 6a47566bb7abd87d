import type { Incarnation, WallMillis } from '../kernel/index.ts'
import {
  bytes,
  count,
  dictionary,
  flag,
  list,
  networkCoordinate,
  nodeId,
  optional,
  record,
  type Statement,
  statement,
  text,
  u8,
  u32,
  type Value,
  variant,
  word,
} from '../wire/index.ts'

/** Bounds of what a node may say about itself; the sum stays below {@link PRESENCE_BYTES_MAX}. */
export const ADDRESSES_MAX = 8
export const ADDRESS_BYTES_MAX = 160
export const LABELS_MAX = 24
export const LABEL_KEY_BYTES_MAX = 48
export const LABEL_VALUE_BYTES_MAX = 96
export const PRESENCE_BYTES_MAX = 6 * 1024
export const CERTIFICATE_BYTES_MAX = 4 * 1024

/** Far above what a node can reach at `refutationsPerSecond`, and far from where numbers lose precision. */
export const INCARNATION_MAX = 2 ** 48

/** Rows in one message of gossip, and in one page of a sync. */
export const GOSSIP_ROWS_MAX = 64
/** Entries in one message of gossip, and what they come to: with all the rows it stays below the bound of its kind. */
export const GOSSIP_ENTRIES_MAX = 16
export const GOSSIP_ENTRY_BYTES_MAX = 12 * 1024
export const SYNC_ROWS_MAX = 1500
/** Members whose signed entries one request may ask for, and one reply may hold. */
export const WANTED_MAX = 512
/** Buckets of the table's hash. */
export const BUCKETS = 256

/** A node's word about itself, signed in domain `presence`. Only the subject can make one (M-1). */
export const presenceBody = record({
  incarnation: count<Incarnation>(INCARNATION_MAX),
  status: word(['alive', 'left']),
  addresses: list(text(ADDRESS_BYTES_MAX), ADDRESSES_MAX),
  region: text(64),
  zone: text(64),
  labels: dictionary(LABEL_KEY_BYTES_MAX, text(LABEL_VALUE_BYTES_MAX), LABELS_MAX),
  version: text(32),
  startedAt: count<WallMillis>(),
})
export type PresenceBody = Value<typeof presenceBody>

/** A presence with the certificate that makes its signer a member: anyone who has the genesis can verify both. */
export const memberEntry = record({
  presence: statement(PRESENCE_BYTES_MAX),
  certificate: bytes(CERTIFICATE_BYTES_MAX),
})
export interface MemberEntry {
  readonly presence: Statement
  readonly certificate: Uint8Array
}

/** What an entry takes in a message, at most: texts, prefixes and the signature on top of the bytes themselves. */
export function entryBytes(entry: MemberEntry): number {
  return entry.presence.bytes.length + entry.certificate.length + 160
}

/** What one node holds of another, in few bytes. Hearsay: it opens a question, and the answer is a signed entry. */
export const rumour = record({
  node: nodeId,
  incarnation: count<Incarnation>(INCARNATION_MAX),
  state: word(['alive', 'suspect', 'dead', 'left']),
  /** Who accuses, for suspect and dead: confirmations count only when they are independent. */
  accuser: optional(nodeId),
  /** Whether the accuser's connection broke, which says more than silence. */
  lost: flag,
})
export type Rumour = Value<typeof rumour>

const rumours = list(rumour, GOSSIP_ROWS_MAX)

export const pingBody = record({
  sequence: u32,
  /** The sender's own incarnation. */
  mine: count<Incarnation>(INCARNATION_MAX),
  /** What the sender knows of the receiver; a newer one comes back with the ack. */
  yours: count<Incarnation>(INCARNATION_MAX),
  /** The sender suspects the receiver and tells it first (Lifeguard's buddy). */
  suspected: flag,
  coordinate: networkCoordinate,
  rumours,
})

export const ackBody = record({
  sequence: u32,
  /** Whose life it proves: the sender's, or that of the target that the sender was asked to probe. */
  subject: nodeId,
  coordinate: networkCoordinate,
  /** The subject's newest presence, when the asker knew an older one. */
  entry: optional(memberEntry),
  rumours,
})

export const pingRequestBody = record({
  sequence: u32,
  target: nodeId,
  /** What the asker knows of the target, and whether it suspects it. */
  known: count<Incarnation>(INCARNATION_MAX),
  suspected: flag,
  rumours,
})

/** "I have asked and have not heard": the asker learns that at least its own link to the helper works. */
export const nackBody = record({
  sequence: u32,
  target: nodeId,
  /** False when the helper has no link to the target, so that waiting for it is useless. */
  linked: flag,
  rumours,
})

export const gossipBody = record({ rumours, entries: list(memberEntry, GOSSIP_ENTRIES_MAX) })

export const syncRequestBody = variant({
  /** One hash per bucket of the sender's members: equal hashes, equal views. */
  hashes: record({ hashes: list(u32, BUCKETS) }),
  /** All that the sender holds in these buckets: tell me what you know better, ask for what you lack. */
  rows: record({ buckets: list(u8, BUCKETS), rows: list(rumour, SYNC_ROWS_MAX) }),
  want: record({ nodes: list(nodeId, WANTED_MAX) }),
})

export const syncReplyBody = record({
  entries: list(memberEntry, WANTED_MAX),
  rows: list(rumour, SYNC_ROWS_MAX),
})

/** The body of each kind that this protocol owns. */
export const MEMBERSHIP_BODIES = {
  'membership.ping': pingBody,
  'membership.ack': ackBody,
  'membership.ping-request': pingRequestBody,
  'membership.nack': nackBody,
  'membership.sync-request': syncRequestBody,
  'membership.sync-reply': syncReplyBody,
  'membership.gossip': gossipBody,
} as const

export type MembershipMessage = {
  readonly [K in keyof typeof MEMBERSHIP_BODIES]: {
    readonly kind: K
    readonly body: Value<(typeof MEMBERSHIP_BODIES)[K]>
  }
}[keyof typeof MEMBERSHIP_BODIES]

/** Peers remembered for rejoining after a restart. */
export const REMEMBERED_PEERS_MAX = 64

/** What this protocol writes to the log. The last record of each kind is all that counts. */
export const membershipRecord = variant({
  /** No incarnation above this one was ever published: a restart begins after it. */
  incarnation: record({ ceiling: count<Incarnation>(INCARNATION_MAX) }),
  peers: record({
    peers: list(
      record({ node: nodeId, addresses: list(text(ADDRESS_BYTES_MAX), ADDRESSES_MAX) }),
      REMEMBERED_PEERS_MAX,
    ),
  }),
})
export type MembershipRecord = Value<typeof membershipRecord>
