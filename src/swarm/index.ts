export { BODIES, decodeBody, encodeBody, type Message } from './codec.ts'
export { composeSwarm, type SwarmOptions } from './compose.ts'
export { SwarmHost, type SwarmHostOptions } from './host.ts'
export {
  type CoreObservation,
  type HostObservation,
  OBSERVATIONS,
  type ObservationRow,
  rowOf,
} from './observations.ts'
export { decodeNodeRecord, encodeNodeRecord, type NodeRecord, nodeRecord } from './records.ts'
export { Swarm, type SwarmCores } from './swarm.ts'
export type { LoadSample, SwarmEffect, SwarmInput } from './types.ts'
