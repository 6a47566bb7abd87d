/**
 * A heap whose items' keys may grow while they are in it; a key is looked at again when its item comes to the top, so a
 * change costs nothing until it matters. An infinite key means that the item has nothing to offer: it drops out.
 * O(log n) amortised per growth, equal keys in order of arrival.
 */
export class LazyHeap<T> {
  readonly #keyOf: (item: T) => number
  readonly #dropped: ((item: T) => void) | undefined
  /** Side by side in place of an object for each: there may be a hundred thousand. */
  #keys: number[] = []
  #orders: number[] = []
  #items: T[] = []
  #arrivals = 0

  constructor(keyOf: (item: T) => number, dropped?: (item: T) => void) {
    this.#keyOf = keyOf
    this.#dropped = dropped
  }

  /** Entries, stale ones included. */
  get size(): number {
    return this.#items.length
  }

  /** All of them, stale ones included, in no order. */
  values(): IterableIterator<T> {
    return this.#items.values()
  }

  push(item: T): void {
    this.#up(this.#keyOf(item), this.#arrivals++, item)
  }

  top(): T | undefined {
    return this.#settle() ? this.#items[0] : undefined
  }

  /** Looks at items in order until `test` accepts one or says to stop; all stay in. O(k log n) for k looked at. */
  find(test: (item: T) => 'take' | 'next' | 'stop'): T | undefined {
    if (!this.#settle()) return undefined
    const first = this.#items[0] as T
    const verdict = test(first)
    if (verdict !== 'next') return verdict === 'take' ? first : undefined
    const passed: (readonly [key: number, order: number, item: T])[] = []
    let found: T | undefined
    for (;;) {
      passed.push([this.#keys[0] as number, this.#orders[0] as number, this.#items[0] as T])
      this.#remove()
      if (!this.#settle()) break
      const next = test(this.#items[0] as T)
      if (next === 'take') found = this.#items[0]
      if (next !== 'next') break
    }
    for (const [key, order, item] of passed) this.#up(key, order, item)
    return found
  }

  /** Drops all items that have nothing to offer, wherever they stand. O(n log n). */
  prune(): void {
    const items = this.#items
    const orders = this.#orders
    this.#keys = []
    this.#orders = []
    this.#items = []
    for (const [i, item] of items.entries()) {
      const key = this.#keyOf(item)
      if (key === Number.POSITIVE_INFINITY) this.#dropped?.(item)
      else this.#up(key, orders[i] as number, item)
    }
  }

  /** Brings the true minimum to the top, if there is one. */
  #settle(): boolean {
    while (this.#items.length > 0) {
      const item = this.#items[0] as T
      const key = this.#keyOf(item)
      if (key === Number.POSITIVE_INFINITY) {
        this.#remove()
        this.#dropped?.(item)
      } else if (key === this.#keys[0]) return true
      else this.#down(key, this.#orders[0] as number, item)
    }
    return false
  }

  #remove(): void {
    const key = this.#keys.pop() as number
    const order = this.#orders.pop() as number
    const item = this.#items.pop() as T
    if (this.#items.length > 0) this.#down(key, order, item)
  }

  #up(key: number, order: number, item: T): void {
    let hole = this.#items.length
    this.#put(hole, key, order, item)
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (!this.#isAfter(parent, key, order)) break
      this.#move(parent, hole)
      hole = parent
    }
    this.#put(hole, key, order, item)
  }

  /** Puts the entry where the first one was and lets it sink. */
  #down(key: number, order: number, item: T): void {
    const size = this.#items.length
    let hole = 0
    for (;;) {
      let child = 2 * hole + 1
      if (child >= size) break
      const right = child + 1
      if (right < size && this.#isAfter(child, this.#keys[right] as number, this.#orders[right] as number))
        child = right
      if (this.#isAfter(child, key, order)) break
      this.#move(child, hole)
      hole = child
    }
    this.#put(hole, key, order, item)
  }

  /** Whether the entry there comes after one with that key and order. */
  #isAfter(at: number, key: number, order: number): boolean {
    const own = this.#keys[at] as number
    return own > key || (own === key && (this.#orders[at] as number) > order)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#keys[from] as number, this.#orders[from] as number, this.#items[from] as T)
  }

  #put(at: number, key: number, order: number, item: T): void {
    this.#keys[at] = key
    this.#orders[at] = order
    this.#items[at] = item
  }
}
