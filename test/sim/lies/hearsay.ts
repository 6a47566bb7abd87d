import type { ClaimsMessage, TaskId } from '../../../src/claims/index.ts'
import type { NodeId, Random } from '../../../src/kernel/index.ts'

/** A task that is open at some node, under the token that was given out last. */
export interface Attempt {
  readonly task: TaskId
  readonly epoch: number
  readonly attempt: number
  readonly coordinator: NodeId
  /** Whose it is, if it is anybody's. */
  readonly executor: NodeId | undefined
}

/** Counters of a node that stand in its messages: whoever has heard one knows the next. */
const COUNTERS = ['offer', 'bid', 'epoch', 'serial', 'query', 'transfer', 'sequence'] as const
export type Counter = (typeof COUNTERS)[number]

const KEPT_MAX = 60

/** All that a liar can know: what it heard and said, and every open task, whose names and tokens anybody could guess. */
export class Hearsay {
  readonly heard: { readonly from: NodeId; readonly message: ClaimsMessage }[] = []
  readonly said: { readonly to: NodeId; readonly message: ClaimsMessage }[] = []
  readonly #counters = new Map<string, number>()
  readonly #random: Random
  readonly #spy: () => readonly Attempt[]

  constructor(random: Random, spy: () => readonly Attempt[]) {
    this.#random = random
    this.#spy = spy
  }

  hear(from: NodeId, message: ClaimsMessage): void {
    this.#keep(this.heard, { from, message })
    this.#count(from, message.body)
  }

  say(to: NodeId, message: ClaimsMessage): void {
    this.#keep(this.said, { to, message })
  }

  /** About where that counter of the node stands. */
  near(node: NodeId, counter: Counter): number {
    const last = this.#counters.get(`${node} ${counter}`) ?? this.#random.below(4)
    return Math.max(0, last + this.#random.below(6) - 2)
  }

  /** Up to so many open tasks, of anybody. */
  attempts(count: number): readonly Attempt[] {
    return this.#random.sample(this.#spy(), count)
  }

  #keep<T>(kept: T[], item: T): void {
    if (kept.length < KEPT_MAX) kept.push(item)
    else kept[this.#random.below(KEPT_MAX)] = item
  }

  #count(from: NodeId, value: unknown): void {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
    for (const [name, part] of Object.entries(value)) {
      if (typeof part === 'object') this.#count(from, part)
      else if (typeof part === 'number' && COUNTERS.some((counter) => counter === name))
        this.#counters.set(`${from} ${name}`, part)
    }
  }
}
