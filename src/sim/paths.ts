import { assert, type Millis, type Random } from '../kernel/index.ts'
import type { Latency } from './latency.ts'

/** Rates of what happens to every message of the swarm; 0 to 1. */
export interface Weather {
  readonly lossRate: number
  readonly duplicateRate: number
  /** Share of messages that take up to `reorderMs` longer than the rest, and so are overtaken. */
  readonly reorderRate: number
  readonly reorderMs: number
  /** Share of bodies with one flipped bit. Noise makes this impossible; a hostile member can send anything. */
  readonly corruptRate: number
  /** Share of numbered messages for which the lane is full, where their kind allows a refusal. */
  readonly refuseRate?: number
}

export const CALM: Weather = { lossRate: 0, duplicateRate: 0, reorderRate: 0, reorderMs: 0, corruptRate: 0 }

/** What stands between any two machines at this moment. */
export class Paths {
  weather: Weather
  readonly latency: Latency
  readonly #count: number
  readonly #random: Random
  /** How many faults block each direction of each pair; made when the first does. */
  #blocks: Uint8Array | undefined
  /** Until when each clogged direction of a pair lets nothing through. */
  readonly #clogs = new Map<number, Millis>()

  constructor(machineCount: number, latency: Latency, weather: Weather, random: Random) {
    this.#count = machineCount
    this.latency = latency
    this.weather = weather
    this.#random = random
  }

  isBlocked(from: number, to: number): boolean {
    return this.#blocks !== undefined && this.#blocks[from * this.#count + to] !== 0
  }

  /** One direction; faults overlap, so blocks are counted. */
  block(from: number, to: number): void {
    this.#blocks ??= new Uint8Array(this.#count * this.#count)
    const at = from * this.#count + to
    assert((this.#blocks[at] as number) < 255, 'blocks of one path are few', { from, to })
    this.#blocks[at] = (this.#blocks[at] as number) + 1
  }

  unblock(from: number, to: number): void {
    const at = from * this.#count + to
    assert(this.#blocks !== undefined && this.#blocks[at] !== 0, 'only a blocked path is unblocked', { from, to })
    this.#blocks[at] = (this.#blocks[at] as number) - 1
  }

  /** Holds back what is sent in this direction until then. */
  clog(from: number, to: number, until: Millis): void {
    const at = from * this.#count + to
    this.#clogs.set(at, Math.max(until, this.#clogs.get(at) ?? 0) as Millis)
  }

  unclogAll(): void {
    this.#clogs.clear()
  }

  isClogged(from: number, to: number, now: Millis): boolean {
    return this.#clogs.size > 0 && (this.#clogs.get(from * this.#count + to) ?? 0) > now
  }

  /** When a message sent now arrives, if nothing takes it. */
  arrival(now: Millis, from: number, to: number): Millis {
    const { reorderRate, reorderMs } = this.weather
    let at = now + this.latency.oneWayMs(from, to) + this.#random.exponential(this.latency.jitterMs)
    if (reorderRate > 0 && this.#random.chance(reorderRate)) at += this.#random.between(0, reorderMs)
    if (this.#clogs.size > 0) {
      const clog = from * this.#count + to
      const until = this.#clogs.get(clog)
      if (until !== undefined) {
        if (until > now) at += until - now
        else this.#clogs.delete(clog)
      }
    }
    return at as Millis
  }

  loses(): boolean {
    return this.weather.lossRate > 0 && this.#random.chance(this.weather.lossRate)
  }

  refuses(): boolean {
    const { refuseRate = 0 } = this.weather
    return refuseRate > 0 && this.#random.chance(refuseRate)
  }

  duplicates(): boolean {
    return this.weather.duplicateRate > 0 && this.#random.chance(this.weather.duplicateRate)
  }

  /** The body as it arrives: the same bytes, or a copy with one bit flipped. */
  carried(body: Uint8Array): Uint8Array {
    const { corruptRate } = this.weather
    if (corruptRate === 0 || body.length === 0 || !this.#random.chance(corruptRate)) return body
    const copy = body.slice()
    const at = this.#random.below(copy.length)
    copy[at] = (copy[at] as number) ^ (1 << this.#random.below(8))
    return copy
  }
}
