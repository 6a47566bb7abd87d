import type { NodeEvent, ParamsOf } from '../ipc/index.ts'
import type { SwarmError } from '../kernel/index.ts'
import type { ControlClient } from './control-client.ts'
import { EVENTS_HELD_MAX } from './params.ts'

export type EventFilter = ParamsOf<'events.subscribe'>

/** Events in order, for `for await`; leaving the loop ends the subscription (AC-9). */
export class EventStream implements AsyncIterableIterator<NodeEvent, undefined> {
  readonly #filter: EventFilter
  readonly #onOver: (stream: EventStream) => void
  #held: NodeEvent[] = []
  #lostCount = 0
  #reader: ((result: IteratorResult<NodeEvent, undefined>) => void) | undefined
  #fail: ((error: SwarmError) => void) | undefined
  #error: SwarmError | undefined
  #isOver = false
  #unsubscribe: (() => Promise<void>) | undefined

  /** @internal */
  constructor(filter: EventFilter, onOver: (stream: EventStream) => void) {
    this.#filter = filter
    this.#onOver = onOver
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next event. One reader at a time. @throws SwarmError when the client has given up or was closed */
  next(): Promise<IteratorResult<NodeEvent, undefined>> {
    const event = this.#held.shift()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#reader = resolve
      this.#fail = reject
    })
  }

  /** Ends it. */
  return(): Promise<IteratorResult<NodeEvent, undefined>> {
    if (!this.#isOver) {
      this.#isOver = true
      this.#onOver(this)
      // Of no consequence when the connection is lost: the subscription is gone with it.
      void this.#unsubscribe?.().catch(() => {})
      this.#reader?.({ done: true, value: undefined })
    }
    this.#held = []
    return Promise.resolve({ done: true, value: undefined })
  }

  /** @internal */
  async subscribeOver(connection: ControlClient): Promise<void> {
    this.#unsubscribe = await connection.subscribe(this.#filter, (event) => this.#push(event))
    // Ended while it was being opened.
    if (this.#isOver) await this.#unsubscribe()
  }

  /** @internal A connection was lost, and with it an unknown number of events. */
  interrupted(): void {
    this.#unsubscribe = undefined
    this.#push({ kind: 'events.lost', at: new Date().toISOString() })
  }

  /** @internal */
  fail(error: SwarmError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#error = error
    this.#onOver(this)
    this.#fail?.(error)
  }

  #push(event: NodeEvent): void {
    if (this.#isOver) return
    if (this.#held.length >= EVENTS_HELD_MAX) {
      this.#lostCount += 1
      return
    }
    if (this.#lostCount > 0) {
      this.#give({ kind: 'events.lost', at: event.at, count: this.#lostCount })
      this.#lostCount = 0
    }
    this.#give(event)
  }

  #give(event: NodeEvent): void {
    const reader = this.#reader
    if (reader === undefined) {
      this.#held.push(event)
      return
    }
    this.#reader = undefined
    reader({ done: false, value: event })
  }
}
