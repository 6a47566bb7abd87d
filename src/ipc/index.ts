export { ClientCodec, type ClientEvent } from './client-codec.ts'
export type { Failure, Outcome, RequestId } from './frames.ts'
export { type HelloResult, type HostMethod, METHODS, type MethodName, type ParamsOf, type ResultOf } from './methods.ts'
export { checked, IPC_PROTOCOL, SESSION_LIMITS, type SessionLimits } from './params.ts'
export type {
  AgentReport,
  AgentsReport,
  ConfigReport,
  ConfigValueReport,
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
export type { Call, CloseReason, SessionEffect, SessionGreeting, SessionInput } from './types.ts'
