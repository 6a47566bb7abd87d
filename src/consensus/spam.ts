import { BoundedMap, type Millis, type NodeId, TokenBucket } from '../kernel/index.ts'
import { IDLE_VOTES_BURST, IDLE_VOTES_PER_SECOND } from './params.ts'

/** Peers with an account: members, and nodes that were or take themselves for one. */
const PEERS_MAX = 512

/**
 * How many votes that serve nothing each peer may still send (B-30): what is held already, is of another epoch, or of views
 * that we keep no votes of.
 */
export class SpamAllowance {
  readonly #buckets = new BoundedMap<NodeId, TokenBucket>(PEERS_MAX)

  /** Takes so many of the peer's allowance; false if it has not got so many. */
  take(now: Millis, from: NodeId, votes: number): boolean {
    let bucket = this.#buckets.get(from)
    if (bucket === undefined) {
      bucket = new TokenBucket(IDLE_VOTES_PER_SECOND, IDLE_VOTES_BURST, now)
      this.#buckets.set(from, bucket)
    }
    return bucket.take(now, votes)
  }
}
