/**
 * The JSON shapes that scripts rely on (spec/interfaces.md): what the methods answer and what `--json` prints.
 * Times are ISO 8601 UTC with milliseconds unless a unit ends the name. Fields may be added, never renamed.
 */

export const NODE_STATES = ['starting', 'running', 'draining', 'stopping'] as const
export type NodeState = (typeof NODE_STATES)[number]

/** `swarm-node status --json`. */
export interface NodeStatus {
  readonly node: string
  readonly swarm: string
  readonly version: string
  readonly state: NodeState
  /** Multiaddrs that others can dial. */
  readonly addresses: readonly string[]
  readonly socket: string
  readonly uptimeSeconds: number
  /** When this node's certificate ends, unless it is renewed before; it is, by itself, while an issuer can be reached. */
  readonly certificateExpiresAt: string
  readonly roles: readonly string[]
  readonly region: string
  readonly zone: string
  /** How many agents are attached here. */
  readonly agents: number
  /** How many tasks this node knows, by state. */
  readonly tasks: Readonly<Record<string, number>>
  /** How many journals this node holds a copy of. */
  readonly journals: number
  readonly eventLoopLagMs: number
  /** The operating system's number for the process. */
  readonly pid: number
  /** Bytes of memory in use (resident set). */
  readonly memoryBytes: number
  /** The address of the HTTP endpoint, when there is one. */
  readonly http?: string
}

export type PeerState = 'alive' | 'suspect' | 'dead' | 'left'

/** One row of `swarm-node peers --json`. */
export interface PeerReport {
  readonly node: string
  readonly state: PeerState
  readonly roles: readonly string[]
  readonly region: string
  readonly zone: string
  /** Smoothed round trip, or its estimate from coordinates; null while nothing is known. */
  readonly rttMs: number | null
  /** How busy, 0 (idle) to 1 (full) and beyond; null while nothing is known. */
  readonly load: number | null
  /** When it entered this state. */
  readonly since: string
}

export interface PeersReport {
  readonly peers: readonly PeerReport[]
}

/** `swarm-node agents --json`. */
export interface AgentsReport {
  readonly agents: readonly AgentReport[]
}

export interface AgentReport {
  readonly agent: string
  readonly name: string
  readonly skills: readonly { readonly name: string; readonly proficiency: number }[]
}

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary'

/** One metric with its samples, as `/metrics` shows it in text. */
export interface MetricReport {
  readonly name: string
  readonly help: string
  readonly type: MetricType
  readonly values: readonly MetricSample[]
}

export interface MetricSample {
  /** Differs from the metric's name for a histogram's buckets, sum and count. */
  readonly name: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

export interface MetricsReport {
  readonly metrics: readonly MetricReport[]
}

/** What happened, for people: the params of the notification `event`, without its subscription. */
export interface NodeEvent {
  readonly kind: string
  readonly at: string
  readonly [field: string]: unknown
}

export interface EventsReport {
  readonly events: readonly NodeEvent[]
}

/** `swarm-node ticket create --json`. */
export interface TicketReport {
  readonly ticket: string
  readonly expiresAt: string
}

/** One configuration value and where it came from. */
export interface ConfigValueReport {
  /** Dotted path. */
  readonly path: string
  readonly value: unknown
  /** For example `default`, `profile lan`, `file /etc/swarm.yaml`, `environment SWARM_NODE_…`, `flag --region`. */
  readonly origin: string
}

export interface ConfigReport {
  readonly values: readonly ConfigValueReport[]
}

/** The process that was asked to stop. */
export interface StopReport {
  readonly pid: number
}
