import type { AgentKind } from './agent-messages.ts'

/**
 * The JSON shapes that scripts rely on (spec/interfaces.md): what the methods answer and what `--json` prints.
 * Times are ISO 8601 UTC with milliseconds unless a unit ends the name. Fields may be added, never renamed.
 */

/**
 * With the last two nobody talks. `revoked`: the council has ended its membership for good. `unvouched`: the key that
 * signed its certificate was withdrawn, or its organisation has ended its membership; with another ticket it is back.
 */
export const NODE_STATES = ['starting', 'running', 'draining', 'stopping', 'revoked', 'unvouched'] as const
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

/** `swarm-node agents --json`: those attached to this node, in the order in which they came. */
export interface AgentsReport {
  readonly agents: readonly AgentReport[]
  /** There are more: ask again with this as `after`. */
  readonly next?: string
}

export interface AgentReport {
  /** Names the attachment. */
  readonly agent: string
  readonly name: string
  readonly kind: AgentKind
  readonly skills: readonly { readonly name: string; readonly proficiency: number }[]
  /** Tasks at once. */
  readonly slots: number
  /** Slots in use. */
  readonly running: number
  /** Of those, taken by tasks that it was told to stop and has not let go of. */
  readonly stuck: number
  readonly resources: Readonly<Record<string, number>>
  readonly labels: Readonly<Record<string, string>>
  readonly price: number
  /** Serves these only; everybody when absent. */
  readonly tenants?: readonly string[]
  readonly attachedAt: string
}

/** What `node.drain` left behind. The node takes nothing new from then on and is to be stopped. */
export interface DrainReport {
  /** Whether everything that ran here has ended. */
  readonly drained: boolean
  /** What still runs at agents of this node. */
  readonly running: number
  /** Tasks of this node that have not ended: those that are durable go on when it is started again. */
  readonly open: number
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
