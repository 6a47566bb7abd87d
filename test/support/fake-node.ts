import type { OpenedNode } from '../../node/node-handle.ts'
import type { AgentLine, Visit } from '../../node/visit.ts'
import { WorkDesk } from '../../node/work-desk.ts'
import type {
  ClaimsHostInput,
  ClaimsView,
  NetworkStats,
  NodeEvent,
  NodeStatus,
  ParamsOf,
  PeerReport,
} from '../../src/index.ts'
import { SwarmError } from '../../src/index.ts'
import { FakeCouncil } from './fake-council.ts'

export const PEERS: readonly PeerReport[] = [
  {
    node: '12D3KooWPeerOne',
    state: 'alive',
    roles: ['worker', 'custodian'],
    region: 'eu-west',
    zone: 'a',
    rttMs: 1.25,
    load: 0.5,
    since: '2026-01-01T00:00:00.000Z',
  },
  {
    node: '12D3KooWPeerTwo',
    state: 'dead',
    roles: [],
    region: '',
    zone: '',
    rttMs: null,
    load: null,
    since: '2026-01-01T00:00:00.000Z',
  },
]

const COUNTS = {
  accepted: 0,
  waiting: 0,
  offered: 0,
  running: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  deadLettered: 0,
}

/** Of claims that hold still too. */
const NO_CLAIMS: ClaimsView = {
  counts: COUNTS,
  epoch: 1,
  task: () => undefined,
  tasks: () => [].values(),
  agents: () => [].values(),
  leases: () => [].values(),
  report: () => ({ skills: [], resources: {}, capacity: {}, labels: {}, agents: 0, accepting: true }),
  snapshot: () => [],
}

/** A node that holds still: everything above the protocols can be tested on it. */
export class FakeNode implements OpenedNode {
  readonly node = '12D3KooWFake'
  readonly swarm = 'f00d'
  readonly version = '0.0.0-test'
  state: NodeStatus['state'] = 'running'
  closed = false
  readonly council = new FakeCouncil()
  readonly ticketRequests: ParamsOf<'ticket.create'>[] = []
  /** What `createTicket` does instead of making one. */
  ticketError: Error | undefined
  /** What agents and clients have said, for claims that are not there. */
  readonly told: ClaimsHostInput[] = []
  /** What those claims do about it, if anything. */
  onTold: ((input: ClaimsHostInput) => void) | undefined
  readonly work = new WorkDesk({
    tell: (input) => {
      this.told.push(input)
      this.onTold?.(input)
    },
    refusal: () => undefined,
    claims: () => NO_CLAIMS,
    agentsMax: 100,
    wallNow: () => 0,
    announce: (news) => {
      const event = news()
      for (const listener of this.#listeners) listener(event)
    },
  })
  readonly #listeners = new Set<(event: NodeEvent) => void>()
  readonly #events: NodeEvent[] = []

  status() {
    return {
      node: this.node,
      swarm: this.swarm,
      version: this.version,
      state: this.state,
      addresses: ['/ip4/127.0.0.1/tcp/4001'],
      socket: '',
      uptimeSeconds: 3661,
      certificateExpiresAt: '2026-04-01T00:00:00.000Z',
      roles: ['worker'],
      region: 'eu-west',
      zone: '',
      agents: 0,
      tasks: { waiting: 2, running: 0 },
      journals: 1,
      eventLoopLagMs: 1.5,
      pid: process.pid,
      memoryBytes: 64 * 1024 * 1024,
    }
  }

  peers() {
    return { peers: PEERS }
  }

  agents(page: ParamsOf<'node.agents'>) {
    return this.work.agents(page)
  }

  visit(line: AgentLine): Visit {
    return this.work.visit(line)
  }

  async drain() {
    return { drained: true, running: 0, open: 0 }
  }

  dismissVisitors() {
    this.work.close()
  }

  config() {
    return { values: [{ path: 'node.region', value: 'eu-west', origin: 'flag --region' }] }
  }

  network(): NetworkStats {
    const lane = { queuedMessages: 0, queuedBytes: 0, droppedCount: 0, sentMessages: 0 }
    const none = { connections: 0, connectionsInbound: 0, links: 0, streams: 0, sockets: 0 }
    const totals = {
      admissionsTotal: 0,
      muxersTotal: 0,
      dialsTotal: 3,
      dialsFailedTotal: 0,
      bytesInTotal: 0,
      bytesOutTotal: 0,
      sentMessages: { 'membership.ping': 4 },
    }
    const gossip = { gossipOutTotal: 0, gossipInTotal: 0, gossipRefusedTotal: 0 }
    const guards = { admissionsPending: 0, sourcesKnown: 0, peersWanted: 0, peersDenied: 0 }
    const refused = { refusedByUs: { WRONG_SWARM: 2 }, refusedByPeers: {}, turnedAway: {} }
    return { ...none, ...totals, ...gossip, ...guards, ...refused, lanes: { control: lane, work: lane, bulk: lane } }
  }

  counters() {
    return [{ name: 'member_down', help: 'Members declared dead.', value: 3 }]
  }

  recentEvents() {
    return this.#events
  }

  onEvent(listener: (event: NodeEvent) => void) {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  async createTicket(request: ParamsOf<'ticket.create'>) {
    if (this.ticketError !== undefined) throw this.ticketError
    if (request.org === 'stranger') throw new SwarmError('NOT_AUTHORITY', 'this node speaks for acme only')
    this.ticketRequests.push(request)
    return { ticket: 'swarm-ticket-1', expiresAt: '2026-01-02T00:00:00.000Z' }
  }

  async close() {
    this.closed = true
  }

  emit(kind: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const event = { kind, at: '2026-01-01T00:00:00.000Z', ...fields }
    this.#events.push(event)
    for (const listener of this.#listeners) listener(event)
  }

  get listenerCount(): number {
    return this.#listeners.size
  }
}
