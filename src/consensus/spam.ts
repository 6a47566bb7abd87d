import { BoundedMap, type Millis, type NodeId } from '../kernel/index.ts'
import { IDLE_VOTES_BURST, IDLE_VOTES_PER_SECOND, IDLE_VOTES_PER_VIEW_MAX } from './params.ts'
import type { Status } from './types.ts'

/** Peers with an account: members, and nodes that were or take themselves for one. */
const PEERS_MAX = 512

interface Account {
  left: number
  at: Millis
  /** Views passed here when it was last filled up. */
  passed: number
}

/**
 * How many votes that serve nothing each peer may still send (B-30): what is held already, is of another epoch, or of views
 * that we keep no votes of. A correct member repeats itself now and then, and a slow one is late for every view that the
 * others pass: so an account fills up with time and with our views.
 */
export class SpamAllowance {
  readonly #accounts = new BoundedMap<NodeId, Account>(PEERS_MAX)
  #epoch = 0
  #view = 0
  #passed = 0

  /** Takes so many of the peer's allowance; false if it has not got so many. */
  take(now: Millis, from: NodeId, votes: number, { epoch, view }: Pick<Status, 'epoch' | 'view'>): boolean {
    this.#passed += epoch === this.#epoch ? Math.max(0, view - this.#view) : view
    this.#epoch = epoch
    this.#view = view
    const account = this.#accountOf(from, now)
    const earned =
      ((now - account.at) * IDLE_VOTES_PER_SECOND) / 1000 + (this.#passed - account.passed) * IDLE_VOTES_PER_VIEW_MAX
    account.left = Math.min(IDLE_VOTES_BURST, account.left + earned)
    account.at = now
    account.passed = this.#passed
    if (account.left < votes) return false
    account.left -= votes
    return true
  }

  #accountOf(from: NodeId, now: Millis): Account {
    let account = this.#accounts.get(from)
    if (account === undefined) {
      account = { left: IDLE_VOTES_BURST, at: now, passed: this.#passed }
      this.#accounts.set(from, account)
    }
    return account
  }
}
