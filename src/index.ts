/** The public API of swarm-node, and the only door through which `node/` sees `src/`. */

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
export { DIRECTORY_PROFILES, type DirectoryParams } from './directory/index.ts'
export {
  createSigner,
  errorOf,
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
  SwarmError,
  type SwarmId,
  unreachable,
  type WallMillis,
} from './kernel/index.ts'
export {
  MEMBERSHIP_PROFILES,
  type MemberFacts,
  type MembershipParams,
  type MembershipView,
} from './membership/index.ts'
export type { Libp2pNetwork, NetworkOptions } from './net/index.ts'
export { createNetwork } from './network.ts'
export { AdmissionDesk } from './runtime/admission-desk.ts'
export { type Clock, realClock } from './runtime/clock.ts'
export { EXIT_INVARIANT, writeCrashReport } from './runtime/crash.ts'
export { Lifecycle, type Part } from './runtime/lifecycle.ts'
export { NodeRuntime } from './runtime/node-runtime.ts'
export { NodeState } from './runtime/node-state.ts'
export {
  type FoundingTerms,
  found,
  needsTicket,
  recall,
  refreshed,
  type Standing,
  standing,
} from './runtime/standing.ts'
export { openDataDirectory } from './storage/data-directory.ts'
export { type NodeLog, openNodeLog } from './storage/open-node-log.ts'
export { DEFAULT_LOG_PARAMS, type LogParams } from './storage/params.ts'
export { readSecretFile, writeSecretFile } from './storage/secret-file.ts'
export { composeSwarm, type HostObservation, OBSERVATIONS, rowOf } from './swarm/index.ts'
