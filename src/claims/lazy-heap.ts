interface Entry<T> {
  key: number
  readonly order: number
  readonly item: T
}

/**
 * A heap whose items' keys may grow while they are in it; a key is looked at again when its item comes to the top, so a
 * change costs nothing until it matters. An infinite key means that the item has nothing to offer: it drops out.
 * O(log n) amortised per growth, equal keys in order of arrival.
 */
export class LazyHeap<T> {
  readonly #keyOf: (item: T) => number
  #heap: Entry<T>[] = []
  readonly #dropped: ((item: T) => void) | undefined
  #arrivals = 0

  constructor(keyOf: (item: T) => number, dropped?: (item: T) => void) {
    this.#keyOf = keyOf
    this.#dropped = dropped
  }

  /** Entries, stale ones included. */
  get size(): number {
    return this.#heap.length
  }

  push(item: T): void {
    this.#up({ key: this.#keyOf(item), order: this.#arrivals++, item })
  }

  top(): T | undefined {
    return this.#settle()?.item
  }

  /** Looks at items in order until `test` accepts one or says to stop; all stay in. O(k log n) for k looked at. */
  find(test: (item: T) => 'take' | 'next' | 'stop'): T | undefined {
    const first = this.#settle()
    if (first === undefined) return undefined
    const verdict = test(first.item)
    if (verdict !== 'next') return verdict === 'take' ? first.item : undefined
    const passed: Entry<T>[] = []
    let found: T | undefined
    this.#remove()
    passed.push(first)
    for (let entry = this.#settle(); entry !== undefined; entry = this.#settle()) {
      const next = test(entry.item)
      if (next === 'take') found = entry.item
      if (next !== 'next') break
      this.#remove()
      passed.push(entry)
    }
    for (const entry of passed) this.#up(entry)
    return found
  }

  /** Drops all items that have nothing to offer, wherever they stand. O(n log n). */
  prune(): void {
    const entries = this.#heap
    this.#heap = []
    for (const entry of entries) {
      entry.key = this.#keyOf(entry.item)
      if (entry.key === Number.POSITIVE_INFINITY) this.#dropped?.(entry.item)
      else this.#up(entry)
    }
  }

  /** Brings the true minimum to the top. */
  #settle(): Entry<T> | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      const key = this.#keyOf(top.item)
      if (key === top.key && key !== Number.POSITIVE_INFINITY) return top
      if (key === Number.POSITIVE_INFINITY) {
        this.#remove()
        this.#dropped?.(top.item)
      } else {
        top.key = key
        this.#down(top)
      }
    }
    return undefined
  }

  #remove(): void {
    const last = this.#heap.pop()
    if (last !== undefined && this.#heap.length > 0) this.#down(last)
  }

  #up(entry: Entry<T>): void {
    const heap = this.#heap
    let hole = heap.length
    heap.push(entry)
    while (hole > 0) {
      const parentAt = (hole - 1) >> 1
      const parent = heap[parentAt] as Entry<T>
      if (!isBefore(entry, parent)) break
      heap[hole] = parent
      hole = parentAt
    }
    heap[hole] = entry
  }

  /** Puts the entry where the first one was and lets it sink. */
  #down(entry: Entry<T>): void {
    const heap = this.#heap
    const size = heap.length
    let hole = 0
    for (;;) {
      let childAt = 2 * hole + 1
      if (childAt >= size) break
      let child = heap[childAt] as Entry<T>
      const right = heap[childAt + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        childAt += 1
      }
      if (!isBefore(child, entry)) break
      heap[hole] = child
      hole = childAt
    }
    heap[hole] = entry
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.key < b.key || (a.key === b.key && a.order < b.order)
}
