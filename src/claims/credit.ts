import { after, type Millis } from '../kernel/index.ts'

/** Far more slots than anybody is kept at once by one node. */
const WINDOW_MAX = 1024

/** How long nothing is kept for whoever lets the only slot run out that it was kept: at first, and at most. */
export interface CreditParams {
  readonly breakerOpenMinMs: number
  readonly leaseMs: number
}

/**
 * How many slots are kept at once for the offers of one coordinator (CL-22). As a congestion window (Jacobson 1988): for
 * each that is used there may be one more, and half as many when some ran out unused; of the last one none for a while
 * that doubles.
 */
export class Credit {
  #window = WINDOW_MAX
  #ranOutAt: Millis | undefined
  #closings = 0
  #closedUntil = 0 as Millis

  /** How many more, while so many are kept. */
  room(now: Millis, kept: number): number {
    return now < this.#closedUntil ? 0 : Math.max(0, this.#window - kept)
  }

  /** How long until there may be any, in whole milliseconds; 0 if now. */
  closedMs(now: Millis): number {
    return Math.max(0, Math.ceil(this.#closedUntil - now))
  }

  /** A task was awarded for one of them. */
  used(): void {
    this.#window = Math.min(WINDOW_MAX, this.#window + 1)
    this.#closings = 0
  }

  /** One ran out: neither used nor given back. Returns for how long nothing is kept from now on, 0 if something still is. */
  ranOut(now: Millis, { breakerOpenMinMs, leaseMs }: CreditParams): number {
    // Many that run out at once are one piece of bad luck.
    if (now === this.#ranOutAt) return 0
    this.#ranOutAt = now
    if (this.#window > 1) {
      this.#window = Math.floor(this.#window / 2)
      return 0
    }
    const closedMs = Math.min(leaseMs, breakerOpenMinMs * 2 ** this.#closings)
    this.#closings = Math.min(30, this.#closings + 1)
    this.#closedUntil = after(now, closedMs)
    return closedMs
  }
}
