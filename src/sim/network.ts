import { assert, type NodeId, type Random, type WallMillis } from '../kernel/index.ts'
import type { LinkDownReason, MessageKind, PeerCredentials } from '../wire/index.ts'
import type { EventQueue } from './event-queue.ts'
import type { Machine } from './machine.ts'
import type { Paths } from './paths.ts'
import type { SimPort } from './port.ts'
import type { Trace } from './trace.ts'

/** Figures of the simulated transport; milliseconds. */
export interface TransportParams {
  readonly dialTimeoutMs: number
  /** First wait before dialling again; doubles up to the maximum; each is drawn between half and all of it. */
  readonly redialMsMin: number
  readonly redialMsMax: number
  /** A link over which nothing comes through ends after a time drawn from here, at each end for itself. */
  readonly silenceMsMin: number
  readonly silenceMsMax: number
  /** Share of silent links that an end notices ten times later than it should (half-open). */
  readonly halfOpenRate: number
  /** How many neighbours a gossiped message is passed on to. */
  readonly gossipFanout: number
}

export const TRANSPORT: TransportParams = {
  dialTimeoutMs: 5_000,
  redialMsMin: 250,
  redialMsMax: 8_000,
  silenceMsMin: 8_000,
  silenceMsMax: 20_000,
  halfOpenRate: 0,
  gossipFanout: 8,
}

/** Whoever wants to see what crosses the network (checkers). */
export interface NetworkWatcher {
  onSend(from: Machine, to: NodeId, kind: MessageKind, body: Uint8Array): void
  onLinkDown(at: Machine, peer: NodeId, reason: LinkDownReason): void
  onPublish(from: Machine, kind: MessageKind, body: Uint8Array): void
  onForward(from: Machine, kind: MessageKind): void
}

/** Counts of what became of messages; all since the start of the run. */
export interface NetworkCounts {
  sent: number
  sentBytes: number
  delivered: number
  lost: number
  duplicated: number
  blocked: number
  corrupted: number
  gossiped: number
  gaps: number
  linksUp: number
  linksDown: number
}

/** All machines' ports and what is between them. */
export class Network {
  readonly queue: EventQueue
  readonly paths: Paths
  readonly random: Random
  readonly trace: Trace
  readonly params: TransportParams
  readonly watcher: NetworkWatcher
  readonly counts: NetworkCounts = {
    sent: 0,
    sentBytes: 0,
    delivered: 0,
    lost: 0,
    duplicated: 0,
    blocked: 0,
    corrupted: 0,
    gossiped: 0,
    gaps: 0,
    linksUp: 0,
    linksDown: 0,
  }
  readonly #machines = new Map<string, Machine>()
  /** The port of the process that runs on each machine now. */
  readonly #ports: (SimPort | undefined)[] = []
  #gossipIds = 0

  constructor(options: {
    readonly queue: EventQueue
    readonly paths: Paths
    readonly random: Random
    readonly trace: Trace
    readonly params: TransportParams
    readonly watcher: NetworkWatcher
  }) {
    this.queue = options.queue
    this.paths = options.paths
    this.random = options.random
    this.trace = options.trace
    this.params = options.params
    this.watcher = options.watcher
  }

  addMachine(machine: Machine): void {
    assert(!this.#machines.has(machine.address), 'an address belongs to one machine', { address: machine.address })
    this.#machines.set(machine.address, machine)
  }

  machineAt(address: string): Machine | undefined {
    return this.#machines.get(address)
  }

  portOf(machine: number): SimPort | undefined {
    return this.#ports[machine]
  }

  plug(machine: number, port: SimPort): void {
    this.#ports[machine] = port
  }

  unplug(machine: number): void {
    this.#ports[machine] = undefined
  }

  newGossipId(): number {
    return ++this.#gossipIds
  }

  /** What a handshake with that machine would prove. */
  credentialsOf(machine: Machine): PeerCredentials {
    return {
      node: machine.node,
      org: 'sim',
      roles: ['worker', 'custodian'],
      certificateExpiresAt: Number.MAX_SAFE_INTEGER as WallMillis,
    }
  }

  /** A direction has become blocked: links over it will be noticed to be silent. */
  pathBlocked(a: number, b: number): void {
    this.#ports[a]?.suspectLinksTo(b)
    this.#ports[b]?.suspectLinksTo(a)
  }

  /** A direction is free again: what waited goes on. */
  pathHealed(from: number, to: number): void {
    if (!this.paths.isBlocked(from, to)) this.#ports[from]?.resumeStreamsTo(to)
  }
}
