import { assert } from './assert.ts'

/**
 * First in, first out, over a ring that grows to `itemsMax` and no further. `push` on a full queue returns false and
 * changes nothing: refusing, dropping or shedding is the caller's decision, and it has to make one.
 */
export class BoundedQueue<T> {
  readonly itemsMax: number
  #ring: (T | undefined)[] = new Array(8)
  #head = 0
  #size = 0

  constructor(itemsMax: number) {
    assert(Number.isInteger(itemsMax) && itemsMax > 0, 'a bound is a positive whole number', { itemsMax })
    this.itemsMax = itemsMax
  }

  get size(): number {
    return this.#size
  }

  get full(): boolean {
    return this.#size >= this.itemsMax
  }

  /** False, and no change, when the queue is full. */
  push(item: T): boolean {
    if (this.#size >= this.itemsMax) return false
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = item
    this.#size += 1
    return true
  }

  /** Removes and returns the oldest item. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined
    const item = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#size -= 1
    return item
  }

  /** The oldest item, left in place. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#ring[this.#head]
  }

  clear(): void {
    this.#ring = new Array(8)
    this.#head = 0
    this.#size = 0
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.#size; i++) yield this.#ring[(this.#head + i) & (this.#ring.length - 1)] as T
  }

  #grow(): void {
    const items = [...this]
    this.#ring = new Array(this.#ring.length * 2)
    for (const [i, item] of items.entries()) this.#ring[i] = item
    this.#head = 0
  }
}
