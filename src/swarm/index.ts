export { DUE_SHARE_MAX, ISSUER_LABEL, type IssueRequest } from '../renewal/index.ts'
export { CELL_SIZE_MAX, CellDesk, type CellOptions, FIRST_CELL } from './cell-desk.ts'
export { BODIES, encodeBody, type Message } from './codec.ts'
export { composeSwarm, type SwarmOptions } from './compose.ts'
export { COUNCIL, CouncilDesk, type CouncilOptions } from './council-desk.ts'
export { type ProvenBlock, verifyProof } from './decision-proof.ts'
export { type Complete, type Decided, decisionProofBytes, GroupLog, GroupLogs, type GroupRecord } from './group-log.ts'
export { SwarmHost, type SwarmHostOptions } from './host.ts'
export {
  type CoreObservation,
  type HostObservation,
  OBSERVATIONS,
  type ObservationRow,
  rowOf,
} from './observations.ts'
export type { GroupTerms } from './open-group.ts'
export { decodeNodeRecord, encodeNodeRecord, type NodeRecord } from './records.ts'
export { coreRecords, Swarm, type SwarmCores } from './swarm.ts'
export type { ClaimsHostEffect, ClaimsHostInput, LoadSample, Proposal, SwarmEffect, SwarmInput } from './types.ts'
