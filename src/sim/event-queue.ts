import { assert, type Millis } from '../kernel/index.ts'

/** Something that will happen. Subclasses carry what they need as fields: one allocation per event. */
export abstract class SimEvent {
  /** Set by the queue. */
  at = 0 as Millis
  /** Set by the queue: breaks ties, so that events of one moment happen in the order in which they were put in. */
  sequence = 0

  abstract fire(): void
}

class Call extends SimEvent {
  readonly #run: () => void

  constructor(run: () => void) {
    super()
    this.#run = run
  }

  override fire(): void {
    this.#run()
  }
}

/** Virtual time and a binary heap of what is to happen in it, by (time, sequence) (SI-2). */
export class EventQueue {
  readonly #heap: SimEvent[] = []
  #now = 0 as Millis
  #sequence = 0
  #fired = 0

  get now(): Millis {
    return this.#now
  }

  /** How many events have happened. */
  get fired(): number {
    return this.#fired
  }

  get size(): number {
    return this.#heap.length
  }

  /** Puts an event in; a moment that has passed means now. */
  push(event: SimEvent, at: number): void {
    assert(at < Number.POSITIVE_INFINITY, 'an event happens at a moment', { at })
    event.at = Math.max(at, this.#now) as Millis
    event.sequence = ++this.#sequence
    this.#siftUp(event)
  }

  call(at: number, run: () => void): void {
    this.push(new Call(run), at)
  }

  /** Lets everything happen that is due up to `until`, which is then the time. Stops early when `stop` says so. */
  run(until: Millis, stop?: () => boolean): void {
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#removeFirst()
      this.#now = next.at
      this.#fired += 1
      next.fire()
      if (stop?.()) return
    }
    this.#now = Math.max(until, this.#now) as Millis
  }

  #siftUp(event: SimEvent): void {
    const heap = this.#heap
    let hole = heap.length
    heap.push(event)
    while (hole > 0) {
      const parentAt = (hole - 1) >> 1
      const parent = heap[parentAt] as SimEvent
      if (!before(event, parent)) break
      heap[hole] = parent
      hole = parentAt
    }
    heap[hole] = event
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop() as SimEvent
    const size = heap.length
    if (size === 0) return
    let hole = 0
    for (;;) {
      let childAt = 2 * hole + 1
      if (childAt >= size) break
      let child = heap[childAt] as SimEvent
      if (childAt + 1 < size && before(heap[childAt + 1] as SimEvent, child)) child = heap[++childAt] as SimEvent
      if (!before(child, last)) break
      heap[hole] = child
      hole = childAt
    }
    heap[hole] = last
  }
}

function before(a: SimEvent, b: SimEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
}
