import { assert, type Millis, type WallMillis } from '../kernel/index.ts'

/** 2026-01-01 UTC: where the wall clocks of simulated machines start. */
export const WALL_EPOCH = 1_767_225_600_000

/**
 * The two clocks of one machine. The monotonic one runs at its own rate and starts anywhere; the wall clock runs with
 * it and can be set. Both are functions of virtual time, so reading them changes nothing.
 */
export class MachineClock {
  #rate = 1
  /** Virtual time at which the present rate began, and what the monotonic clock said then. */
  #since: number
  #monotonicThen: number
  #wallOffset: number

  constructor(now: Millis, monotonicStart: number, wallErrorMs = 0) {
    this.#since = now
    this.#monotonicThen = monotonicStart
    this.#wallOffset = WALL_EPOCH + now - monotonicStart + wallErrorMs
  }

  monotonic(now: Millis): Millis {
    return (this.#monotonicThen + (now - this.#since) * this.#rate) as Millis
  }

  wall(now: Millis): WallMillis {
    return (this.monotonic(now) + this.#wallOffset) as WallMillis
  }

  /** Virtual time at which the monotonic clock will show `at`, if its rate stays. */
  virtualOf(at: Millis): Millis {
    return (this.#since + (at - this.#monotonicThen) / this.#rate) as Millis
  }

  /** Seconds per second from now on; 1.0001 gains 100 ppm. */
  setRate(now: Millis, rate: number): void {
    assert(rate > 0.5 && rate < 2, 'a clock that is worse than this is broken hardware', { rate })
    this.#monotonicThen = this.monotonic(now)
    this.#since = now
    this.#rate = rate
  }

  /** Someone, or NTP, sets the wall clock. The monotonic one does not notice (SI-9). */
  stepWall(byMs: number): void {
    this.#wallOffset += byMs
  }
}
