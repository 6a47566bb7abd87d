import type {
  AgentsReport,
  ConfigReport,
  NetworkStats,
  NodeEvent,
  NodeStatus,
  ParamsOf,
  PeersReport,
  TicketReport,
} from '../src/index.ts'
import type { EventCounter } from './observer.ts'

/**
 * A running node as the socket, the HTTP endpoint and the command line see it. The daemon provides the real one; tests
 * provide another. Nothing here waits except `createTicket`, whose record must be durable before anyone holds it.
 */
export interface NodeHandle {
  readonly node: string
  readonly swarm: string
  readonly version: string
  status(): NodeStatus
  peers(): PeersReport
  agents(): AgentsReport
  config(): ConfigReport
  /** How often each kind of thing has happened. */
  counters(): readonly EventCounter[]
  /** What the network has counted, and how it stands. */
  network(): NetworkStats
  /** What happened lately, oldest first; a bounded number. */
  recentEvents(): readonly NodeEvent[]
  /** Calls the listener for every event from now on; the returned function ends that. The listener must not throw. */
  onEvent(listener: (event: NodeEvent) => void): () => void
  /** @throws SwarmError with a coded reason */
  createTicket(request: ParamsOf<'ticket.create'>): Promise<TicketReport>
}

/** A node that the daemon has opened and will close. */
export interface OpenedNode extends NodeHandle {
  /** Tells the others that it leaves, hands over what it can in a moment, and lets go of network and disk. */
  close(): Promise<void>
}
