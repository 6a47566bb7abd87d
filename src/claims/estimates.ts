import { after, BoundedMap, type Millis } from '../kernel/index.ts'
import type { ClaimsParams } from './params.ts'

/** Weight of the newest value in running means. */
const MEAN_STEP = 0.2
/** How far a quantile moves per value, in mean deviations. */
const QUANTILE_STEP = 0.15
/** An agent's word for itself counts like so many outcomes. */
const PRIOR_OUTCOMES = 2
/** Outcomes count half after this many further ones. */
const OUTCOME_DECAY = 0.97
/** Bids are corrected by what they were off by, within reason. */
const CORRECTION_MIN = 0.2
const CORRECTION_MAX = 10

/** Mean and 90th percentile of a stream of durations, with the past fading; constant space. */
export class DurationEstimate {
  #count = 0
  #mean = 0
  #deviation = 0
  #p90 = 0

  get count(): number {
    return this.#count
  }

  get meanMs(): number {
    return this.#mean
  }

  get p90Ms(): number {
    return this.#p90
  }

  add(ms: number): void {
    this.#count += 1
    if (this.#count === 1) {
      this.#mean = ms
      this.#deviation = ms / 4
      this.#p90 = ms
      return
    }
    // The first values count as a plain mean, so that the very first is soon forgotten.
    const step = Math.max(MEAN_STEP, 1 / this.#count)
    this.#deviation += step * (Math.abs(ms - this.#mean) - this.#deviation)
    this.#mean += step * (ms - this.#mean)
    // Stochastic approximation: rises nine times as far as it falls, so it rests where 90% lie below (Robbins, Monro).
    const stride = QUANTILE_STEP * Math.max(this.#deviation, 1e-3)
    this.#p90 = Math.max(0, this.#p90 + (ms > this.#p90 ? 0.9 * stride : -0.1 * stride))
  }
}

/** What outcomes have taught about one executor and one skill. An own opinion is a prior and fades (AGT-7). */
export class Track {
  readonly service = new DurationEstimate()
  #good = 0
  #bad = 0
  #correction = 1
  #streak = 0
  #refusals = 0
  #refusedAt: Millis | undefined
  #openings = 0
  #openUntil = 0 as Millis
  /** A task is out to see whether the executor is well again. */
  probing = false

  /** 0 to 1: how often what it takes on ends well. */
  quality(prior: number): number {
    return (this.#good + prior * PRIOR_OUTCOMES) / (this.#good + this.#bad + PRIOR_OUTCOMES)
  }

  /** In a row, the things it did not take included. */
  get failures(): number {
    return this.#streak + this.#refusals
  }

  /** What a bid of so many ms has meant so far. */
  corrected(runMs: number): number {
    return runMs * this.#correction
  }

  succeeded(runMs: number, bidMs: number): boolean {
    this.service.add(runMs)
    this.#decay()
    this.#good += 1
    this.#streak = 0
    this.#refusals = 0
    this.probing = false
    if (bidMs > 0) {
      const ratio = Math.min(CORRECTION_MAX, Math.max(CORRECTION_MIN, (runMs + 1) / (bidMs + 1)))
      this.#correction = Math.min(CORRECTION_MAX, Math.max(CORRECTION_MIN, this.#correction * ratio ** MEAN_STEP))
    }
    const wasOpen = this.#openings > 0
    this.#openings = 0
    return wasOpen
  }

  /**
   * T-12. A task that failed elsewhere before is itself under suspicion: it lowers the quality, and opens no breaker
   * unless the executor was on probation. Returns for how long nobody turns to the executor, 0 if they still do.
   */
  failed(now: Millis, taskIsSuspect: boolean, params: ClaimsParams): number {
    this.#decay()
    this.#bad += taskIsSuspect ? 0.25 : 1
    const wasProbe = this.probing
    this.probing = false
    if (!taskIsSuspect) this.#streak += 1
    return this.#streak < params.breakerFailuresCount && !wasProbe ? 0 : this.#open(now, params)
  }

  /** It did not take what it had bid for, or was never heard of it again: bad luck, unless it goes on. Returns as `failed` does. */
  refused(now: Millis, params: ClaimsParams): number {
    const wasProbe = this.probing
    this.probing = false
    // Many that are lost at once are one piece of bad luck.
    if (now === this.#refusedAt || now < this.#openUntil) return 0
    this.#refusedAt = now
    this.#refusals += 1
    return this.#refusals < params.breakerFailuresCount && !wasProbe ? 0 : this.#open(now, params)
  }

  /** It took what it had bid for. */
  took(): void {
    this.#refusals = 0
  }

  #open(now: Millis, params: ClaimsParams): number {
    const openMs = Math.min(params.breakerOpenMaxMs, params.breakerOpenMinMs * 2 ** this.#openings)
    this.#openings = Math.min(30, this.#openings + 1)
    this.#openUntil = after(now, openMs)
    return openMs
  }

  /** Neither here nor there: what it was trying has been taken from it. */
  released(): void {
    this.probing = false
  }

  get isShunned(): boolean {
    return this.#openings > 0
  }

  /** Whether one may turn to it now; after a breaker's time, with one task at a time. */
  mayTry(now: Millis): boolean {
    return this.#openings === 0 || (now >= this.#openUntil && !this.probing)
  }

  get openUntil(): Millis {
    return this.#openUntil
  }

  #decay(): void {
    this.#good *= OUTCOME_DECAY
    this.#bad *= OUTCOME_DECAY
  }
}

/** Tracks by executor and skill. When there are too many, the oldest is forgotten. */
export class Tracks {
  readonly #tracks: BoundedMap<Track, { readonly executor: string; readonly skill: string }>
  /** The same by skill, then executor: both texts are there already, and one made of both would be made six times a task. */
  readonly #bySkill = new Map<string, Map<string, Track>>()
  readonly #skills: BoundedMap<string, DurationEstimate>
  readonly #params: ClaimsParams
  /** Peers with an open breaker, by skill: no more than there are tracks. */
  readonly #shunned = new Map<string, Set<string>>()

  constructor(params: ClaimsParams) {
    this.#params = params
    this.#tracks = new BoundedMap(params.tracksMax)
    this.#skills = new BoundedMap(params.tracksMax)
  }

  find(executor: string, skill: string): Track | undefined {
    return this.#bySkill.get(skill)?.get(executor)
  }

  of(executor: string, skill: string): Track {
    const known = this.find(executor, skill)
    if (known !== undefined) return known
    const track = new Track()
    const evicted = this.#tracks.set(track, { executor, skill })
    if (evicted !== undefined) this.#forget(evicted.value.executor, evicted.value.skill)
    const executors = this.#bySkill.get(skill)
    if (executors === undefined) this.#bySkill.set(skill, new Map([[executor, track]]))
    else executors.set(executor, track)
    return track
  }

  #forget(executor: string, skill: string): void {
    const executors = this.#bySkill.get(skill)
    executors?.delete(executor)
    if (executors?.size === 0) this.#bySkill.delete(skill)
    this.#forgive(executor, skill)
  }

  /** The outcome of one of ours at a peer. Returns for how long the peer is shunned, 0 if it is not. */
  peerFailed(node: string, skill: string, now: Millis, taskIsSuspect: boolean): number {
    return this.#shun(node, skill, this.of(node, skill).failed(now, taskIsSuspect, this.#params))
  }

  /** The same for one that it did not take. */
  peerRefused(node: string, skill: string, now: Millis): number {
    return this.#shun(node, skill, this.of(node, skill).refused(now, this.#params))
  }

  #shun(node: string, skill: string, openMs: number): number {
    if (openMs === 0) return 0
    const shunned = this.#shunned.get(skill)
    if (shunned === undefined) this.#shunned.set(skill, new Set([node]))
    else shunned.add(node)
    return openMs
  }

  peerSucceeded(node: string, skill: string, runMs: number, bidMs: number): boolean {
    const wasShunned = this.of(node, skill).succeeded(runMs, bidMs)
    if (wasShunned) this.#forgive(node, skill)
    return wasShunned
  }

  /** Peers that are not to be asked for that skill now. */
  shunned(skill: string, now: Millis): readonly string[] {
    const found: string[] = []
    for (const node of this.#shunned.get(skill) ?? []) {
      if (this.find(node, skill)?.mayTry(now) === false) found.push(node)
    }
    return found
  }

  #forgive(node: string, skill: string): void {
    const shunned = this.#shunned.get(skill)
    shunned?.delete(node)
    if (shunned?.size === 0) this.#shunned.delete(skill)
  }

  /** A run here took so long. */
  measured(skill: string, runMs: number): void {
    let estimate = this.#skills.get(skill)
    if (estimate === undefined) {
      estimate = new DurationEstimate()
      this.#skills.set(skill, estimate)
    }
    estimate.add(runMs)
  }

  /** Expected run time of the executor: its own past, else that of its kind here, else a guess. */
  expectedMs(executor: string, skill: string): number {
    const own = this.find(executor, skill)
    if (own !== undefined && own.service.count > 0) return own.service.meanMs
    return this.skillMs(skill)
  }

  skillMs(skill: string): number {
    const estimate = this.#skills.get(skill)
    return estimate === undefined ? this.#params.serviceUnknownMs : estimate.meanMs
  }
}
