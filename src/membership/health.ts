/**
 * How well this node itself is doing, judged by how its own probes fare (Lifeguard, section 3.1). 0 is well; every
 * time-out of a probe is stretched by 1 + score, because an unwell node's impatience says nothing about others.
 */
export class LocalHealth {
  readonly #scoreMax: number
  #score = 0

  constructor(scoreMax: number) {
    this.#scoreMax = scoreMax
  }

  get score(): number {
    return this.#score
  }

  /** True when the score changed. */
  add(delta: number): boolean {
    const before = this.#score
    this.#score = Math.min(this.#scoreMax, Math.max(0, before + delta))
    return this.#score !== before
  }

  stretch(timeoutMs: number): number {
    return timeoutMs * (1 + this.#score)
  }
}
