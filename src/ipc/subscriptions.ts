import type { NodeEvent } from './reports.ts'

/** What one subscription lets through; a missing field lets everything through. */
export interface EventFilter {
  readonly kinds?: readonly string[] | undefined
  readonly task?: string | undefined
}

interface Subscription {
  readonly id: string
  readonly kinds: ReadonlySet<string> | undefined
  readonly task: string | undefined
  /** Events it should have got and did not, since it was last told (I-8). */
  lostCount: number
}

/** Which events one connection asked for. Bounded by `subscriptionsMax`. */
export class Subscriptions {
  readonly #subscriptionsMax: number
  readonly #open = new Map<string, Subscription>()
  #opened = 0

  constructor(subscriptionsMax: number) {
    this.#subscriptionsMax = subscriptionsMax
  }

  get size(): number {
    return this.#open.size
  }

  /** The new subscription's id, or undefined when there are too many. */
  open(filter: EventFilter): string | undefined {
    if (this.#open.size >= this.#subscriptionsMax) return undefined
    this.#opened += 1
    const id = `s${this.#opened}`
    const kinds = filter.kinds === undefined ? undefined : new Set(filter.kinds)
    this.#open.set(id, { id, kinds, task: filter.task, lostCount: 0 })
    return id
  }

  close(id: string): boolean {
    return this.#open.delete(id)
  }

  /**
   * The `params` of the notifications that this event causes, in order. With `room` false the event is counted as lost
   * instead; the next one that gets through is preceded by `events.lost` with the count (I-8).
   */
  *deliver(event: NodeEvent, room: boolean): Generator<Readonly<Record<string, unknown>>> {
    for (const subscription of this.#open.values()) {
      if (!wants(subscription, event)) continue
      if (!room) {
        subscription.lostCount += 1
        continue
      }
      if (subscription.lostCount > 0) {
        yield { subscription: subscription.id, kind: 'events.lost', at: event.at, count: subscription.lostCount }
        subscription.lostCount = 0
      }
      yield { subscription: subscription.id, ...event }
    }
  }
}

function wants(subscription: Subscription, event: NodeEvent): boolean {
  if (subscription.kinds !== undefined && !subscription.kinds.has(event.kind)) return false
  return subscription.task === undefined || subscription.task === event.task
}
