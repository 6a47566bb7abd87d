import type { AgentFacts } from '../../src/claims/index.ts'

export const SKILLS = ['a', 'b', 'c'] as const
export const TIERS = ['gold', 'silver'] as const

/** What an executor must be, said without the language of expressions (T-8). */
export type Fits = (facts: AgentFacts, machine: number) => boolean

const hasTier =
  (tier: string): Fits =>
  ({ labels }) =>
    labels.tier === tier
const isAt =
  (machine: number): Fits =>
  (_facts, at) =>
    at === machine

/** Conditions that tasks have in simulations, and what they mean. */
export const CONDITIONS: Readonly<Record<string, Fits>> = {
  'tier==gold': hasTier('gold'),
  'tier==silver': hasTier('silver'),
  'agent==agent1': ({ name }) => name === 'agent1',
  '!(node==n0)': (_facts, at) => at !== 0,
  'cpu>=2': ({ resources }) => (resources.cpu ?? 0) >= 2,
  ...Object.fromEntries(Array.from({ length: 8 }, (_, machine) => [`node==n${machine}`, isAt(machine)])),
}
