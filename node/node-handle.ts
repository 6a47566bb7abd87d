import type {
  AgentsReport,
  ConfigReport,
  CouncilLogReport,
  CouncilOutcome,
  CouncilProofFile,
  CouncilShowReport,
  CouncilStatusReport,
  DrainReport,
  NetworkStats,
  NodeEvent,
  NodeStatus,
  ParamsOf,
  PeersReport,
  TicketReport,
} from '../src/index.ts'
import type { EventCounter } from './observer.ts'
import type { AgentLine, Visit } from './visit.ts'

/** The council as this node follows it or takes part in it. Every failure is a SwarmError with a coded reason. */
export interface CouncilHandle {
  /** @throws SwarmError NOT_FOUND when a cell is asked for and this node is in none */
  status(request: ParamsOf<'council.status'>): CouncilStatusReport
  /** What was decided, oldest first. */
  log(request: ParamsOf<'council.log'>): CouncilLogReport | Promise<CouncilLogReport>
  show(request: ParamsOf<'council.show'>): CouncilShowReport
  /**
   * Proposes in the name of the organisation whose key this node holds, else (or where that key may not) in its own.
   *
   * @throws SwarmError with the machine's reason; NO_QUORUM when too few answered in time: the message names them, so does `missing`
   */
  propose(request: ParamsOf<'council.propose'>): Promise<CouncilOutcome>
  /** @throws SwarmError NOT_FOUND when nothing, or nothing any more, is known of that height */
  proof(request: ParamsOf<'council.proof'>): CouncilProofFile | Promise<CouncilProofFile>
}

/**
 * A running node as the socket, the HTTP endpoint and the command line see it. The daemon provides the real one; tests
 * provide another. Nothing here waits except `createTicket`, whose record must be durable before anyone holds it, and `drain`.
 */
export interface NodeHandle {
  readonly node: string
  readonly swarm: string
  readonly version: string
  /** Undefined while this node takes no part in one. */
  readonly council?: CouncilHandle | undefined
  status(): NodeStatus
  peers(): PeersReport
  agents(page: ParamsOf<'node.agents'>): AgentsReport
  /** Begins what one connection does with agents and tasks. */
  visit(line: AgentLine): Visit
  /** Takes nothing new from now on, and waits until what runs here has ended, or for so long. */
  drain(timeoutMs: number): Promise<DrainReport>
  /** Whoever waits for an answer about tasks is told that the node stops. */
  dismissVisitors(): void
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
