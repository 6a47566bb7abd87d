import { COMMIT_VIEWS_MAX, type ConsensusParams } from './params.ts'
import type { Rules } from './rules.ts'
import type { Seat } from './types.ts'

interface Record {
  /** Views of this primary skipped in a row. */
  strikes: number
  /** Turns it is still sat out. */
  turns: number
  /** How long its views took lately, smoothed; undefined before the first. */
  tookMs: number | undefined
  /** Order of the last strike: the latest offenders are sat out first. */
  struckAt: number
}

/** So many times the others' usual time is slow: less would punish distance. */
const SLOW_RATIO = 4
/** Never slow below this share of the time-out: there jitter decides. */
const SLOW_SHARE = 8
/** However quick views are, a time-out is this share of the configured one: a disk or a processor may pause. */
const QUICK_SHARE = 3

/**
 * How long to wait for a view (B-28), and for whom not at all (B-26). Only pace: nothing here can make a vote wrong.
 * One per epoch.
 */
export class Pace {
  readonly #params: ConsensusParams
  readonly #rules: Rules
  readonly #seats: Record[]
  readonly #satOutMax: number
  /** Views in a row that brought no decision: left by a prepare certificate, and skipped. */
  #certified = 0
  #skipped = 0
  #strikes = 0
  /** What views take here: the median over primaries; undefined before half of them have had one. */
  #usualMs: number | undefined
  /** Asked for several times in every step, changed with views and decisions only. */
  #timeoutMs: number | undefined

  constructor(params: ConsensusParams, rules: Rules, size: number, q: number) {
    this.#params = params
    this.#rules = rules
    this.#seats = Array.from({ length: size }, () => ({ strikes: 0, turns: 0, struckAt: 0, tookMs: undefined }))
    this.#satOutMax = rules.sitOutMax(size, q)
  }

  /**
   * Doubles from the second view without a decision: the first is the one whose commits are still on their way. So are those
   * of all before the next that everybody hears of (B-29), unless something went wrong.
   */
  timeoutMs(): number {
    this.#timeoutMs ??= this.#workOut()
    return this.#timeoutMs
  }

  #workOut(): number {
    const { viewTimeoutMs, viewTimeoutMaxMs } = this.#params
    const usual = this.#usualMs
    // Whoever takes longer than this is slow, and would be sat out for it.
    const baseMs = usual === undefined ? viewTimeoutMs : Math.max(viewTimeoutMs / QUICK_SHARE, usual * SLOW_RATIO)
    return this.#rules.timeoutMs(baseMs, viewTimeoutMaxMs, Math.max(0, this.#failures - 1))
  }

  /**
   * How long an idle primary waits for the commits of the tip: they are on their way for less than a view. Never longer than
   * half a time-out, whatever views took while the network was down: its proposal has to be prepared and committed before
   * others skip it.
   */
  commitWaitMs(): number {
    return Math.min(Math.max(this.#params.commitWaitMs, this.#usualMs ?? 0), this.timeoutMs() / 2)
  }

  get #failures(): number {
    return this.#skipped + Math.min(this.#certified, 1) + Math.max(0, this.#certified - 1 - COMMIT_VIEWS_MAX)
  }

  finalised(): void {
    this.#timeoutMs = undefined
    this.#certified = 0
    this.#skipped = 0
  }

  /**
   * A view was left by a prepare certificate: its primary did its part. If it took its time, much longer than the others
   * lately do, it is as good as silent: just under the time-out it would take most of the group's time.
   */
  certified(primary: Seat, tookMs: number | undefined): void {
    const record = this.#seats[primary]
    this.#timeoutMs = undefined
    this.#certified += 1
    if (record === undefined) return
    if (tookMs !== undefined) {
      record.tookMs = record.tookMs === undefined ? tookMs : (record.tookMs + tookMs) / 2
      this.#usualMs = this.#median(undefined)
    }
    if (tookMs !== undefined && this.#isSlow(record, tookMs)) this.#strike(record)
    else {
      // Otherwise members that each sit out another could keep each other from deciding for as long as turns last.
      record.strikes = 0
      record.turns = 0
    }
  }

  #isSlow(record: Record, tookMs: number): boolean {
    if (tookMs * SLOW_SHARE <= this.#params.viewTimeoutMs) return false
    const median = this.#median(record)
    return median !== undefined && tookMs > SLOW_RATIO * median
  }

  /** What the views of all primaries but one took lately, if half of them had any. */
  #median(except: Record | undefined): number | undefined {
    const took: number[] = []
    for (const record of this.#seats) if (record !== except && record.tookMs !== undefined) took.push(record.tookMs)
    if (took.length * 2 < this.#seats.length - 1) return undefined
    return sorted(took)[took.length >> 1]
  }

  /** A view was left by a skip certificate. Views sat out say nothing about how long views take. */
  skipped(primary: Seat, satOut: boolean): void {
    const record = this.#seats[primary]
    if (record === undefined || satOut) return
    this.#timeoutMs = undefined
    this.#skipped += 1
    this.#strike(record)
  }

  #strike(record: Record): void {
    this.#strikes += 1
    record.strikes = Math.min(record.strikes + 1, 16)
    record.turns = Math.min(2 ** record.strikes - 1, this.#params.sitOutTurnsMax)
    record.struckAt = this.#strikes
  }

  /** Whether this primary's view is to be skipped at once. Counts as one of its turns. */
  sitsOut(primary: Seat): boolean {
    const record = this.#seats[primary]
    if (record === undefined || record.turns === 0) return false
    const later = this.#seats.filter((other) => other.turns > 0 && other.struckAt > record.struckAt)
    if (later.length >= this.#satOutMax) return false
    record.turns -= 1
    return true
  }
}

/** In place and by insertion: there is one figure per member, and this is asked for with every view. */
function sorted(values: number[]): readonly number[] {
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as number
    let at = i
    for (; at > 0 && (values[at - 1] as number) > value; at--) values[at] = values[at - 1] as number
    values[at] = value
  }
  return values
}
