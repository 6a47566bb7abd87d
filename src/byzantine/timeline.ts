/**
 * Virtual time in milliseconds and what is to happen in it, in order of time and then of asking. A heap whose entries lie
 * side by side in three lists: moments are compared several times per event, and as plain numbers they are at hand.
 */
export class Timeline<T> {
  now = 0
  events = 0
  readonly #at: number[] = []
  readonly #orders: number[] = []
  readonly #what: T[] = []
  readonly #happen: (what: T) => void
  #order = 0

  constructor(happen: (what: T) => void) {
    this.#happen = happen
  }

  at(at: number, what: T): void {
    const order = this.#order++
    let i = this.#at.length
    this.#put(i, at, order, what)
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = this.#at[parent] as number
      // Whoever came earlier has the lower order, so equals stay above.
      if (above <= at) break
      this.#move(parent, i)
      i = parent
    }
    this.#put(i, at, order, what)
  }

  /** Runs until a condition holds, the time is up, or the events are used up. True if the condition holds. */
  run(untilMs: number, done: () => boolean, eventsMax: number): boolean {
    while (!done()) {
      const at = this.#at[0]
      if (at === undefined || at > untilMs || this.events >= eventsMax) return false
      const what = this.#what[0] as T
      this.#pop()
      this.now = at
      this.events += 1
      this.#happen(what)
    }
    return true
  }

  #pop(): void {
    const at = this.#at.pop() as number
    const order = this.#orders.pop() as number
    const what = this.#what.pop() as T
    const size = this.#at.length
    if (size === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= size) break
      if (child + 1 < size && this.#isBefore(child + 1, this.#at[child] as number, this.#orders[child] as number))
        child += 1
      if (!this.#isBefore(child, at, order)) break
      this.#move(child, i)
      i = child
    }
    this.#put(i, at, order, what)
  }

  #isBefore(place: number, at: number, order: number): boolean {
    const other = this.#at[place] as number
    return other < at || (other === at && (this.#orders[place] as number) < order)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#at[from] as number, this.#orders[from] as number, this.#what[from] as T)
  }

  #put(place: number, at: number, order: number, what: T): void {
    this.#at[place] = at
    this.#orders[place] = order
    this.#what[place] = what
  }
}
