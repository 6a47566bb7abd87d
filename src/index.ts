/** The public API of swarm-node, and the only door through which `node/` sees `src/`. */

export { byzantineTrials, type Trial } from './byzantine-trials.ts'
export {
  type AgentFacts,
  type AgentId,
  type AttachedAgent,
  CLAIMS_PROFILES,
  type ClaimsAnswer,
  type ClaimsParams,
  type ClaimsRequest,
  type ClaimsView,
  type Refusal,
  type RequestId as ClaimsRequestId,
  type RunOrder,
  type Submission,
  type TaskReport as ClaimsReport,
} from './claims/index.ts'
export * from './client/index.ts'
export {
  badConfiguration,
  type Config,
  type ConfigSources,
  clusterParameters,
  configJsonSchema,
  describeConfig,
  formatDuration,
  LOG_LEVELS,
  parseDuration,
  type ResolvedConfig,
  resolveConfig,
} from './config/index.ts'
export type { LogTrust, Outcome as ProposalOutcome } from './consensus/index.ts'
export { contradictionIn } from './consensus/index.ts'
export type { GovernedRow, Proposal, Shown } from './council/index.ts'
export {
  type ActOf,
  actOf,
  decodeCouncilResult,
  decodeOperation,
  encodeOperation,
  overviewOf,
  shownOf,
} from './council/index.ts'
export { DIRECTORY_PROFILES, type DirectoryParams } from './directory/index.ts'
export {
  type Certificate,
  CONTACT_ADDRESSES_MAX,
  CONTACTS_MAX,
  type Contact,
  certificateReader,
  checkSignatures,
  createSealer,
  createSigner,
  errorOf,
  type Founding,
  KeyPair,
  type MemberParty,
  parseTicket,
  ROLES,
  type Role,
  type Ticket,
  TicketLedger,
  ticketText,
} from './identity/index.ts'
export * from './ipc/index.ts'
export {
  BoundedMap,
  BoundedQueue,
  ERROR_CODES,
  type ErrorCode,
  InvariantError,
  isNodeId,
  type Millis,
  type NodeId,
  Random,
  type Result,
  SwarmError,
  type SwarmId,
  TokenBucket,
  unreachable,
  type WallMillis,
} from './kernel/index.ts'
export {
  MEMBERSHIP_PROFILES,
  type MemberFacts,
  type MembershipParams,
  type MembershipView,
} from './membership/index.ts'
export type { Libp2pNetwork, NetworkOptions, NetworkStats } from './net/index.ts'
export { createNetwork } from './network.ts'
export {
  AdmissionDesk,
  type Clock,
  EXIT_INVARIANT,
  type FoundingTerms,
  found,
  isInForce,
  issuerFor,
  Lifecycle,
  mustTellDates,
  NodeRuntime,
  NodeState,
  needsTicket,
  openCell,
  openCouncil,
  type Part,
  realClock,
  recall,
  refreshed,
  renewed,
  type Standing,
  signatureCheck,
  standing,
  writeCrashReport,
} from './runtime/index.ts'
export {
  type DataDirectory,
  DEFAULT_LOG_PARAMS,
  type LogParams,
  makeDataDirectory,
  makeDirectory,
  type NodeLog,
  openDataDirectory,
  openNodeLog,
  readSecretFile,
  writeSecretFile,
} from './storage/index.ts'
export {
  type ClaimsHostEffect,
  type ClaimsHostInput,
  COUNCIL,
  type Complete,
  type CouncilDesk,
  composeSwarm,
  type Decided,
  decisionProofBytes,
  type HostObservation,
  ISSUER_LABEL,
  OBSERVATIONS,
  type ProvenBlock,
  rowOf,
  verifyProof,
} from './swarm/index.ts'
export type { NetworkPort } from './wire/index.ts'
