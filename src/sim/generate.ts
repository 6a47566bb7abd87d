import { Random } from '../kernel/index.ts'
import { CALM, type Weather } from './paths.ts'
import { FAULT_KINDS, type FaultKind, type FaultPlan, LATENCIES, type Scenario } from './scenario.ts'

/** How often each kind strikes, and for how long, when it is on: milliseconds; the mean gap is drawn up to 4x this. */
const TYPICAL: Readonly<Record<FaultKind, FaultPlan>> = {
  crash: { everyMs: 8_000, forMs: [200, 20_000] },
  powerLoss: { everyMs: 12_000, forMs: [1_000, 30_000] },
  pause: { everyMs: 4_000, forMs: [100, 4_000] },
  slow: { everyMs: 10_000, forMs: [2_000, 15_000] },
  partition: { everyMs: 15_000, forMs: [500, 20_000] },
  oneWay: { everyMs: 15_000, forMs: [500, 15_000] },
  cut: { everyMs: 8_000, forMs: [500, 20_000] },
  cutPair: { everyMs: 8_000, forMs: [500, 20_000] },
  isolate: { everyMs: 12_000, forMs: [500, 20_000] },
  clog: { everyMs: 5_000, forMs: [100, 5_000] },
  wallStep: { everyMs: 10_000, forMs: [0, 0] },
  drift: { everyMs: 10_000, forMs: [0, 0] },
  diskStall: { everyMs: 10_000, forMs: [50, 3_000] },
  leave: { everyMs: 30_000, forMs: [0, 0] },
  join: { everyMs: 15_000, forMs: [0, 0] },
  twin: { everyMs: 40_000, forMs: [2_000, 15_000] },
}

export interface GenerateOptions {
  readonly name: string
  readonly seed: string
  /** Bounds of the number of machines that is drawn. */
  readonly nodesMin: number
  readonly nodesMax: number
  readonly safetyMs: number
}

/** Draws a scenario: each kind of fault is on in about a third of all seeds, so that kinds also occur alone. */
export function generateScenario(options: GenerateOptions): Scenario {
  const random = new Random(`scenario/${options.name}/${options.seed}`)
  const nodes = options.nodesMin + random.below(options.nodesMax - options.nodesMin + 1)
  const faults: Partial<Record<FaultKind, FaultPlan>> = {}
  for (const kind of FAULT_KINDS) {
    const on = random.chance(0.35)
    const everyMs = TYPICAL[kind].everyMs * random.between(0.75, 4)
    if (on) faults[kind] = { everyMs, forMs: TYPICAL[kind].forMs }
  }
  return {
    name: options.name,
    seed: options.seed,
    nodes,
    latency: random.chance(0.6) ? 'lan' : random.pick(LATENCIES),
    formationMs: random.pick([0, 500, 5_000]),
    contacts: 1 + random.below(3),
    safetyMs: options.safetyMs,
    coreShareMin: 0.5,
    settleMs: 30_000,
    weather: drawWeather(random),
    halfOpenRate: random.chance(0.3) ? random.between(0, 0.5) : 0,
    faults,
  }
}

function drawWeather(random: Random): Weather {
  const rate = (share: number, max: number): number => (random.chance(share) ? random.between(0, max) : 0)
  return {
    lossRate: rate(0.5, 0.2),
    duplicateRate: rate(0.4, 0.1),
    reorderRate: rate(0.4, 0.3),
    reorderMs: random.between(1, 500),
    corruptRate: rate(0.15, 0.1),
  }
}

/** M-6's own weather: 5% loss and pauses of 2 s, nothing else; whatever is called dead here is called so falsely. */
export function lossAndPauses(name: string, seed: string, nodes: number, safetyMs: number): Scenario {
  return {
    name,
    seed,
    nodes,
    latency: 'lan',
    formationMs: 1_000,
    contacts: 2,
    safetyMs,
    coreShareMin: 1,
    settleMs: 30_000,
    weather: { ...CALM, lossRate: 0.05 },
    halfOpenRate: 0,
    faults: { pause: { everyMs: 8_000, forMs: [2_000, 2_000] } },
  }
}

/** Pairs that cannot reach each other, while everyone else reaches both: a broken path is no death (SWIM, 3.1). */
export function cutPairs(name: string, seed: string, nodes: number, safetyMs: number): Scenario {
  const { weather, ...rest } = lossAndPauses(name, seed, nodes, safetyMs)
  return {
    ...rest,
    weather: { ...weather, lossRate: 0 },
    faults: { cutPair: { everyMs: 8_000, forMs: [5_000, 20_000] } },
  }
}

/** Whether all that goes wrong in a scenario is pairs that are cut. */
export function isCutPairs({ weather, faults, halfOpenRate }: Scenario): boolean {
  const rest = weather.lossRate + weather.reorderRate + weather.corruptRate + halfOpenRate
  return rest === 0 && Object.keys(faults).join() === 'cutPair'
}

/** Whether a scenario's faults are no worse than M-6 allows for. */
export function isLossAndPauses({ weather, faults, halfOpenRate }: Scenario): boolean {
  const rest = weather.duplicateRate + weather.reorderRate + weather.corruptRate + halfOpenRate
  const onlyPauses = Object.keys(faults).every((kind) => kind === 'pause') && (faults.pause?.forMs[1] ?? 0) <= 2_000
  return weather.lossRate <= 0.05 && rest === 0 && onlyPauses
}

/** A swarm that only comes together: nothing fails, and everyone must know everyone. */
export function formation(name: string, seed: string, nodes: number, formationMs: number, safetyMs: number): Scenario {
  return {
    name,
    seed,
    nodes,
    latency: 'lan',
    formationMs,
    contacts: 2,
    safetyMs,
    coreShareMin: 1,
    settleMs: 30_000,
    weather: CALM,
    halfOpenRate: 0,
    faults: {},
  }
}
