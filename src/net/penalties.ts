import { BoundedMap, type Millis, type NodeId } from '../kernel/index.ts'
import { DENIED_PEERS_MAX, DENY_MS, PENALISED_PEERS_MAX, PENALTY_HALF_LIFE_MS, PENALTY_POINTS_MAX } from './params.ts'

interface Account {
  readonly points: number
  readonly at: Millis
}

/**
 * Points against peers, and who is kept out because of them (P-9). Pure: time comes in with every call.
 *
 * At the bounds the account that was touched longest ago is forgotten, and so is the oldest denial: a crowd of
 * offenders larger than the tables is worth more to us as a crowd that may dial again than as memory without end.
 */
export class Penalties {
  readonly #accounts = new BoundedMap<NodeId, Account>(PENALISED_PEERS_MAX)
  readonly #deniedUntil = new BoundedMap<NodeId, Millis>(DENIED_PEERS_MAX)

  /** Adds points; true when the peer has just used up its credit and must go. */
  charge(now: Millis, peer: NodeId, points: number): boolean {
    const total = this.points(now, peer) + points
    if (total < PENALTY_POINTS_MAX) {
      this.#accounts.set(peer, { points: total, at: now })
      return false
    }
    this.#accounts.delete(peer)
    this.#deniedUntil.set(peer, (now + DENY_MS) as Millis)
    return true
  }

  /** What stands against a peer now: half of it is forgiven every half-life. */
  points(now: Millis, peer: NodeId): number {
    const account = this.#accounts.get(peer)
    if (account === undefined) return 0
    return account.points * 0.5 ** ((now - account.at) / PENALTY_HALF_LIFE_MS)
  }

  denied(now: Millis, peer: NodeId): boolean {
    const until = this.#deniedUntil.get(peer)
    if (until === undefined) return false
    if (now < until) return true
    this.#deniedUntil.delete(peer)
    return false
  }

  get deniedCount(): number {
    return this.#deniedUntil.size
  }
}
