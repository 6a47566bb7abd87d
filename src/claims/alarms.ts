import { type Millis, NEVER } from '../kernel/index.ts'

/** Something to be done at a moment; cancelled by dropping what it would do. */
export interface Alarm {
  readonly at: Millis
  /** Breaks ties: alarms of one moment go off in the order in which they were set. */
  readonly order: number
  run: ((subject: unknown) => void) | undefined
  /** What it is about, for functions that serve many alarms: a closure for each would be twice the size. */
  readonly subject: unknown
}

/** Cancelled alarms stay until they come up; when they are the majority, they are swept out. */
const SWEEP_MIN = 1024

/** All of one core's alarms, by time; O(log n) to set, O(1) to cancel, and at most twice as many as are set. */
export class Alarms {
  #heap: Alarm[] = []
  #cancelled = 0
  #order = 0

  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  set(at: Millis, run: () => void): Alarm {
    return this.#add({ at, order: this.#order++, run, subject: undefined })
  }

  setFor<T>(at: Millis, subject: T, run: (subject: T) => void): Alarm {
    // It is called with this very subject.
    return this.#add({ at, order: this.#order++, run: run as (subject: unknown) => void, subject })
  }

  cancel(alarm: Alarm | undefined): void {
    if (alarm?.run === undefined) return
    alarm.run = undefined
    this.#cancelled += 1
    if (this.#cancelled > SWEEP_MIN && this.#cancelled * 2 > this.#heap.length) this.#sweep()
  }

  next(): Millis {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.run !== undefined) return top.at
      this.#removeFirst()
      this.#cancelled -= 1
    }
    return NEVER
  }

  /** Runs what is due, in order of time. What is set meanwhile for now or earlier runs too. */
  run(now: Millis): void {
    while (this.next() <= now) {
      const alarm = this.#heap[0] as Alarm
      this.#removeFirst()
      const { run } = alarm
      alarm.run = undefined
      run?.(alarm.subject)
    }
  }

  #add(alarm: Alarm): Alarm {
    this.#up(alarm)
    return alarm
  }

  #sweep(): void {
    const kept = this.#heap.filter((alarm) => alarm.run !== undefined)
    this.#heap = []
    this.#cancelled = 0
    for (const alarm of kept) this.#up(alarm)
  }

  #up(alarm: Alarm): void {
    const heap = this.#heap
    let hole = heap.length
    heap.push(alarm)
    while (hole > 0) {
      const parentAt = (hole - 1) >> 1
      const parent = heap[parentAt] as Alarm
      if (!isBefore(alarm, parent)) break
      heap[hole] = parent
      hole = parentAt
    }
    heap[hole] = alarm
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let hole = 0
    for (;;) {
      let childAt = 2 * hole + 1
      if (childAt >= heap.length) break
      let child = heap[childAt] as Alarm
      const right = heap[childAt + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        childAt += 1
      }
      if (!isBefore(child, last)) break
      heap[hole] = child
      hole = childAt
    }
    heap[hole] = last
  }
}

function isBefore(a: Alarm, b: Alarm): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
