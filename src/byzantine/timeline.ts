interface Scheduled<T> {
  readonly at: number
  readonly order: number
  readonly what: T
}

/** Virtual time in milliseconds and what is to happen in it, in order of time and then of asking. */
export class Timeline<T> {
  now = 0
  events = 0
  readonly #heap: Scheduled<T>[] = []
  readonly #happen: (what: T) => void
  #order = 0

  constructor(happen: (what: T) => void) {
    this.#happen = happen
  }

  at(at: number, what: T): void {
    const item = { at, order: this.#order++, what }
    const heap = this.#heap
    let i = heap.length
    heap.push(item)
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent] as Scheduled<T>
      // Whoever came earlier has the lower order, so equals stay above.
      if (above.at <= at) break
      heap[i] = above
      i = parent
    }
    heap[i] = item
  }

  /** Runs until a condition holds, the time is up, or the events are used up. True if the condition holds. */
  run(untilMs: number, done: () => boolean, eventsMax: number): boolean {
    while (!done()) {
      const next = this.#heap[0]
      if (next === undefined || next.at > untilMs || this.events >= eventsMax) return false
      this.#pop()
      this.now = next.at
      this.events += 1
      this.#happen(next.what)
    }
    return true
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      let least = heap[child] as Scheduled<T>
      const right = heap[child + 1]
      if (right !== undefined && before(right, least)) {
        child += 1
        least = right
      }
      if (before(last, least)) break
      heap[i] = least
      i = child
    }
    heap[i] = last
  }
}

function before(a: Scheduled<unknown>, b: Scheduled<unknown>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
