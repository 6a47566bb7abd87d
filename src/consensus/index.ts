export { certificateKey, highestTip } from './certificates.ts'
export { ConsensusCore, type ConsensusOptions } from './core.ts'
export { conflict } from './evidence.ts'
export type { HashFunction } from './hashing.ts'
export type { Applying, Machine, Refusal } from './machine.ts'
export { type Addressed, CONSENSUS_BODIES, KIND_OF_MESSAGE } from './messages.ts'
export {
  CHUNK_BYTES_MAX,
  CONSENSUS_DEFAULTS,
  type ConsensusParams,
  consensusParams,
  OPERATION_BYTES_MAX,
} from './params.ts'
export {
  type DecisionProof,
  decisionProofShape,
  type Founding,
  type Proven,
  proofOf,
  verifyDecision,
} from './proof.ts'
export { type LogRecord, logRecordShape } from './records.ts'
export { RULES, type Rules } from './rules.ts'
export type * from './types.ts'
