/** One thing that is due some time; armed in at most one {@link Timers}. */
export class Timer {
  readonly fire: () => void
  /** On the clock of its heap. Meaningful only while armed. */
  at = 0
  /** Its place in the heap, -1 when it is not armed. */
  slot = -1
  /** Ties fire in the order of arming, so that runs repeat exactly. */
  order = 0

  constructor(fire: () => void) {
    this.fire = fire
  }

  get armed(): boolean {
    return this.slot >= 0
  }
}

/** A binary heap of timers: arm, disarm and next in O(log n). One timer per watched peer bounds its size. */
export class Timers {
  readonly #heap: Timer[] = []
  #armings = 0

  /** When the first is due; infinity when none is armed. */
  get next(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY
  }

  /** Arms, or re-arms at another time. */
  arm(timer: Timer, at: number): void {
    timer.at = at
    timer.order = this.#armings++
    if (timer.slot < 0) {
      timer.slot = this.#heap.length
      this.#heap.push(timer)
    }
    this.#up(timer)
    this.#down(timer)
  }

  disarm(timer: Timer): void {
    const { slot } = timer
    if (slot < 0) return
    timer.slot = -1
    const last = this.#heap.pop()
    if (last === undefined || last === timer) return
    this.#place(last, slot)
    this.#up(last)
    this.#down(last)
  }

  /** Takes out the first timer, due or not. */
  shift(): Timer | undefined {
    const first = this.#heap[0]
    if (first !== undefined) this.disarm(first)
    return first
  }

  clear(): void {
    for (const timer of this.#heap) timer.slot = -1
    this.#heap.length = 0
  }

  #place(timer: Timer, slot: number): void {
    timer.slot = slot
    this.#heap[slot] = timer
  }

  #up(timer: Timer): void {
    while (timer.slot > 0) {
      const parent = this.#heap[(timer.slot - 1) >> 1] as Timer
      if (!before(timer, parent)) return
      this.#swap(timer, parent)
    }
  }

  #down(timer: Timer): void {
    for (;;) {
      const left = this.#heap[2 * timer.slot + 1]
      if (left === undefined) return
      const right = this.#heap[2 * timer.slot + 2]
      const child = right !== undefined && before(right, left) ? right : left
      if (!before(child, timer)) return
      this.#swap(timer, child)
    }
  }

  #swap(a: Timer, b: Timer): void {
    const slot = a.slot
    this.#place(a, b.slot)
    this.#place(b, slot)
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at !== b.at ? a.at < b.at : a.order < b.order
}
