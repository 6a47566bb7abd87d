export { ConsensusCore, type ConsensusOptions } from './core.ts'
export { contradictionIn } from './evidence.ts'
export type { HashFunction } from './hashing.ts'
export {
  type Addressed,
  blockShape,
  CONSENSUS_BODIES,
  commitCertificateShape,
  groupId,
  headerShape,
  KIND_OF_MESSAGE,
  payloadShape,
} from './messages.ts'
export { type ConsensusParams, consensusParams } from './params.ts'
export {
  type DecisionProof,
  decisionProofShape,
  type Founding,
  type Proven,
  proofOf,
  prove,
  verifyDecision,
} from './proof.ts'
export { type LogRecord, logRecordShape } from './records.ts'
export { RULES, type Rules } from './rules.ts'
export { requestBytes, voteBytes } from './statements.ts'
export type * from './types.ts'
