import { after, BoundedMap, earliest, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import type { Context } from './context.ts'
import { BLOCK_BYTES_MAX } from './params.ts'
import type { RequestPool } from './pool.ts'
import type { Certificate, Digest, Epoch, Height, Proposal, SignedRequest, Status } from './types.ts'
import type { Voting } from './voting.ts'

/** What a peer last said of itself, or showed by a vote. */
export interface Heard {
  epoch: Epoch
  height: Height
  at: Millis
}

/** Peers remembered: members and followers nearby. */
const PEERS_MAX = 512
/** Blocks looked for at once: a chain is walked down one by one, forks are few. */
const MISSING_MAX = 16
/** Requests passed on with every repetition. */
const REQUESTS_REPEATED = 64

/** Of `statusMs`: who has said nothing for so long is missing. Links lose nothing, so there is only delay to allow for. */
const SILENT_AFTER_PERIODS = 1.5

/** Where others are, asking them for what we miss, and repeating what they may miss of ours. */
export class Syncing {
  readonly #context: Context
  readonly #heard = new BoundedMap<NodeId, Heard>(PEERS_MAX)
  readonly #answered = new BoundedMap<NodeId, Millis>(PEERS_MAX)
  readonly #asked = new BoundedMap<NodeId, Millis>(PEERS_MAX)
  readonly #missing = new BoundedMap<Digest, Millis>(MISSING_MAX)
  readonly #attempts = new BoundedMap<Digest, number>(PEERS_MAX)
  #blocksAskedAt: Millis | undefined
  #turn = 0
  #statusAt: Millis
  #repeatAt = NEVER
  #repeats = 0

  constructor(context: Context) {
    this.#context = context
    this.#statusAt = context.now
  }

  heard(node: NodeId): Readonly<Heard> | undefined {
    return this.#heard.get(node)
  }

  /** Members not heard from lately: who is missing from a quorum. */
  silent(): readonly NodeId[] {
    const since = this.#context.now - SILENT_AFTER_PERIODS * this.#context.params.statusMs
    return this.#context.others.filter((node) => (this.#heard.get(node)?.at ?? Number.NEGATIVE_INFINITY) < since)
  }

  onStatus(from: NodeId, status: Status, epoch: Epoch, height: Height): void {
    this.#heard.set(from, { epoch: status.epoch, height: status.height, at: this.#context.now })
    if (status.epoch > epoch || status.height > height) this.askBlocks(from, epoch, height)
  }

  /** It committed to a block, so it holds everything below. Said so often that it keeps its place among the peers. */
  onCommit(from: NodeId, epoch: Epoch, below: Height): void {
    const { now } = this.#context
    const heard = this.#heard.get(from)
    if (heard === undefined) {
      this.#heard.set(from, { epoch, height: below, at: now })
      return
    }
    if (heard.epoch !== epoch || heard.height < below) heard.height = below
    heard.epoch = epoch
    heard.at = now
  }

  /** Asks one peer for the blocks after ours; at most one such question is open. */
  askBlocks(from: NodeId, epoch: Epoch, height: Height): void {
    const askedAt = this.#blocksAskedAt
    if (askedAt !== undefined && this.#context.now < after(askedAt, this.#context.params.fetchTimeoutMs)) return
    this.follow(from, epoch, height)
  }

  /** The same, whatever else is open: the host paces itself. */
  follow(from: NodeId, epoch: Epoch, height: Height): void {
    this.#blocksAskedAt = this.#context.now
    this.#context.send(from, { kind: 'fetch', want: { kind: 'blocks', epoch, after: height } })
  }

  /** The question was answered: the next may be asked at once. */
  blocksArrived(): void {
    this.#blocksAskedAt = undefined
  }

  /** Asks for a peer's certificates, at most once per interval. */
  askStanding(from: NodeId): void {
    if (this.#within(this.#asked, from)) return
    this.#context.send(from, { kind: 'fetch', want: { kind: 'standing' } })
  }

  /** Sends certificates to a peer that has fallen behind, at most once per interval. */
  help(from: NodeId, certificates: readonly Certificate[]): void {
    if (certificates.length === 0 || this.#within(this.#answered, from)) return
    this.#context.send(from, { kind: 'certificates', certificates })
  }

  /** Tells a peer that has fallen behind where we are, at most once per interval. */
  nudge(from: NodeId, status: Status): void {
    if (!this.#within(this.#answered, from)) this.#context.send(from, status)
  }

  #within(moments: BoundedMap<NodeId, Millis>, peer: NodeId): boolean {
    const last = moments.get(peer)
    if (last !== undefined && this.#context.now < after(last, this.#context.params.replyIntervalMs)) return true
    moments.set(peer, this.#context.now)
    return false
  }

  /** Looks for a block: first at whoever named it, then at the other members in turn. */
  miss(digest: Digest, first: NodeId | undefined): void {
    if (this.#missing.has(digest)) return
    const { now, others } = this.#context
    const attempts = this.#attempts.get(digest) ?? 0
    const next = attempts === 0 && first !== undefined ? first : others[this.#turn++ % Math.max(1, others.length)]
    this.#attempts.set(digest, attempts + 1)
    this.#missing.set(digest, now)
    if (next !== undefined) this.#context.send(next, { kind: 'fetch', want: { kind: 'block', digest } })
  }

  /** Questions that were not answered in time are open again. */
  forgetMissed(): void {
    if (this.#missing.size === 0) return
    for (const [digest, askedAt] of [...this.#missing.entries()]) {
      if (this.#context.now >= after(askedAt, this.#context.params.fetchTimeoutMs)) this.#missing.delete(digest)
    }
  }

  /** A member to ask next, each in its turn. */
  next(): NodeId | undefined {
    const { others } = this.#context
    return others[this.#turn++ % Math.max(1, others.length)]
  }

  misses(digest: Digest): boolean {
    return this.#missing.has(digest)
  }

  found(digest: Digest): void {
    this.#missing.delete(digest)
    this.#attempts.delete(digest)
  }

  /** The view moved or there is nothing left to decide: whatever was repeated is no longer worth it. */
  settle(busy: boolean, moved: boolean, timeoutMs: number): void {
    if (!busy) this.#repeatAt = NEVER
    else if (moved || this.#repeatAt === NEVER) {
      this.#repeats = 0
      this.#repeatAt = after(this.#context.now, timeoutMs / 2)
    }
  }

  deadline(): Millis {
    let first = earliest(this.#repeatAt, this.#statusAt)
    if (this.#missing.size === 0) return first
    for (const askedAt of this.#missing.values())
      first = earliest(first, after(askedAt, this.#context.params.fetchTimeoutMs))
    return first
  }

  /** Says where we are, at its time: the same for all groups of a node, so that peers in several hear it in one frame. */
  tickStatus(status: Status): void {
    const { now, params } = this.#context
    if (now < this.#statusAt) return
    this.#statusAt = after(now, params.statusMs - (now % params.statusMs))
    if (this.#context.member) this.#context.broadcast(status)
  }

  /** Whether it is time to repeat ourselves; ever more rarely while nothing moves. */
  dueToRepeat(timeoutMs: number): boolean {
    if (this.#context.now < this.#repeatAt) return false
    this.#repeats = Math.min(this.#repeats + 1, 4)
    this.#repeatAt = after(
      this.#context.now,
      Math.min(timeoutMs * this.#repeats, this.#context.params.viewTimeoutMaxMs),
    )
    return true
  }

  /** What others may have missed: how we got here, our votes, our proposal, and what waits to be decided. */
  repeat(
    voting: Voting,
    proposal: Proposal | undefined,
    pool: RequestPool,
    own: readonly SignedRequest[],
    status: Status,
  ): void {
    const { standing, committed } = voting
    const certificates: Certificate[] = committed === undefined ? [...standing] : [...standing, committed]
    if (certificates.length > 0) this.#context.broadcast({ kind: 'certificates', certificates })
    if (proposal !== undefined) this.#context.broadcast(proposal)
    const votes = voting.ownVotes()
    if (votes.length > 0) this.#context.broadcast({ kind: 'votes', votes })
    const waiting = pool.oldest(REQUESTS_REPEATED, BLOCK_BYTES_MAX)
    const requests = waiting.length > 0 ? waiting : own
    if (requests.length > 0) this.#context.broadcast({ kind: 'request', requests })
    this.#context.broadcast(status)
  }
}
