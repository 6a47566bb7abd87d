import { after, earliest, type Millis, NEVER, type NodeId, type Random } from '../kernel/index.ts'
import { ADDRESSES_PER_PEER_MAX, DIAL_BACKOFF_FACTOR, DIAL_BACKOFF_MAX_MS, DIAL_BACKOFF_MIN_MS } from './params.ts'

interface Wanted {
  addresses: readonly string[]
  connected: boolean
  dialling: boolean
  /** Failures in a row. */
  failures: number
  /** Not before this moment. */
  dialAt: Millis
}

export interface DueDial {
  readonly peer: NodeId
  readonly addresses: readonly string[]
}

/**
 * Whom this node wants to be linked with and when to try next (P-7). Pure and clockless: `dialer.ts` does what it says.
 * Its size is bounded by its user, which wants at most as many peers as its overlay has neighbours.
 */
export class DialPlan {
  readonly #wanted = new Map<NodeId, Wanted>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  get size(): number {
    return this.#wanted.size
  }

  wants(peer: NodeId): boolean {
    return this.#wanted.has(peer)
  }

  /** Wants a link. Addresses other than the known ones are tried at once: old ones may be why dials failed. */
  want(now: Millis, peer: NodeId, addresses: readonly string[], connected: boolean): void {
    const bounded = addresses.slice(0, ADDRESSES_PER_PEER_MAX)
    const known = this.#wanted.get(peer)
    if (known === undefined) {
      this.#wanted.set(peer, { addresses: bounded, connected, dialling: false, failures: 0, dialAt: now })
      return
    }
    const same = bounded.length === known.addresses.length && bounded.every((text, i) => text === known.addresses[i])
    if (same) return
    known.addresses = bounded
    known.failures = 0
    known.dialAt = now
  }

  unwant(peer: NodeId): void {
    this.#wanted.delete(peer)
  }

  /** Peers to dial now, in the order in which they were first wanted; each is under way until `dialled`. */
  takeDue(now: Millis, dialsMax: number): readonly DueDial[] {
    const due: DueDial[] = []
    for (const [peer, wanted] of this.#wanted) {
      if (due.length >= dialsMax) break
      if (!waits(wanted) || wanted.dialAt > now) continue
      wanted.dialling = true
      due.push({ peer, addresses: wanted.addresses })
    }
    return due
  }

  /** A dial ended; after a failure the next waits. */
  dialled(now: Millis, peer: NodeId, succeeded: boolean): void {
    const wanted = this.#wanted.get(peer)
    if (wanted === undefined) return
    wanted.dialling = false
    if (succeeded) return
    wanted.failures += 1
    wanted.dialAt = after(now, this.#backoff(wanted.failures))
  }

  /** There is a connection, whoever dialled. */
  connected(peer: NodeId): void {
    const wanted = this.#wanted.get(peer)
    if (wanted !== undefined) wanted.connected = true
  }

  /** The connection carries a link. Only now are earlier failures forgiven: a connection alone may lead nowhere. */
  linked(peer: NodeId): void {
    const wanted = this.#wanted.get(peer)
    if (wanted !== undefined) wanted.failures = 0
  }

  /** The connection ended. Counts as a failure until the next has carried a link, so flapping slows down as well. */
  lost(now: Millis, peer: NodeId): void {
    const wanted = this.#wanted.get(peer)
    if (wanted === undefined) return
    wanted.connected = false
    wanted.failures += 1
    wanted.dialAt = after(now, this.#backoff(wanted.failures))
  }

  /** When a peer is due; `NEVER` while everyone wanted is connected, being dialled or without addresses. */
  deadline(): Millis {
    let at = NEVER
    for (const wanted of this.#wanted.values()) if (waits(wanted)) at = earliest(at, wanted.dialAt)
    return at
  }

  /** Half to all of a bound that doubles with each failure in a row. */
  #backoff(failures: number): number {
    const bound = Math.min(DIAL_BACKOFF_MAX_MS, DIAL_BACKOFF_MIN_MS * DIAL_BACKOFF_FACTOR ** (failures - 1))
    return this.#random.between(bound / 2, bound)
  }
}

function waits(wanted: Wanted): boolean {
  return !wanted.connected && !wanted.dialling && wanted.addresses.length > 0
}
