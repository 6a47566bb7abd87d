import { type Millis, SwarmError, type WallMillis } from '../kernel/index.ts'

export interface Clock {
  now(): Millis
  wallNow(): WallMillis
}

export const realClock: Clock = {
  now: () => performance.now() as Millis,
  wallNow: () => Date.now() as WallMillis,
}

/**
 * Dates are counted from 1970 on, in what is signed and in what is sent.
 *
 * @throws SwarmError BAD_CONFIGURATION when the wall clock is before that
 */
export function mustTellDates(clock: Clock): void {
  const now = clock.wallNow()
  if (now >= 0) return
  const message = `the clock of this host says ${new Date(now).toISOString()}: set it, no node can name a date before 1970`
  throw new SwarmError('BAD_CONFIGURATION', message)
}

/**
 * One timer for the one deadline of a core. Asking for a later time than the timer has does nothing now: the timer
 * fires early, the core is ticked for nothing, and asks again. That is cheaper than to re-arm a timer per message.
 */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: (lateMs: number) => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY

  constructor(clock: Clock, ring: (lateMs: number) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings once at or soon after `at`, unless an earlier ring was asked for; says how late it came. */
  set(at: Millis): void {
    if (at >= this.#at) return
    this.cancel()
    this.#at = at
    const askedAt = this.#clock.now()
    const delayMs = Math.max(0, Math.ceil(at - askedAt))
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const lateMs = this.#clock.now() - Math.max(at, askedAt)
      this.#at = Number.POSITIVE_INFINITY
      this.#ring(Math.max(0, lateMs))
    }, delayMs)
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#at = Number.POSITIVE_INFINITY
  }
}
