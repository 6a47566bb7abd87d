import {
  BoundedQueue,
  type HostObservation,
  type Millis,
  type NodeEvent,
  OBSERVATIONS,
  rowOf,
  TokenBucket,
} from '../src/index.ts'
import type { Log } from './log.ts'

/** Past events a node remembers for whoever asks later; about 200 bytes each. */
const EVENTS_MAX = 1_000

/** Lines of one kind: peers cause many of them, and must not fill this host's disk. What is not said is counted. */
const LINES_BURST = 1_000
const LINES_PER_SECOND = 10

/** What one kind may still say. */
interface Speech {
  readonly credit: TokenBucket
  unsaidCount: number
}

/** How often something happened, as `/metrics` shows it. */
export interface EventCounter {
  /** In snake case, without prefix and suffix. */
  readonly name: string
  readonly help: string
  readonly value: number
}

/** Turns each observation into its log line, its counter and its event, by the one table (`src/swarm/observations.ts`). */
export class Observer {
  readonly #log: Log
  readonly #wallNow: () => number
  readonly #counts = new Map<string, number>()
  readonly #speeches = new Map<string, Speech>()
  readonly #recent = new BoundedQueue<NodeEvent>(EVENTS_MAX)
  readonly #listeners = new Set<(event: NodeEvent) => void>()

  constructor(log: Log, wallNow: () => number = Date.now) {
    this.#log = log
    this.#wallNow = wallNow
    for (const kind of Object.keys(OBSERVATIONS)) this.#counts.set(kind, 0)
  }

  observe(observation: HostObservation): void {
    const row = rowOf(observation)
    const { kind, ...fields } = observation
    const message = row.message(observation)
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    const isAskedFor = row.level === 'debug'
    const unsaid = isAskedFor ? {} : this.#unsaid(kind)
    if (unsaid !== undefined) this.#log.module(row.module)[row.level]({ kind, ...fields, ...unsaid }, message)
    if (row.event) this.#remember({ kind, at: new Date(this.#wallNow()).toISOString(), ...fields, message })
  }

  /** News for whoever listens now, and for nobody else: there is too much of it to be kept, counted or logged. */
  announce(news: () => NodeEvent): void {
    if (this.#listeners.size === 0) return
    const event = news()
    for (const listener of this.#listeners) listener(event)
  }

  counters(): readonly EventCounter[] {
    return Object.entries(OBSERVATIONS).map(([kind, { help }]) => {
      return { name: kind.replaceAll(/[-.]/g, '_'), help, value: this.#counts.get(kind) ?? 0 }
    })
  }

  /** Oldest first. */
  recentEvents(): readonly NodeEvent[] {
    return [...this.#recent]
  }

  /** The returned function ends it. */
  onEvent(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Undefined when this line is not said either; else how many were not said since the last one, if any. */
  #unsaid(kind: string): { readonly unsaidCount?: number } | undefined {
    const now = this.#wallNow() as Millis
    const known = this.#speeches.get(kind)
    const speech = known ?? { credit: new TokenBucket(LINES_PER_SECOND, LINES_BURST, now), unsaidCount: 0 }
    if (known === undefined) this.#speeches.set(kind, speech)
    if (!speech.credit.take(now)) {
      speech.unsaidCount += 1
      return undefined
    }
    const { unsaidCount } = speech
    speech.unsaidCount = 0
    return unsaidCount === 0 ? {} : { unsaidCount }
  }

  #remember(event: NodeEvent): void {
    if (this.#recent.full) this.#recent.shift()
    this.#recent.push(event)
    for (const listener of this.#listeners) listener(event)
  }
}
