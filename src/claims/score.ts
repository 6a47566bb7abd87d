import type { Objective } from './types.ts'

/** One way to have it done, with what is known of it. */
export interface Offered {
  readonly runMs: number
  readonly waitMs: number
  readonly price: number
  /** 0 to 1. */
  readonly quality: number
  /** Share of its slots in use, 0 to 1. */
  readonly load: number
  /** Share of the wishes that it fulfils. */
  readonly preference: number
}

/** What fulfilling all wishes counts for, next to an objective of 1. */
const PREFERENCE_WEIGHT = 2

/**
 * Scores of all offers side by side, 0 to 1: each side is relative to the best of those offered, so that no unit needs a
 * scale, and the sides are weighted by the objective (ALC-3). Equal sealed bids get equal scores, whoever came first.
 */
export function scoreAll(offered: readonly Offered[], objective: Objective): readonly number[] {
  let soonest = Number.POSITIVE_INFINITY
  let cheapest = Number.POSITIVE_INFINITY
  for (const each of offered) {
    soonest = Math.min(soonest, each.runMs + each.waitMs)
    cheapest = Math.min(cheapest, each.price)
  }
  const { throughput, latency, quality, cost } = objective
  const whole = throughput + latency + quality + cost + PREFERENCE_WEIGHT
  return offered.map((each) => {
    const sum =
      throughput * (1 - Math.min(1, each.load)) +
      latency * ((soonest + 1) / (each.runMs + each.waitMs + 1)) +
      quality * each.quality +
      cost * (each.price <= cheapest ? 1 : (cheapest + 1e-9) / (each.price + 1e-9)) +
      PREFERENCE_WEIGHT * each.preference
    return sum / whole
  })
}
