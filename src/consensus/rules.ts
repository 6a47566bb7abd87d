import { faultsTolerated, quorum } from '../kernel/index.ts'
import type { Digest, Epoch, Header, Seat, View } from './types.ts'

/** What a member has signed in this epoch; 0 where nothing. */
export interface OwnVotes {
  readonly prepared: View
  readonly preparedDigest: Digest | undefined
  readonly committed: View
  readonly skipped: View
}

/** What a proposal is measured against. */
export interface Ground {
  readonly digest: Digest
  readonly header: Pick<Header, 'height' | 'at' | 'boundary'>
  /** Its segment so far, itself included. */
  readonly segmentBlocks: number
  readonly segmentBytes: number
}

/**
 * The few decisions that safety and liveness rest on, one function each, citing its clause. They are the core's only
 * replaceable part: the Byzantine suites plant bugs by replacing one of them, and must then find it.
 */
export interface Rules {
  /** B-3 */
  quorum(memberCount: number): number
  /** B-3: seats that count towards a certificate. */
  distinct(seats: readonly Seat[]): number
  /** B-3: whether a vote for one block counts for another. */
  counts(voted: Digest, wanted: Digest): boolean
  /** Whose turn a view is. */
  primarySeat(epoch: Epoch, view: View, memberCount: number): Seat
  /** B-14 */
  mayPrepare(own: OwnVotes, view: View): boolean
  /** B-15; `current` is the view the member is in. */
  mayCommit(own: OwnVotes, view: View, digest: Digest, current: View): boolean
  /** B-16 */
  maySkip(own: OwnVotes, view: View): boolean
  /** B-16: the tip that a skip names. */
  skipTip(tip: View): View
  /** B-17: whether a certificate in `tip` and a skip certificate (its view and highest tip) justify `view`. */
  justified(tip: View, view: View, skip: { readonly view: View; readonly tip: View } | undefined): boolean
  /** B-17: whether a new block stands on the certified one. */
  standsOn(header: Header, ground: Ground): boolean
  /** B-18: whether a block on this ground needs its checkpoint. */
  needsCheckpoint(ground: Ground): boolean
  /** B-18: whether this block must end its segment. */
  mustEnd(segmentBlocks: number, segmentBytes: number, limits: { blocks: number; bytes: number }): boolean
  /** B-7: whether a statement of one epoch has a say in another. */
  sameEpoch(statement: Epoch, current: Epoch): boolean
  /** B-23 */
  believesChunk(certified: Digest, found: Digest): boolean
  /** B-21: whether a nonce that the window calls used is refused. */
  refusesReplay(): boolean
  /** B-20: whether a suspect member abstains in a position bounded by what others proved. */
  abstains(view: View, proven: View): boolean
  /** B-24: members that may differ between two epochs, where so many are still to come. */
  membershipStep(memberCount: number, comingCount: number): number
  /** Time-out of a view after so many views in a row without a decision, in the base's unit. */
  timeoutMs(baseMs: number, maxMs: number, failures: number): number
  /** B-26: members sat out at most. */
  sitOutMax(memberCount: number, q: number): number
  /** B-20: whether a vote of our own that we do not remember makes us suspect ourselves. */
  mindsOwnGhost(): boolean
}

export const RULES: Rules = {
  quorum,
  distinct: (seats) => seats.filter((seat, i) => seats.indexOf(seat) === i).length,
  counts: (voted, wanted) => voted === wanted,
  primarySeat: (epoch, view, memberCount) => ((epoch + view) % memberCount) as Seat,
  mayPrepare: (own, view) => view > own.prepared,
  mayCommit: (own, view, digest, current) =>
    view >= current &&
    view > own.committed &&
    view > own.skipped &&
    (own.prepared < view || (own.prepared === view && own.preparedDigest === digest)),
  maySkip: (own, view) => view > own.skipped && view > own.committed && view >= own.prepared,
  skipTip: (tip) => tip,
  justified: (tip, view, skip) =>
    tip < view && (tip === view - 1 || (skip !== undefined && skip.view === view - 1 && skip.tip <= tip)),
  standsOn: (header, ground) =>
    header.parent === ground.digest && header.height === ground.header.height + 1 && header.at >= ground.header.at,
  needsCheckpoint: (ground) => ground.header.boundary,
  mustEnd: (segmentBlocks, segmentBytes, limits) => segmentBlocks >= limits.blocks || segmentBytes >= limits.bytes,
  sameEpoch: (statement, current) => statement === current,
  believesChunk: (certified, found) => certified === found,
  refusesReplay: () => true,
  abstains: (view, proven) => view <= proven + 1,
  membershipStep: (memberCount, comingCount) =>
    memberCount === 1 && comingCount > 1 ? 2 : Math.max(1, faultsTolerated(memberCount)),
  timeoutMs: (baseMs, maxMs, failures) => Math.min(maxMs, baseMs * (1 << Math.min(failures, 16))),
  sitOutMax: (memberCount, q) => memberCount - q,
  mindsOwnGhost: () => true,
}
