import { assert } from './assert.ts'
import type { Millis } from './time.ts'

/** Allows `perSecond` on average with bursts of up to `burst`; time comes in with every call. */
export class TokenBucket {
  readonly perSecond: number
  readonly burst: number
  #tokens: number
  #refilledAt: Millis

  constructor(perSecond: number, burst: number, now: Millis) {
    assert(perSecond > 0 && burst >= 1, 'a bucket refills and holds at least one token', { perSecond, burst })
    this.perSecond = perSecond
    this.burst = burst
    this.#tokens = burst
    this.#refilledAt = now
  }

  /** Takes `count` tokens, or takes none and returns false. */
  take(now: Millis, count = 1): boolean {
    const elapsedMs = Math.max(0, now - this.#refilledAt)
    this.#tokens = Math.min(this.burst, this.#tokens + (elapsedMs * this.perSecond) / 1000)
    this.#refilledAt = now
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }
}
