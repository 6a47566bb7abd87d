import type { Brand } from './brand.ts'

/** Monotonic milliseconds since an arbitrary start; never goes back, says nothing about the date. */
export type Millis = Brand<number, 'Millis'>

/** Milliseconds since 1970-01-01 UTC by this host's clock, which can step and drift: for people and expiry only. */
export type WallMillis = Brand<number, 'WallMillis'>

/** The deadline of a core that wants no tick. */
export const NEVER = Number.POSITIVE_INFINITY as Millis

/** `now + delayMs` on the monotonic clock. */
export function after(now: Millis, delayMs: number): Millis {
  return (now + delayMs) as Millis
}

/** The earlier of two moments. */
export function earliest(a: Millis, b: Millis): Millis {
  return a < b ? a : b
}
