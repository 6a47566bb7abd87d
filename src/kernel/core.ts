import type { Millis } from './time.ts'

/** "It is now": the only input that carries no news. */
export interface Tick {
  readonly kind: 'tick'
}

export const TICK: Tick = { kind: 'tick' }

/**
 * A protocol as a value that is stepped (architecture.md, "The core contract").
 *
 * The host calls `step` with a `now` that never goes back, performs the returned effects in list order, and calls
 * again with {@link TICK} when `deadline()` has passed. A core does no I/O, reads no clock and keeps no timers, so the
 * same inputs give the same effects, in the daemon and in the simulator.
 */
export interface Core<Input, Effect> {
  /** The only mutator: synchronous and total (hostile input yields effects or nothing, never a throw). */
  step(now: Millis, input: Input | Tick): readonly Effect[]

  /** When the core next wants a tick; `NEVER` if it waits for news only. */
  deadline(): Millis
}
