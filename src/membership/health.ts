/**
 * How well this node itself is doing, judged by how its own probes fare (Lifeguard, section 3.1). 0 is well; every
 * time-out of a probe is stretched by 1 + score, because an unwell node's impatience says nothing about others.
 *
 * Lifeguard probes one member a cycle, and its score mends by one a cycle at most. Here several are probed at once, so
 * successes count at a bounded rate: else those that still go well would hide from a starved node that it is starved.
 */
export class LocalHealth {
  readonly #scoreMax: number
  readonly #mendMs: number
  #score = 0
  #mendedAt = Number.NEGATIVE_INFINITY

  /** `mendMs`: at most one point is mended in so much time. */
  constructor(scoreMax: number, mendMs: number) {
    this.#scoreMax = scoreMax
    this.#mendMs = mendMs
  }

  get score(): number {
    return this.#score
  }

  /** Something went wrong that speaks against this node. True when the score changed. */
  worsen(by: number): boolean {
    const before = this.#score
    this.#score = Math.min(this.#scoreMax, before + by)
    return this.#score !== before
  }

  /** A probe went well, at `awake`. True when the score changed. */
  mend(awake: number): boolean {
    if (this.#score === 0 || awake < this.#mendedAt + this.#mendMs) return false
    this.#mendedAt = awake
    this.#score -= 1
    return true
  }

  stretch(timeoutMs: number): number {
    return timeoutMs * (1 + this.#score)
  }
}
