export type { Checker, Violation } from './checker.ts'
export { MachineClock, WALL_EPOCH } from './clock.ts'
export { EventQueue, SimEvent } from './event-queue.ts'
export { FaultDriver, type FaultHooks, machinesOf } from './fault-driver.ts'
export { cutPairs, formation, type GenerateOptions, generateScenario, lossAndPauses } from './generate.ts'
export { SimKeys } from './keys.ts'
export {
  LAN,
  type Latency,
  type LatencyMatrix,
  matrixLatency,
  parseLatencyMatrix,
  uniformLatency,
  WAN,
} from './latency.ts'
export type { Machine, Process } from './machine.ts'
export {
  disagreement,
  MembershipChecker,
  type MembershipProgram,
  type MembershipReading,
  type ViewedMember,
} from './membership-checker.ts'
export { MemoryLog } from './memory-log.ts'
export { Network, type NetworkCounts, TRANSPORT, type TransportParams } from './network.ts'
export { CALM, Paths, type Weather } from './paths.ts'
export type { SimPort } from './port.ts'
export type { Boot, Host, Program } from './program.ts'
export { type LivenessBounds, type Load, type RunOptions, type RunResult, runScenario } from './run-scenario.ts'
export {
  FAULT_KINDS,
  type FaultKind,
  type FaultPlan,
  type FaultPlans,
  type LatencyName,
  type Scenario,
} from './scenario.ts'
export { Simulation, type SimulationOptions, simAddress, simNodeId } from './simulation.ts'
export {
  bootSwarm,
  type Contact,
  type NodeParts,
  reservedOn,
  type SwarmBootOptions,
  SwarmProgram,
} from './swarm-program.ts'
export { Trace } from './trace.ts'
