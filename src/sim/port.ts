import { assert, type ErrorCode, type NodeId, type Random } from '../kernel/index.ts'
import {
  LANES,
  type Lane,
  type LinkDownReason,
  type MessageKind,
  type NetworkHandler,
  type NetworkPort,
  rulesOf,
  type SendOutcome,
} from '../wire/index.ts'
import { Dialler } from './dialler.ts'
import { Gossip } from './gossip.ts'
import type { LinkEnd } from './link.ts'
import { IoEvent, type Machine, type Process } from './machine.ts'
import type { Network } from './network.ts'
import type { Program } from './program.ts'
import { type NumberedMessage, ResumedStream } from './stream.ts'

/** Most messages on their way over one link in one direction; a socket's buffer and a credit window in one figure. */
export const IN_FLIGHT_MAX = 8192

/** Points at which a peer is cut off (src/net says the same of the real one). */
const PENALTY_MAX = 100

class Delivery extends IoEvent {
  readonly #end: LinkEnd
  readonly #kind: MessageKind
  readonly #body: Uint8Array
  readonly #numbered: { readonly stream: ResumedStream; readonly sequence: number } | undefined

  constructor(end: LinkEnd, kind: MessageKind, body: Uint8Array, stream?: ResumedStream, sequence = 0) {
    super(end.port.process)
    this.#end = end
    this.#kind = kind
    this.#body = body
    this.#numbered = stream === undefined ? undefined : { stream, sequence }
  }

  override deliver(): void {
    const end = this.#end
    end.other.inFlight -= 1
    if (!end.port.isCurrent(end)) {
      end.port.reset(end)
      return
    }
    const numbered = this.#numbered
    if (numbered !== undefined && !numbered.stream.accept(numbered.sequence)) return
    const { network, machine, handler } = end.port
    network.counts.delivered += 1
    network.trace.record('deliver', network.queue.now, machine.index, this.#body.length, undefined, () => {
      return `${this.#kind} from ${end.peer}`
    })
    handler.onMessage(end.peer, this.#kind, this.#body)
    if (numbered !== undefined) end.other.port.madeRoom(machine.node, numbered.stream)
  }

  override refuse(): void {
    this.#end.other.inFlight -= 1
    this.#end.port.reset(this.#end)
  }
}

/** The network as one process sees it. */
export class SimPort implements NetworkPort {
  readonly network: Network
  readonly machine: Machine
  readonly process: Process
  readonly random: Random
  readonly gossip: Gossip
  readonly #dialler: Dialler
  readonly #links = new Map<NodeId, LinkEnd>()
  readonly #streams = new Map<NodeId, Map<Lane, ResumedStream>>()
  /** Which process of a peer was last linked to: another one knows nothing of what went before. */
  readonly #lastSeen = new Map<NodeId, SimPort>()
  /** Links that this process has closed, until it hears of that: before it hears of the next one to that peer. */
  readonly #untold = new Map<NodeId, LinkDownReason>()
  readonly #penalties = new Map<NodeId, number>()
  #handler: NetworkHandler | undefined
  #refuses: Program['refuses']

  constructor(network: Network, machine: Machine, process: Process, random: Random) {
    this.network = network
    this.machine = machine
    this.process = process
    this.random = random
    this.gossip = new Gossip(this)
    this.#dialler = new Dialler(this)
  }

  get node(): NodeId {
    return this.machine.node
  }

  get handler(): NetworkHandler {
    assert(this.#handler !== undefined, 'a program is attached before anything reaches it', { node: this.node })
    return this.#handler
  }

  attach(program: Program): void {
    this.#handler = program
    this.#refuses = program.refuses?.bind(program)
  }

  /** Why this process would not talk to that peer, whoever dialled: as the secured handshake says it. */
  refusalOf(peer: NodeId): ErrorCode | undefined {
    return this.#refuses?.(peer)
  }

  get linkedPeers(): readonly NodeId[] {
    return [...this.#links.keys()]
  }

  isLinked(peer: NodeId): boolean {
    return this.#links.has(peer)
  }

  isCurrent(end: LinkEnd): boolean {
    return this.#links.get(end.peer) === end
  }

  /** Up to `count` links, drawn at random; all of them, in order, when there are no more. */
  neighbours(count: number, except: NodeId | undefined): readonly LinkEnd[] {
    const ends = [...this.#links.values()].filter((end) => end.peer !== except)
    return ends.length <= count ? ends : this.random.sample(ends, count)
  }

  send(to: NodeId, kind: MessageKind, body: Uint8Array): SendOutcome {
    const rules = rulesOf(kind)
    assert(body.length <= rules.bytesMax, 'a body is within what its kind may hold', { kind, length: body.length })
    const { network, machine } = this
    network.watcher.onSend(machine, to, kind, body)
    const end = this.#links.get(to)
    if (end === undefined) return 'no-link'
    network.counts.sent += 1
    network.counts.sentBytes += body.length
    network.trace.record('send', network.queue.now, machine.index, body.length, body, () => `${kind} to ${to}`)
    // SI-4: from here on these are the network's bytes, whatever the sender does with its own.
    const copy = body.slice()
    if (rules.delivery === 'resumed') return this.#sendNumbered(end, kind, copy)
    if (end.inFlight >= IN_FLIGHT_MAX) return 'full'
    this.#sendMomentary(end, kind, copy)
    return 'queued'
  }

  publish(kind: MessageKind, body: Uint8Array): void {
    assert(body.length <= rulesOf(kind).bytesMax, 'a body is within what its kind may hold', { kind })
    this.network.watcher.onPublish(this.machine, kind, body)
    this.gossip.publish(kind, this.network.paths.carried(body))
  }

  connect(peer: NodeId, addresses: readonly string[]): void {
    if (peer !== this.node) this.#dialler.want(peer, addresses)
  }

  disconnect(peer: NodeId, reason: LinkDownReason): void {
    this.#dialler.forget(peer)
    const end = this.#links.get(peer)
    if (end === undefined) return
    this.#links.delete(peer)
    this.abandon(end)
    // SI-10: we are inside a call into the port; the handler hears in a turn of its own.
    this.#untold.set(peer, reason)
    this.process.later(() => this.#tellUntold(peer))
  }

  #tellUntold(peer: NodeId): void {
    const reason = this.#untold.get(peer)
    this.#untold.delete(peer)
    if (reason !== undefined) this.#tellDown(peer, reason)
  }

  renewed(): void {
    // Simulated connections do not end with certificates.
  }

  penalise(peer: NodeId, points: number, _reason: string): void {
    const total = (this.#penalties.get(peer) ?? 0) + points
    this.#penalties.set(peer, total >= PENALTY_MAX ? 0 : total)
    if (total >= PENALTY_MAX) this.disconnect(peer, 'protocol-violation')
  }

  /**
   * A connection has opened at this end. A second one to the same process replaces the first or is given up, by a rule
   * that both ends share: of two that crossed, the one dialled by the smaller id stays.
   */
  open(end: LinkEnd): void {
    const { peer } = end
    const existing = this.#links.get(peer)
    const seen = this.#lastSeen.get(peer)
    const restarted = seen !== undefined && seen !== end.other.port
    if (existing !== undefined && existing.other.port === end.other.port) {
      const crossed = end.dialled || this.#dialler.isDialling(peer)
      const dialledBy = end.dialled ? this.node : peer
      if (crossed && dialledBy > (end.dialled ? peer : this.node)) {
        this.abandon(end)
        return
      }
      this.#links.set(peer, end)
      end.state = 'open'
      this.abandon(existing)
      this.resumeStreamsTo(end.other.port.machine.index)
      return
    }
    if (existing !== undefined) this.#drop(existing, 'connection-lost')
    this.#tellUntold(peer)
    this.#links.set(peer, end)
    end.state = 'open'
    this.#lastSeen.set(peer, end.other.port)
    this.#dialler.linked(peer)
    this.network.counts.linksUp += 1
    this.#trace('link-up', peer, 1, `${peer} on machine ${end.other.port.machine.index}`)
    if (restarted) this.#gaps(peer, seen)
    this.handler.onLinkUp(this.network.credentialsOf(end.other.port.machine))
    this.resumeStreamsTo(end.other.port.machine.index)
  }

  /** Gives a connection up; the other end hears of it if the path is free, and otherwise by silence. */
  abandon(end: LinkEnd): void {
    end.state = 'closed'
    this.tell(end.other, 'closed-by-peer')
  }

  /** Lets an end of another process know that the connection is gone. */
  tell(other: LinkEnd, reason: LinkDownReason): void {
    const { paths, queue } = this.network
    const from = this.machine.index
    const to = other.port.machine.index
    if (paths.isBlocked(from, to)) other.port.suspect(other)
    else other.port.process.later(() => other.port.lost(other, reason), paths.arrival(queue.now, from, to))
  }

  /** This end's connection is gone. */
  lost(end: LinkEnd, reason: LinkDownReason): void {
    if (this.#links.get(end.peer) === end) this.#drop(end, reason)
  }

  /** Something came over a connection that this side does not hold: the sender is told, if there is power to do so. */
  reset(end: LinkEnd): void {
    if (end.state !== 'opening' && this.machine.powered) this.tell(end.other, 'connection-lost')
  }

  /** The process is gone. With power, its kernel says so to every peer; without, they find out by silence (SI-7). */
  shut(): void {
    for (const end of this.#links.values()) {
      end.state = 'closed'
      if (this.machine.powered) this.tell(end.other, 'connection-lost')
      else end.other.port.suspect(end.other)
    }
    this.#links.clear()
  }

  suspectLinksTo(machine: number): void {
    for (const end of this.#links.values()) if (end.other.port.machine.index === machine) this.suspect(end)
  }

  /** Checks after a while of silence whether anything can come through; if not, the link is lost at this end. */
  suspect(end: LinkEnd): void {
    const { params, paths, queue } = this.network
    const slow = this.random.chance(params.halfOpenRate) ? 10 : 1
    const afterMs = slow * this.random.between(params.silenceMsMin, params.silenceMsMax)
    const here = this.machine.index
    this.process.later(() => {
      const there = end.other.port
      const silent = !there.process.running || end.other.state === 'closed'
      if (silent || paths.isBlocked(here, there.machine.index) || paths.isBlocked(there.machine.index, here)) {
        this.lost(end, 'connection-lost')
      }
    }, queue.now + afterMs)
  }

  /** Sends again what has not arrived, in order. */
  resumeStreamsTo(machine: number): void {
    if (this.#streams.size === 0) return
    for (const [peer, lanes] of this.#streams) {
      const end = this.#links.get(peer)
      if (end === undefined || end.other.port.machine.index !== machine) continue
      for (const stream of lanes.values()) {
        stream.stalled = false
        for (const message of stream.unacknowledged) this.#transmit(end, stream, message)
      }
    }
  }

  /** A numbered message has arrived: a sender that was refused may go on. */
  madeRoom(peer: NodeId, stream: ResumedStream): void {
    if (!stream.wantsRoom()) return
    this.process.later(() => this.#handler?.onRoom(peer, stream.lane))
  }

  #drop(end: LinkEnd, reason: LinkDownReason): void {
    end.state = 'closed'
    this.#links.delete(end.peer)
    this.#tellDown(end.peer, reason)
  }

  #tellDown(peer: NodeId, reason: LinkDownReason): void {
    this.network.counts.linksDown += 1
    this.#trace('link-down', peer, 2, `${peer}: ${reason}`)
    this.network.watcher.onLinkDown(this.machine, peer, reason)
    this.handler.onLinkDown(peer, reason)
    if (!this.#links.has(peer)) this.#dialler.unlinked(peer)
  }

  #sendMomentary(end: LinkEnd, kind: MessageKind, body: Uint8Array): void {
    const { paths, queue, counts } = this.network
    const from = this.machine.index
    const to = end.other.port.machine.index
    if (paths.isBlocked(from, to)) {
      counts.blocked += 1
      return
    }
    if (paths.loses()) {
      counts.lost += 1
      return
    }
    const carried = paths.carried(body)
    if (carried !== body) counts.corrupted += 1
    const copies = paths.duplicates() ? 2 : 1
    counts.duplicated += copies - 1
    for (let i = 0; i < copies; i++) {
      end.inFlight += 1
      const at = Math.max(paths.arrival(queue.now, from, to), end.other.opensAt) + end.other.port.process.lagMs
      queue.push(new Delivery(end.other, kind, carried), at)
    }
  }

  #sendNumbered(end: LinkEnd, kind: MessageKind, body: Uint8Array): SendOutcome {
    const { lane, whenFull } = rulesOf(kind)
    const stream = this.#streamTo(end, lane)
    if (whenFull === 'refuse' && this.network.paths.refuses()) return 'full'
    if (stream.full) {
      if (whenFull === 'refuse') {
        stream.refused = true
        return 'full'
      }
      this.network.counts.gaps += 1
      const { other } = end
      other.port.process.later(() => other.port.handler.onGap(this.node, lane))
      return 'queued'
    }
    this.#transmit(end, stream, stream.add(kind, body))
    return 'queued'
  }

  #transmit(end: LinkEnd, stream: ResumedStream, message: NumberedMessage): void {
    const { paths, queue } = this.network
    const from = this.machine.index
    const to = end.other.port.machine.index
    if (stream.stalled || paths.isBlocked(from, to)) {
      stream.stalled = true
      return
    }
    const at = Math.max(paths.arrival(queue.now, from, to), end.other.opensAt) + end.other.port.process.lagMs
    stream.arrivesAt = Math.max(stream.arrivesAt, at)
    end.inFlight += 1
    const delivery = new Delivery(end.other, message.kind, message.body, stream, message.sequence)
    queue.push(delivery, stream.arrivesAt)
  }

  #streamTo(end: LinkEnd, lane: Lane): ResumedStream {
    let lanes = this.#streams.get(end.peer)
    if (lanes === undefined) {
      lanes = new Map()
      this.#streams.set(end.peer, lanes)
    }
    let stream = lanes.get(lane)
    if (stream === undefined || stream.receiver !== end.other.port) {
      stream = new ResumedStream(end.other.port, lane)
      lanes.set(lane, stream)
    }
    return stream
  }

  /** SI-6: another process of the peer knows nothing of what was sent to, or expected from, the one before. */
  #gaps(peer: NodeId, before: SimPort): void {
    const sent = this.#streams.get(peer)
    const expected = before.#streams.get(this.node)
    this.#streams.delete(peer)
    for (const lane of LANES) {
      if (sent?.has(lane) !== true && expected?.has(lane) !== true) continue
      this.network.counts.gaps += 1
      this.#trace('gap', peer, 3, `${peer} ${lane}`)
      this.handler.onGap(peer, lane)
    }
  }

  #trace(kind: 'link-up' | 'link-down' | 'gap', peer: NodeId, value: number, text: string): void {
    const { trace, queue } = this.network
    trace.record(kind, queue.now, this.machine.index, value + peer.charCodeAt(peer.length - 1), undefined, () => text)
  }
}
