import {
  type AdmissionDesk,
  type AgentsReport,
  type ConfigReport,
  type DrainReport,
  type Libp2pNetwork,
  type MembershipView,
  type NodeId,
  type NodeRuntime,
  type NodeStatus,
  type ParamsOf,
  type PeerReport,
  ROLES,
  type Role,
  realClock,
  type Standing,
  SwarmError,
  type TicketReport,
  ticketText,
} from '../src/index.ts'
import type { CouncilHandle, OpenedNode } from './node-handle.ts'
import type { Observer } from './observer.ts'
import type { Settings } from './settings.ts'
import { isShutOut } from './shut-out.ts'
import { refusedAsShutOut } from './shut-out-refusal.ts'
import { VERSION } from './version.ts'
import type { AgentLine, Visit } from './visit.ts'
import type { WorkDesk } from './work-desk.ts'

export interface NodeViewParts {
  readonly settings: Settings
  /** With the certificate that handshakes show now. */
  standing(): Standing
  readonly runtime: NodeRuntime
  readonly network: Libp2pNetwork
  readonly desk: AdmissionDesk
  readonly work: WorkDesk
  readonly council: CouncilHandle
  readonly observer: Observer
  close(): Promise<void>
}

/** A ticket gives these roles unless told otherwise (spec/interfaces.md). */
const TICKET_ROLES: readonly Role[] = ['worker', 'custodian', 'validator']

/** A running node as its servers see it: reads, and the few things that can be asked of it. */
export class NodeView implements OpenedNode {
  readonly #parts: NodeViewParts
  readonly #startedAt = realClock.now()

  constructor(parts: NodeViewParts) {
    this.#parts = parts
  }

  get node(): string {
    return this.#parts.standing().certificate.node
  }

  get swarm(): string {
    return this.#parts.standing().founding.swarm
  }

  readonly version = VERSION

  get council(): CouncilHandle {
    return this.#parts.council
  }

  status(): NodeStatus {
    const { runtime, network, settings, standing, work } = this.#parts
    const { accepted: _sum, deadLettered, ...counts } = runtime.host.swarm.claims.counts
    const self = this.#membership.self()
    return {
      node: self.node,
      swarm: this.swarm,
      version: VERSION,
      state: this.#state(),
      addresses: network.addresses().map((address) => `${address}/p2p/${self.node}`),
      socket: settings.start.socket,
      uptimeSeconds: Math.round((realClock.now() - this.#startedAt) / 1000),
      certificateExpiresAt: new Date(standing().certificate.notAfter).toISOString(),
      roles: self.roles,
      region: self.region,
      zone: self.zone,
      agents: work.agentCount,
      tasks: { ...counts, 'dead-lettered': deadLettered },
      journals: 0,
      eventLoopLagMs: Math.round(runtime.load.eventLoopLagMs * 10) / 10,
      pid: process.pid,
      memoryBytes: runtime.load.rssBytes,
    }
  }

  peers(): { readonly peers: readonly PeerReport[] } {
    const membership = this.#membership
    const self = membership.self().node
    const age = realClock.wallNow() - realClock.now()
    const peers: PeerReport[] = []
    for (const member of membership.members()) {
      if (member.node === self) continue
      const rttMs = membership.rttMs(member.node)
      peers.push({
        node: member.node,
        state: member.state,
        roles: member.roles,
        region: member.region,
        zone: member.zone,
        rttMs: rttMs === undefined ? null : Math.round(rttMs * 100) / 100,
        load: this.#loadOf(member.node),
        since: new Date(age + member.since).toISOString(),
      })
    }
    return { peers }
  }

  agents(page: ParamsOf<'node.agents'>): AgentsReport {
    return this.#parts.work.agents(page)
  }

  visit(line: AgentLine): Visit {
    return this.#parts.work.visit(line)
  }

  drain(timeoutMs: number): Promise<DrainReport> {
    return this.#parts.work.drain(timeoutMs)
  }

  dismissVisitors(): void {
    this.#parts.work.close()
  }

  config(): ConfigReport {
    return this.#parts.settings.report
  }

  counters(): ReturnType<Observer['counters']> {
    return this.#parts.observer.counters()
  }

  network(): ReturnType<Libp2pNetwork['stats']> {
    return this.#parts.network.stats()
  }

  recentEvents(): ReturnType<Observer['recentEvents']> {
    return this.#parts.observer.recentEvents()
  }

  onEvent(listener: Parameters<Observer['onEvent']>[0]): () => void {
    return this.#parts.observer.onEvent(listener)
  }

  async createTicket(request: ParamsOf<'ticket.create'>): Promise<TicketReport> {
    const { desk, network, settings } = this.#parts
    const state = this.#state()
    if (isShutOut(state)) throw refusedAsShutOut(state, 'nobody could join with its ticket')
    const addresses = network.addresses()
    if (addresses.length === 0) {
      const message =
        'this node has no address that others can dial: give it one with --listen, or make the ticket elsewhere'
      throw new SwarmError('BAD_REQUEST', message)
    }
    const ticket = desk.createTicket({
      roles: (request.roles ?? TICKET_ROLES).map(roleOf),
      ...(request.org === undefined ? {} : { org: request.org }),
      ttlMs: request.ttlMs ?? settings.config.security.ticketTtlMs,
      certificateTtlMs: settings.config.security.certificateTtlMs,
      usesMax: request.uses ?? settings.config.security.ticketUses,
      labels: {},
      addresses,
    })
    return { ticket: ticketText(ticket), expiresAt: new Date(ticket.notAfter).toISOString() }
  }

  close(): Promise<void> {
    return this.#parts.close()
  }

  #loadOf(node: NodeId): number | null {
    const digest = this.#parts.runtime.host.swarm.directory.entry(node)?.digest
    return digest === undefined ? null : digest.cpuThousandths / 1000
  }

  #state(): NodeStatus['state'] {
    const { runtime, work } = this.#parts
    return runtime.host.swarm.council?.shutOutAs ?? (work.isDraining ? 'draining' : 'running')
  }

  get #membership(): MembershipView {
    return this.#parts.runtime.host.swarm.membership
  }
}

function roleOf(text: string): Role {
  const role = ROLES.find((known) => known === text)
  if (role !== undefined) return role
  throw new SwarmError('BAD_REQUEST', `there is no role ${JSON.stringify(text)}: roles are ${ROLES.join(', ')}`)
}
