import {
  FaultDriver,
  type FaultKind,
  generateScenario,
  LAN,
  machinesOf,
  type Scenario,
  Simulation,
  simAddress,
  simNodeId,
} from '../../src/sim/index.ts'
import { Toy } from './toys.ts'

/** What a run of toys under random faults comes to. */
export interface ToyRun {
  readonly hash: string
  readonly events: number
  readonly faults: Readonly<Record<FaultKind, number>>
}

/** Toys that ping each other through whatever the seed throws at them: as much chance per second as a protocol draws. */
export function runToys(seed: string, onTrace?: (line: string) => void): ToyRun {
  const scenario: Scenario = generateScenario({ name: 'toys', seed, nodesMin: 3, nodesMax: 8, safetyMs: 30_000 })
  const machines = machinesOf(scenario)
  const twin = scenario.faults.twin === undefined ? undefined : machines - 1
  const sim = new Simulation<Toy>({
    seed,
    machines,
    latency: LAN,
    weather: scenario.weather,
    transport: { halfOpenRate: scenario.halfOpenRate },
    nodeOf: (machine) => simNodeId(machine === twin ? 0 : machine),
    boot: (host) => {
      const toy = new Toy(host)
      for (let i = 0; i < machines; i++) {
        if (i !== host.machine && i !== twin) host.network.connect(simNodeId(i), [simAddress(i)])
      }
      toy.ping(host.random.between(50, 150))
      return toy
    },
    ...(onTrace === undefined ? {} : { onTrace }),
  })
  const driver = new FaultDriver(sim, scenario, { leave: () => undefined })
  driver.begin()
  sim.run(scenario.safetyMs)
  driver.heal()
  sim.run(scenario.safetyMs + 10_000)
  const [violation] = sim.violations
  if (violation !== undefined) throw new Error(violation.text)
  return { hash: sim.trace.hash, events: sim.queue.fired, faults: driver.counts }
}
