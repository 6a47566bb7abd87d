import { Random } from '../../src/kernel/index.ts'
import { CALM, cutPairs, formation, generateScenario, lossAndPauses, type Scenario } from '../../src/sim/index.ts'

export interface Campaign {
  readonly name: string
  readonly help: string
  /** Seeds that are run when nobody says how many. */
  readonly count: number
  scenario(seed: string, nodes: number | undefined): Scenario
}

/** One seed in ten has M-6's own weather, in which every death of a running node is false. */
const M6_EVERY = 10

const FORMATION_SIZES = [1, 2, 3, 7, 16, 33, 64, 100]

export const CAMPAIGNS: readonly Campaign[] = [
  {
    name: 'membership',
    help: 'random faults on 2 to 12 nodes, then a healed core: M-1 to M-7',
    count: 1_000,
    scenario: (seed, nodes) => {
      if (Number(seed) % M6_EVERY === 0) return lossAndPauses('membership', seed, nodes ?? 7, 120_000)
      const [nodesMin, nodesMax] = nodes === undefined ? [2, 12] : [nodes, nodes]
      return generateScenario({ name: 'membership', seed, nodesMin, nodesMax, safetyMs: 90_000 })
    },
  },
  {
    name: 'claims',
    help: 'work for 2 to 8 nodes under random faults, with agents of all kinds: T-1 to T-13',
    count: 200,
    scenario: (seed, nodes) => {
      const [nodesMin, nodesMax] = nodes === undefined ? [2, 8] : [nodes, nodes]
      return roughened(generateScenario({ name: 'claims', seed, nodesMin, nodesMax, safetyMs: 60_000 }))
    },
  },
  {
    name: 'claims-liar',
    help: 'the same among 3 to 8 nodes, one or two of which lie in their messages, half of the seeds in fair weather: CL-17 to CL-19',
    count: 200,
    scenario: (seed, nodes) => {
      const [nodesMin, nodesMax] = nodes === undefined ? [3, 8] : [nodes, nodes]
      const scenario = roughened(generateScenario({ name: 'claims-liar', seed, nodesMin, nodesMax, safetyMs: 45_000 }))
      return new Random(`fair/${seed}`).chance(0.5)
        ? { ...scenario, faults: {}, weather: CALM, halfOpenRate: 0 }
        : scenario
    },
  },
  {
    name: 'council',
    help: 'a council under random faults, with people, a liar and torn logs: B-1 to B-4, B-6, B-7, B-13, B-19, GR-1 to GR-5',
    count: 200,
    scenario: (seed, nodes) => {
      const [nodesMin, nodesMax] = nodes === undefined ? [1, 9] : [nodes, nodes]
      return governed(generateScenario({ name: 'council', seed, nodesMin, nodesMax, safetyMs: 60_000 }))
    },
  },
  {
    name: 'pauses',
    help: '5% loss and pauses of 2 s on 7 nodes for 5 minutes, nothing else: M-6',
    count: 100,
    scenario: (seed, nodes) => lossAndPauses('pauses', seed, nodes ?? 7, 300_000),
  },
  {
    name: 'cuts',
    help: 'pairs of 7 nodes that cannot reach each other, while everyone else reaches both',
    count: 100,
    scenario: (seed, nodes) => cutPairs('cuts', seed, nodes ?? 7, 120_000),
  },
  {
    name: 'formation',
    help: 'swarms of 1 to 100 nodes come together: M-7',
    count: FORMATION_SIZES.length,
    scenario: (seed, nodes) => {
      const size = nodes ?? (FORMATION_SIZES[Number(seed) % FORMATION_SIZES.length] as number)
      return formation('formation', seed, size, Number(seed) % 2 === 0 ? 0 : 2_000, 2_000)
    },
  },
  {
    name: 'scale',
    help: '1,000 nodes for 60 virtual seconds, with crashes',
    count: 1,
    scenario: (seed, nodes) => ({
      ...formation('scale', seed, nodes ?? 1_000, 15_000, 50_000),
      settleMs: 0,
      faults: { crash: { everyMs: 2_000, forMs: [500, 20_000] } },
    }),
  },
]

/** What strikes claims and nothing else: lanes that are full, and pauses that are longer than a lease. */
function roughened({ faults, weather, ...rest }: Scenario): Scenario {
  const random = new Random(`roughened/${rest.seed}`)
  // Two processes with one key are an operator's error, which membership reports; leases are per node.
  const { twin: _twin, pause, ...others } = faults
  const isLong = random.chance(0.5)
  const longest = isLong ? { forMs: [100, 30_000] as const } : {}
  return {
    ...rest,
    faults: { ...others, ...(pause === undefined ? {} : { pause: { ...pause, ...longest } }) },
    weather: { ...weather, corruptRate: 0, refuseRate: random.chance(0.4) ? random.between(0, 0.2) : 0 },
  }
}

/**
 * What strikes a council and nothing else: links and disks keep what they carry, and whoever is gone may come back: more
 * than f that are gone for good are more than any council survives.
 */
function governed({ faults, weather, ...rest }: Scenario): Scenario {
  const { twin: _twin, leave: _leave, ...others } = faults
  const random = new Random(`governed/${rest.seed}`)
  const join = others.join ?? (random.chance(0.4) ? { everyMs: 15_000, forMs: [0, 0] as const } : undefined)
  const refuseRate = random.chance(0.3) ? random.between(0, 0.2) : 0
  return {
    ...rest,
    faults: { ...others, ...(join === undefined ? {} : { join }) },
    weather: { ...weather, corruptRate: 0, refuseRate },
  }
}

export function campaignOf(name: string): Campaign | undefined {
  return CAMPAIGNS.find((campaign) => campaign.name === name)
}
