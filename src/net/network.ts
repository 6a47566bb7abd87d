import { type CertificateFault, KeyPair, type Ticket } from '../identity/index.ts'
import { assert, type NodeId, SwarmError, type WallMillis } from '../kernel/index.ts'
import {
  type Lane,
  type LinkDownReason,
  MESSAGE_KINDS,
  type MessageKind,
  type NetworkHandler,
  type NetworkPort,
  type SendOutcome,
} from '../wire/index.ts'
import { AdmissionControl } from './admission.ts'
import { Connections, type Member } from './connections.ts'
import type { ProviderTable } from './dht.ts'
import { Dialer, dial } from './dialer.ts'
import { ExpiryWatch } from './expiry.ts'
import type { Turned } from './gate.ts'
import { Gossip } from './gossip.ts'
import { addressesToAnnounce, createHost, type Host, startHost } from './host.ts'
import { LinkDriver, type LinkHandler, type LinkStreams, linkProtocol } from './link-driver.ts'
import type { JoinGrant, NetworkOptions, NetworkStats } from './options.ts'
import { HOST_STOP_MS } from './params.ts'
import { Penalties } from './penalties.ts'
import { dialError } from './refusal.ts'
import { networkStats } from './stats.ts'

/** Builds the network; it listens from {@link Libp2pNetwork.start} on. */
export async function createNetwork(options: NetworkOptions): Promise<Libp2pNetwork> {
  const self = KeyPair.fromSeed(options.seed).node
  const penalties = new Penalties()
  const turnedAway: Partial<Record<Turned, number>> = {}
  const admission = new AdmissionControl({
    self,
    clock: options.clock,
    party: () => options.party(),
    grant: options.grant?.bind(options),
    onUnknownAuthority: (peer) => options.onUnknownAuthority?.(peer),
    unwelcome: (peer) => (penalties.denied(options.clock.now(), peer) ? DENIED : undefined),
  })
  const host = await createHost(options, admission, turnedAway)
  return new Libp2pNetwork({ self, options, penalties, turnedAway, admission, host })
}

const DENIED = {
  code: 'UNAUTHORISED',
  message: 'this node was cut off for messages that no correct node sends: it may come back in a minute',
} as const

export interface NetworkParts {
  readonly self: NodeId
  readonly options: NetworkOptions
  readonly penalties: Penalties
  readonly turnedAway: Readonly<Partial<Record<Turned, number>>>
  readonly admission: AdmissionControl
  readonly host: Host
}

/**
 * The network port over libp2p. Life: `start`, then `join` for a newcomer, then `serve` once somebody is there to take
 * events, then `stop`. Between `start` and `serve` peers are admitted, but their links wait.
 */
export class Libp2pNetwork implements NetworkPort {
  readonly self: NodeId
  readonly #parts: NetworkParts
  readonly #connections: Connections
  readonly #links: LinkDriver
  readonly #sent: Partial<Record<MessageKind, number>> = {}
  readonly #gossip: Gossip
  readonly #dialer: Dialer
  readonly #expiry: ExpiryWatch
  #handler: NetworkHandler | undefined
  #stopping = false

  constructor(parts: NetworkParts) {
    const { self, options, admission } = parts
    const { node, pubsub } = parts.host
    const { clock } = options
    this.self = self
    this.#parts = parts
    this.#connections = new Connections({
      node,
      admission,
      onMet: (connection) => parts.host.acquaintance.met(connection),
      onOpened: (peer) => this.#onOpened(peer),
      onClosed: (member, goodbye) => this.#onClosed(member, goodbye ? 'closed-by-peer' : 'connection-lost'),
    })
    this.#links = new LinkDriver({
      self,
      protocolOf: (lane) => linkProtocol(options.swarm, lane),
      streams: this.#streams(),
      handler: this.#linkHandler(),
      kinds: MESSAGE_KINDS,
      now: () => clock.now(),
    })
    this.#gossip = new Gossip({
      swarm: options.swarm,
      clock,
      pubsub,
      faultOf: (kind, body) => (this.#handler === undefined ? undefined : this.#handler.faultOfGossip(kind, body)),
      onGossip: (from, kind, body) => this.#handler?.onGossip(from, kind, body),
      onPenalty: (from, points, reason) => this.penalise(from, points, reason),
    })
    this.#dialer = new Dialer({
      node,
      clock,
      random: options.random.fork('dial'),
      isConnected: (peer) => this.#connections.has(peer),
      onFailed: (peer, addresses, error) =>
        this.#handler?.onDialFailed(peer, addresses.join(' '), error.code, error.message),
    })
    this.#expiry = new ExpiryWatch(clock, this.#connections, (peer) => this.#end(peer, 'certificate-expired'))
  }

  /**
   * Listens and lets members in.
   *
   * @throws SwarmError ADDRESS_IN_USE, BAD_CONFIGURATION
   */
  async start(): Promise<void> {
    const { host, options } = this.#parts
    await this.#links.start()
    await startHost(host)
    this.#connections.start()
    host.node.addEventListener('peer:disconnect', ({ detail }) => host.acquaintance.parted(detail))
    this.#gossip.start()
    host.node.addEventListener('self:peer:update', () => options.onAddresses?.(this.addresses()))
  }

  /**
   * Exchanges a ticket for a certificate at its issuer. The connection is that of a member from then on; the caller
   * keeps the certificate and answers `party()` with it before it calls {@link serve}.
   *
   * @param giveUp ends the attempt
   * @throws SwarmError with the code of the refusal, or TICKET_ISSUER_UNREACHABLE
   */
  async join(ticket: Ticket, giveUp?: AbortSignal): Promise<JoinGrant> {
    const { admission, host } = this.#parts
    admission.useTicket(ticket)
    try {
      const connection = await dial(host.node, ticket.issuer, ticket.addresses, giveUp)
      const admitted = admission.of(connection)
      assert(admitted?.joined !== undefined, 'a newcomer was let in without a certificate')
      const issuer = this.#connections.get(ticket.issuer)?.credentials
      if (issuer === undefined) throw new SwarmError('HANDSHAKE_FAILED', 'the issuer hung up at once: try again')
      return { ...admitted.joined, issuer }
    } catch (cause) {
      throw joinError(cause, ticket)
    } finally {
      admission.withdrawTicket()
    }
  }

  /** From now on events go to this handler, first of all those of the links that are there. */
  serve(handler: NetworkHandler): void {
    assert(this.#handler === undefined, 'a network serves one handler')
    this.#handler = handler
    for (const [peer] of this.#connections.all()) this.#links.attach(peer)
    this.#dialer.run()
  }

  send(to: NodeId, kind: MessageKind, body: Uint8Array): SendOutcome {
    const outcome = this.#links.send(to, kind, body)
    if (outcome === 'queued') this.#sent[kind] = (this.#sent[kind] ?? 0) + 1
    return outcome
  }

  publish(kind: MessageKind, body: Uint8Array): void {
    if (!this.#stopping) this.#gossip.publish(kind, body)
  }

  connect(peer: NodeId, addresses: readonly string[]): void {
    if (this.#stopping || peer === this.self) return
    this.#dialer.plan.want(this.#now(), peer, addresses, this.#connections.has(peer))
    this.#dialer.run()
  }

  disconnect(peer: NodeId, reason: LinkDownReason): void {
    this.#dialer.unwant(peer)
    this.#end(peer, reason)
  }

  penalise(peer: NodeId, points: number, reason: string): void {
    this.#parts.options.onPenalised?.(peer, points, reason)
    if (this.#parts.penalties.charge(this.#now(), peer, points)) this.#end(peer, 'protocol-violation')
  }

  /** The certificates of this node are void: ends its connection now (P-10). `party()` must know it already. */
  revoke(peer: NodeId): void {
    this.#end(peer, 'certificate-revoked')
  }

  /**
   * Other keys speak for organisations from now on, or for other nodes: ends the connections of those whom a withdrawn one
   * had certified when they were let in, and of those whom their organisation has expelled (P-10). Who has another certificate since dials again with that.
   */
  reconsider(): void {
    const { admission, options } = this.#parts
    const verifier = options.party()?.verifier
    if (verifier === undefined) return
    for (const [peer, { connection }] of [...this.#connections.all()]) {
      const shown = admission.of(connection)?.shown
      const judged = shown === undefined ? undefined : verifier.certificate(shown)
      if (judged?.ok === false && isVoid(judged.error)) this.#end(peer, 'certificate-revoked')
    }
  }

  /** A connected peer has shown a later certificate: its connection lives as long as that. */
  renewed(peer: NodeId, certificateExpiresAt: WallMillis): void {
    const member = this.#connections.get(peer)
    if (member === undefined) return
    member.credentials = { ...member.credentials, certificateExpiresAt }
    this.#expiry.arm()
  }

  /** Where others can reach this node, as texts without its own id (P-11). */
  addresses(): readonly string[] {
    return addressesToAnnounce(this.#parts.host, this.#parts.options)
  }

  /** The DHT's provider records, when the node was made with a DHT. */
  get providers(): ProviderTable | undefined {
    return this.#parts.host.providers
  }

  stats(): NetworkStats {
    return networkStats(this.#parts, this.#connections, this.#links, this.#gossip, this.#dialer, this.#sent)
  }

  /** Says goodbye to everyone and closes everything, within 1 s (P-12). Never throws. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#dialer.stop()
    this.#expiry.stop()
    for (const [, member] of this.#connections.all()) this.#down(member, 'shutting-down')
    await this.#links.stop().catch(ignore)
    await this.#connections.releaseAll()
    await Promise.race([this.#parts.host.node.stop(), delay(HOST_STOP_MS)]).catch(ignore)
  }

  #now(): ReturnType<NetworkOptions['clock']['now']> {
    return this.#parts.options.clock.now()
  }

  #onOpened(peer: NodeId): void {
    this.#dialer.plan.connected(peer)
    this.#expiry.arm()
    if (this.#stopping) this.#end(peer, 'shutting-down')
    else if (this.#handler !== undefined) this.#links.attach(peer)
  }

  #onClosed(member: Member, reason: LinkDownReason): void {
    const peer = member.credentials.node
    this.#links.detach(peer)
    this.#down(member, reason)
    this.#dialer.plan.lost(this.#now(), peer)
    this.#dialer.run()
  }

  /** Ends a connection for a reason of ours. What it still held for a peer that may not come back is dropped. */
  #end(peer: NodeId, reason: LinkDownReason): void {
    if (!this.#connections.has(peer)) return
    // The lanes close first: a stream that breaks while its connection says goodbye would turn that into a reset.
    this.#links.detach(peer, { forget: reason !== 'closed-by-us' && reason !== 'shutting-down' })
    const member = this.#connections.release(peer)
    if (member === undefined) return
    this.#down(member, reason)
    this.#dialer.plan.lost(this.#now(), peer)
    if (!this.#stopping) this.#dialer.run()
  }

  /** P-6: once for each link that was up, and never from inside a call into the port. */
  #down(member: Member, reason: LinkDownReason): void {
    if (!member.linked) return
    member.linked = false
    queueMicrotask(() => this.#handler?.onLinkDown(member.credentials.node, reason))
  }

  #streams(): LinkStreams {
    const { node } = this.#parts.host
    return {
      open: (peer, protocol, signal) => this.#connections.openStream(peer, protocol, signal),
      handle: (protocol, onStream) =>
        node.handle(protocol, (stream, connection) => onStream(stream, connection.remotePeer.toString() as NodeId), {
          maxInboundStreams: LANE_STREAMS_MAX,
          maxOutboundStreams: LANE_STREAMS_MAX,
          runOnLimitedConnection: true,
        }),
      unhandle: (protocol) => node.unhandle(protocol),
    }
  }

  #linkHandler(): LinkHandler {
    return {
      onOpen: (peer) => {
        const member = this.#connections.get(peer)
        if (member === undefined || member.linked) return
        member.linked = true
        this.#dialer.plan.linked(peer)
        this.#handler?.onLinkUp(member.credentials)
      },
      onFailed: (peer) => this.#end(peer, 'connection-lost'),
      onMessage: (peer, kind, body) => this.#handler?.onMessage(peer, kind, body),
      onRoom: (peer: NodeId, lane: Lane) => this.#handler?.onRoom(peer, lane),
      onGap: (peer: NodeId, lane: Lane) => this.#handler?.onGap(peer, lane),
      onPenalty: (peer, points, reason) => this.penalise(peer, points, reason),
    }
  }
}

/** A lane has one stream; a second one may be there for a moment, when a connection replaces another. */
const LANE_STREAMS_MAX = 2

function joinError(cause: unknown, ticket: Ticket): SwarmError {
  const error = dialError(cause)
  // Without a word from the issuer the ticket is as good as before: it is the way there that is at fault.
  if (error.code !== 'TIMEOUT' && error.code !== 'HANDSHAKE_FAILED') return error
  const where = ticket.addresses.join(', ')
  const what = `the node that made the ticket cannot be reached at ${where} (${error.message}): check that it runs`
  return new SwarmError('TICKET_ISSUER_UNREACHABLE', what, { cause: error })
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}

function ignore(): void {
  // A part that fails to stop ends with the process.
}

/** Whether a certificate counts no more that did when it was shown. */
function isVoid(fault: CertificateFault): boolean {
  return fault === 'AUTHORITY_WITHDRAWN' || fault === 'CERTIFICATE_REVOKED'
}
