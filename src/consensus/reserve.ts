import { after, type Millis, NEVER } from '../kernel/index.ts'
import type { Context } from './context.ts'
import type { Pace } from './pace.ts'
import type { CastVote, View } from './types.ts'

/**
 * When others hear of our prepare (B-32). A certificate takes q of n: those whose turn as primary is farthest off are in
 * reserve, and keep theirs back for as long as the others' are likely to come. It counts here and is durable all the same.
 */
export class Reserve {
  readonly #context: Context
  readonly #pace: Pace
  /** Views certified in a row without any disturbance. */
  #calmViews = 0
  #held: { readonly cast: CastVote; readonly view: View } | undefined
  #until: Millis = NEVER

  constructor(context: Context, pace: Pace) {
    this.#context = context
    this.#pace = pace
  }

  /** Our prepare of the present view is durable, and the view not certified yet. */
  offer(cast: CastVote, view: View): void {
    const waitMs = this.#isInReserve(view) ? this.#pace.reserveWaitMs() : 0
    this.#held = { cast, view }
    this.#until = after(this.#context.now, waitMs)
    if (waitMs === 0) this.#tell()
  }

  #isInReserve(view: View): boolean {
    const { group, params, self } = this.#context
    const seat = group.seatOf(self)
    if (seat === undefined || this.#calmViews < params.reserveAfterViews) return false
    return (seat - group.primarySeat(view) + group.size) % group.size >= group.q
  }

  /** A view was certified: our prepare in it, if nobody has heard of it. */
  certified(view: View): CastVote | undefined {
    this.#calmViews += 1
    const held = this.#held
    if (held === undefined || held.view > view) return undefined
    this.#release()
    return held.view === view ? held.cast : undefined
  }

  /** Somebody is missed, or misses something: everybody speaks at once, until that has been over for a while. */
  disturbed(): void {
    this.#calmViews = 0
    this.#tell()
  }

  deadline(): Millis {
    return this.#until
  }

  /** Our prepare is needed after all, once the others have had their time. */
  tick(): void {
    if (this.#context.now >= this.#until) this.disturbed()
  }

  #tell(): void {
    if (this.#held !== undefined) this.#context.broadcast({ kind: 'votes', votes: [this.#held.cast] })
    this.#release()
  }

  #release(): void {
    this.#held = undefined
    this.#until = NEVER
  }
}
