import { BoundedQueue, type HostObservation, type NodeEvent, OBSERVATIONS, rowOf } from '../src/index.ts'
import type { Log } from './log.ts'

/** Past events a node remembers for whoever asks later; about 200 bytes each. */
const EVENTS_MAX = 1_000

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
    this.#log.module(row.module)[row.level]({ kind, ...fields }, message)
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

  #remember(event: NodeEvent): void {
    if (this.#recent.full) this.#recent.shift()
    this.#recent.push(event)
    for (const listener of this.#listeners) listener(event)
  }
}
