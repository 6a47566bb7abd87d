import { CLOCK_TOLERANCE_MS } from '../identity/index.ts'
import type { NodeId } from '../kernel/index.ts'
import type { Connections, Member } from './connections.ts'
import type { NetworkClock } from './options.ts'
import { EXPIRY_CHECK_MS_MAX } from './params.ts'

/** Ends connections whose certificate has run out (P-10): one timer, for the one that runs out first. */
export class ExpiryWatch {
  readonly #clock: NetworkClock
  readonly #connections: Connections
  readonly #onExpired: (peer: NodeId) => void
  #timer: NodeJS.Timeout | undefined

  constructor(clock: NetworkClock, connections: Connections, onExpired: (peer: NodeId) => void) {
    this.#clock = clock
    this.#connections = connections
    this.#onExpired = onExpired
  }

  /** Call when a connection was made or a certificate renewed. */
  arm(): void {
    clearTimeout(this.#timer)
    let first = Number.POSITIVE_INFINITY
    for (const [, member] of this.#connections.all()) first = Math.min(first, endOf(member))
    if (first === Number.POSITIVE_INFINITY) return
    // The wall clock may be set while we sleep, so it is looked at now and then even when nothing is due.
    const waitMs = Math.min(Math.max(0, first - this.#clock.wallNow()), EXPIRY_CHECK_MS_MAX)
    this.#timer = setTimeout(() => this.#check(), waitMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #check(): void {
    const now = this.#clock.wallNow()
    const expired: NodeId[] = []
    for (const [peer, member] of this.#connections.all()) if (endOf(member) <= now) expired.push(peer)
    for (const peer of expired) this.#onExpired(peer)
    this.arm()
  }
}

/** As lenient as the handshake is (I-5), or a peer would be let in and cut off in turns. */
function endOf({ credentials }: Member): number {
  return credentials.certificateExpiresAt + CLOCK_TOLERANCE_MS
}
