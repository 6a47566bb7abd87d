import type {
  AgentsReport,
  ConfigReport,
  NodeEvent,
  NodeStatus,
  ParamsOf,
  PeersReport,
  TicketReport,
} from '../src/index.ts'

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
  /** What happened lately, oldest first; a bounded number. */
  recentEvents(): readonly NodeEvent[]
  /** Calls the listener for every event from now on; the returned function ends that. The listener must not throw. */
  onEvent(listener: (event: NodeEvent) => void): () => void
  /** @throws SwarmError with a coded reason */
  createTicket(request: ParamsOf<'ticket.create'>): Promise<TicketReport>
  /** Begins an orderly stop and returns at once; `reason` is for the log. A second call changes nothing. */
  requestStop(reason: string): void
}
