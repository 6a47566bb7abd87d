import type { Weather } from './paths.ts'

/** How often a fault strikes somewhere in the swarm, on average, and for how long it lasts: milliseconds. */
export interface FaultPlan {
  readonly everyMs: number
  readonly forMs: readonly [min: number, max: number]
}

/**
 * Every kind of fault that a scenario can switch on. A kind that is absent does not occur.
 *
 * - `crash`: the process ends at once, its kernel resets its connections; it starts again after `forMs`.
 * - `powerLoss`: the same, but nobody is told.
 * - `pause`: the process stands still (garbage collection, a stopped VM), then goes on late.
 * - `slow`: the process comes to everything up to 300 ms late.
 * - `partition`: the machines fall into two sides that cannot reach each other.
 * - `oneWay`: one side cannot reach the other, which can reach it.
 * - `cut`: some single pairs cannot reach each other (a partial partition).
 * - `cutPair`: one pair cannot reach each other, while everyone else reaches both.
 * - `isolate`: one machine reaches nobody.
 * - `clog`: some paths hold everything back, then let it go at once.
 * - `wallStep`: a wall clock jumps by up to an hour either way.
 * - `drift`: a clock changes its rate by up to 500 parts per million.
 * - `diskStall`: a disk answers nobody for a while.
 * - `leave`: a machine leaves for good, properly or not.
 * - `join`: a machine that was not there at first joins.
 * - `twin`: a second machine starts with the key of the first, for a while.
 */
export const FAULT_KINDS = [
  'crash',
  'powerLoss',
  'pause',
  'slow',
  'partition',
  'oneWay',
  'cut',
  'cutPair',
  'isolate',
  'clog',
  'wallStep',
  'drift',
  'diskStall',
  'leave',
  'join',
  'twin',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export type FaultPlans = { readonly [K in FaultKind]?: FaultPlan }

export const LATENCIES = ['lan', 'wan', 'aws'] as const
export type LatencyName = (typeof LATENCIES)[number]

/** Everything that decides how a run goes: equal scenarios give equal runs (SI-1). */
export interface Scenario {
  readonly name: string
  readonly seed: string
  /** Machines at the start. */
  readonly nodes: number
  readonly latency: LatencyName
  /** The machines start within this time, in random order; the first at once. */
  readonly formationMs: number
  /** How many earlier machines each one is told of. */
  readonly contacts: number
  readonly safetyMs: number
  /** At least this share of the members is healed after the safety phase; the rest is switched off. */
  readonly coreShareMin: number
  /** From agreement on, before a crash is tried. */
  readonly settleMs: number
  readonly weather: Weather
  /** Share of silent links that are noticed ten times too late. */
  readonly halfOpenRate: number
  readonly faults: FaultPlans
}
