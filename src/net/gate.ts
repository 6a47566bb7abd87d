import { BoundedMap, type Millis, TokenBucket } from '../kernel/index.ts'
import {
  FAILURES_PER_SOURCE_BURST,
  FAILURES_PER_SOURCE_PER_SECOND,
  PENDING_ADMISSIONS_MAX,
  PENDING_PER_SOURCE_MAX,
  SOURCES_MAX,
} from './params.ts'

interface Source {
  pending: number
  /** Pays for failures; while it is empty the source is turned away. */
  readonly credit: TokenBucket
  exhaustedUntil: Millis
}

/** What is turned away before it costs a handshake, by why. */
export type Turned = 'full' | 'source-full' | 'source-throttled'

/** One connection on its way to admission. Exactly one of the two calls ends it; later calls do nothing. */
export interface Passage {
  admitted(): void
  failed(now: Millis): void
}

/**
 * Bounds what strangers can make this node do (P-2). Pure: time comes in. A source is an IP address, or the relay for
 * relayed connections: what a stranger cannot change at will. Success costs a source nothing, so hosts and NATs with
 * many members are not slowed down; failures do.
 */
export class Gate {
  readonly #sources = new BoundedMap<string, Source>(SOURCES_MAX)
  #pending = 0

  get pending(): number {
    return this.#pending
  }

  get sourceCount(): number {
    return this.#sources.size
  }

  /** Lets a connection try, or says why not. */
  enter(now: Millis, address: string): Passage | Turned {
    if (this.#pending >= PENDING_ADMISSIONS_MAX) return 'full'
    const source = this.#source(now, address)
    if (source.pending >= PENDING_PER_SOURCE_MAX) return 'source-full'
    if (now < source.exhaustedUntil) return 'source-throttled'
    this.#pending += 1
    source.pending += 1
    let over = false
    const leave = (): boolean => {
      if (over) return false
      over = true
      this.#pending -= 1
      source.pending -= 1
      return true
    }
    return {
      admitted: () => {
        leave()
      },
      failed: (at) => {
        if (leave()) charge(at, source)
      },
    }
  }

  #source(now: Millis, address: string): Source {
    const known = this.#sources.get(address)
    const source = known ?? {
      pending: 0,
      credit: new TokenBucket(FAILURES_PER_SOURCE_PER_SECOND, FAILURES_PER_SOURCE_BURST, now),
      exhaustedUntil: now,
    }
    this.#sources.set(address, source)
    return source
  }
}

function charge(now: Millis, source: Source): void {
  if (source.credit.take(now)) return
  source.exhaustedUntil = (now + 1_000 / FAILURES_PER_SOURCE_PER_SECOND) as Millis
}
