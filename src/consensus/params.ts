import { assert } from '../kernel/index.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Most members an epoch can have: seats fit a byte, certificates a kilobyte or few. */
export const MEMBERS_MAX = 64
/** Longest group name. */
export const GROUP_ID_BYTES_MAX = 64
/** Operations under one client signature. */
export const OPERATIONS_PER_REQUEST_MAX = 512
/** Longest encoded request; a request is never split over blocks. */
export const REQUEST_BYTES_MAX = 128 * KIB
/** Longest encoded payload of a block. With its certificates it fits a proposal of 256 KiB. */
export const BLOCK_BYTES_MAX = 192 * KIB
/** Requests in a block. */
export const REQUESTS_PER_BLOCK_MAX = 1024
/** Operations in a block: each takes memory and time beyond its bytes, of which it may have none. */
export const OPERATIONS_PER_BLOCK_MAX = 4096
/** Convictions in a block: evidence is rare, and each costs every member two verifications. */
export const EVIDENCE_PER_BLOCK_MAX = 4
/** Votes in one message: a member's whole voice of the moment. */
export const VOTES_PER_MESSAGE_MAX = 16
/**
 * Votes of one peer that serve nothing (B-30). All that a correct member casts may be such: it is late for every view, or we
 * are behind and it is far ahead. Groups of four on one machine pass some 400 views a second, with two votes each; a flood
 * is ten times as much. All of a few seconds may come at once after a break.
 */
export const IDLE_VOTES_PER_SECOND = 2_048
export const IDLE_VOTES_BURST = 8_192
/** Certificates in one message. */
export const CERTIFICATES_PER_MESSAGE_MAX = 8
/** Of so many views in a row, all members hear of the commits of one; of the others only who waits for the block (B-29). */
export const COMMIT_VIEWS_MAX = 8
/** Blocks in one answer. */
export const BLOCKS_PER_MESSAGE_MAX = 64
/** Bytes of blocks in one answer: one of the largest, and a quarter of what the message kind takes is left for certificates. */
export const BLOCKS_BYTES_MAX = BLOCK_BYTES_MAX
/** Checkpoints in one answer: a member that missed more epochs asks again. */
export const CHECKPOINTS_PER_MESSAGE_MAX = 16
/** Pieces of a snapshot: with their size, the largest state a group may hold (512 MiB). */
export const CHUNKS_MAX = 4096

/**
 * Heights below the last at which a request begins, so that other members have reached it as well: who has not yet heard of
 * our last decision would drop one that begins there, and whoever is primary then is waited for in vain.
 */
export const REQUEST_LAG_COUNT = 64

/** Per group; the same on all its members (they stand in the genesis). Times in milliseconds. */
export interface ConsensusParams {
  /** How long a view may take before a member skips it, while it does not know what views take here (B-28). */
  readonly viewTimeoutMs: number
  /** Where doubling ends: long enough for any link, short enough that a healed group moves again soon. */
  readonly viewTimeoutMaxMs: number
  /** How long an idle primary waits for the commits of the tip before it proposes it again. */
  readonly commitWaitMs: number
  /** How often a member tells the others where it is. */
  readonly statusMs: number
  /** How long an asked peer has before another is asked. */
  readonly fetchTimeoutMs: number
  /** At most one unsolicited answer per peer in this time. */
  readonly replyIntervalMs: number
  /** How long a local operation waits before its submitter hears `NO_QUORUM`. */
  readonly submitTimeoutMs: number
  /** Blocks between checkpoints at most: what a lagging member has to replay, and how far views can outrun finality. */
  readonly segmentBlocksMax: number
  /** Payload bytes between checkpoints at most. */
  readonly segmentBytes: number
  /** Views ahead of ours for which votes are kept; further ones only tell that we lag. */
  readonly viewsAheadMax: number
  /** Views behind ours for which late votes are still kept (late commits make certificates). */
  readonly viewsBehindMax: number
  /** Bytes of blocks kept in memory, final or not. */
  readonly chainBytesMax: number
  /** Requests waiting, of all clients. */
  readonly poolRequestsMax: number
  /** Bytes of requests waiting. */
  readonly poolBytesMax: number
  /** Nonces of a client that may be open at once. */
  readonly openNoncesMax: number
  /** Heights after its floor at which a request expires, and after which an idle client is forgotten (B-21). */
  readonly requestHeightsMax: number
  /** Heights after which a client may be forgotten that may not speak any more: a newcomer's requests have so long to be decided. */
  readonly silencedHeightsMax: number
  /** Clients remembered at once, beside those whose account has places of its own. */
  readonly clientsMax: number
  /** Clients of one account remembered at once: more than an organisation can have seats and keys. */
  readonly clientsPerAccountMax: number
  /** Own requests on their way at once; more operations wait and are bundled. */
  readonly requestsInFlightMax: number
  /** Local operations waiting to be bundled. */
  readonly submitsMax: number
  /** Epochs of which every handover is kept: a member that lags by no more follows at once, and what they decided can be proven (B-32). */
  readonly recentEpochsMax: number
  /** Signature checks asked for and not yet answered, as they are shared out (`inspection.ts`); a check takes 0.1 ms. */
  readonly inspectionsMax: number
  /** Turns that a primary is sat out after its nth skip in a row: 2^n - 1, at most this (B-26). */
  readonly sitOutTurnsMax: number
  /** How far ahead of our wall clock a block's time may be. Only delays a block, never decides one. */
  readonly clockToleranceMs: number
}

export const CONSENSUS_DEFAULTS: ConsensusParams = {
  viewTimeoutMs: 250,
  viewTimeoutMaxMs: 8_000,
  commitWaitMs: 50,
  statusMs: 1_000,
  fetchTimeoutMs: 400,
  replyIntervalMs: 50,
  submitTimeoutMs: 15_000,
  segmentBlocksMax: 128,
  segmentBytes: 4 * MIB,
  viewsAheadMax: 64,
  viewsBehindMax: 64,
  chainBytesMax: 24 * MIB,
  poolRequestsMax: 8_192,
  poolBytesMax: 8 * MIB,
  openNoncesMax: 256,
  requestHeightsMax: 100_000,
  silencedHeightsMax: 256,
  clientsMax: 4_096,
  clientsPerAccountMax: 128,
  requestsInFlightMax: 4,
  submitsMax: 16_384,
  recentEpochsMax: 1_024,
  inspectionsMax: 16_384,
  sitOutTurnsMax: 63,
  clockToleranceMs: 60_000,
}

/**
 * The defaults with changes, checked.
 *
 * @throws InvariantError if the relations between bounds do not hold; configuration is judged before it gets here
 */
export function consensusParams(changes: Partial<ConsensusParams> = {}): ConsensusParams {
  const p = { ...CONSENSUS_DEFAULTS, ...changes }
  for (const [name, value] of Object.entries(p)) assert(value > 0, 'a consensus parameter is positive', { name, value })
  const details = { ...p }
  // Otherwise a primary would be skipped while it waits to be useful.
  assert(p.commitWaitMs * 2 <= p.viewTimeoutMs, 'commits are awaited for half a view at most', details)
  assert(p.viewTimeoutMs <= p.viewTimeoutMaxMs, 'time-outs grow', details)
  // A segment is held whole, and the one before it for members that lag.
  assert(p.chainBytesMax >= 2 * (p.segmentBytes + BLOCK_BYTES_MAX), 'two segments fit in memory', details)
  // A client whose window is open must not be forgotten.
  assert(p.requestHeightsMax > p.segmentBlocksMax, 'requests outlive a segment', details)
  // Else nobody who is new could speak while others are forgotten.
  assert(p.silencedHeightsMax > REQUEST_LAG_COUNT, 'what begins at a floor is decided before that is too low', details)
  assert(p.openNoncesMax >= p.requestsInFlightMax, 'a client fits its window', details)
  // The pool gives each client a twelfth of its bytes.
  assert(p.poolBytesMax >= 12 * REQUEST_BYTES_MAX, 'a client fits its share of the pool', details)
  return p
}
