export {
  AGENT_KINDS,
  type AgentKind,
  type AgentNotice,
  type AgentNotices,
  type AttachResult,
  HEARTBEATS_MISSED_MAX,
  type RunParams,
} from './agent-messages.ts'
export { ClientCodec, type ClientEvent } from './client-codec.ts'
export {
  COUNCIL_PROOF_FORMAT,
  COUNCIL_SECTIONS,
  type CouncilConviction,
  type CouncilDecision,
  type CouncilLogReport,
  type CouncilMemberState,
  type CouncilOutcome,
  type CouncilProofFile,
  type CouncilShowReport,
  type CouncilStatusReport,
  parseProofFile,
} from './council-messages.ts'
export type { Failure, Outcome, RequestId } from './frames.ts'
export { isJsonText, JsonText, stringify } from './json-text.ts'
export { type HelloResult, type HostMethod, METHODS, type MethodName, type ParamsOf, type ResultOf } from './methods.ts'
export type { AgentError, AgentOutcome, Order, RunOutcome } from './orders.ts'
export { checked, IPC_PROTOCOL, SESSION_LIMITS, type SessionLimits } from './params.ts'
export type {
  AgentReport,
  AgentsReport,
  ConfigReport,
  ConfigValueReport,
  DrainReport,
  EventsReport,
  MetricReport,
  MetricSample,
  MetricsReport,
  MetricType,
  NodeEvent,
  NodeState,
  NodeStatus,
  PeerReport,
  PeerState,
  PeersReport,
  StopReport,
  TicketReport,
} from './reports.ts'
export { Session } from './session.ts'
export {
  type BidReport,
  type CancelResult,
  GUARANTEES,
  type Guarantee,
  type HistoryEntry,
  type HistoryReport,
  type PlacementReport,
  type SubmitResult,
  TASK_STATES,
  type TaskFailure,
  type TaskRecord,
  type TaskState,
  type TasksReport,
  type WhyReason,
  type WhyReport,
} from './task-messages.ts'
export type { Call, CloseReason, ProgressReport, SessionEffect, SessionGreeting, SessionInput } from './types.ts'
