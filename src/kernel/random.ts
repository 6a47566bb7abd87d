import { assert } from './assert.ts'

/** 128 bits of state from any text (cyrb128): adjacent seeds give unrelated streams. */
function stateOf(text: string): [number, number, number, number] {
  let h1 = 1779033703
  let h2 = 3144134277
  let h3 = 1013904242
  let h4 = 2773480762
  for (let i = 0; i < text.length; i++) {
    const k = text.charCodeAt(i)
    h1 = h2 ^ Math.imul(h1 ^ k, 597399067)
    h2 = h3 ^ Math.imul(h2 ^ k, 2869860233)
    h3 = h4 ^ Math.imul(h3 ^ k, 951274213)
    h4 = h1 ^ Math.imul(h4 ^ k, 2716044179)
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597399067)
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2869860233)
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951274213)
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2716044179)
  return [(h1 ^ h2 ^ h3 ^ h4) | 0, (h2 ^ h1) | 0, (h3 ^ h1) | 0, (h4 ^ h1) | 0]
}

/**
 * Seeded pseudo-random numbers (sfc32). Not for secrets.
 *
 * A stream is forked by label, never shared: what one consumer draws does not shift what another gets, so a change in
 * one protocol leaves the simulated weather of all others as it was.
 */
export class Random {
  readonly seed: string
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: string) {
    this.seed = seed
    ;[this.#a, this.#b, this.#c, this.#d] = stateOf(seed)
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** An independent stream; the same label gives the same stream, whatever was drawn from this one. */
  fork(label: string): Random {
    return new Random(`${this.seed}/${label}`)
  }

  /** Uniform in 0 .. 2^32 - 1. */
  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + t) | 0
    return t >>> 0
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.uint32() / 4294967296
  }

  /** A whole number, uniform in [0, below). */
  below(below: number): number {
    assert(Number.isInteger(below) && below > 0, 'Random.below wants a positive whole number', { below })
    return Math.floor(this.float() * below)
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + this.float() * (high - low)
  }

  /** True with the given probability (0..1). */
  chance(probability: number): boolean {
    return this.float() < probability
  }

  /** Exponentially distributed with the given mean: the gap between independent arrivals. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float())
  }

  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'Random.pick wants a non-empty list')
    return items[this.below(items.length)] as T
  }

  /** Up to `count` distinct elements, in random order; the input is left as it is. */
  sample<T>(items: readonly T[], count: number): T[] {
    const pool = items.slice()
    const taken = Math.min(count, pool.length)
    for (let i = 0; i < taken; i++) {
      const j = i + this.below(pool.length - i)
      const swapped = pool[i] as T
      pool[i] = pool[j] as T
      pool[j] = swapped
    }
    pool.length = taken
    return pool
  }

  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[] {
    return this.sample(items, items.length)
  }
}
