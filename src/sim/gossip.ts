import type { NodeId } from '../kernel/index.ts'
import type { MessageKind } from '../wire/index.ts'
import { IoEvent } from './machine.ts'
import type { SimPort } from './port.ts'

/** Messages that a node remembers having heard, at least; twice that at most. */
const SEEN_MAX = 4096

interface GossipItem {
  readonly id: number
  readonly kind: MessageKind
  readonly body: Uint8Array
}

class GossipDelivery extends IoEvent {
  readonly #to: SimPort
  readonly #from: NodeId
  readonly #item: GossipItem

  constructor(to: SimPort, from: NodeId, item: GossipItem) {
    super(to.process)
    this.#to = to
    this.#from = from
    this.#item = item
  }

  override deliver(): void {
    this.#to.gossip.hear(this.#from, this.#item)
  }
}

/**
 * A lossy epidemic: whoever hears a message for the first time hands it to its program and passes it on to some of its
 * neighbours, whatever the program is. Duplicates are suppressed by id, in two generations.
 */
export class Gossip {
  readonly #port: SimPort
  #seen = new Set<number>()
  #seenBefore = new Set<number>()

  constructor(port: SimPort) {
    this.#port = port
  }

  publish(kind: MessageKind, body: Uint8Array): void {
    const item = { id: this.#port.network.newGossipId(), kind, body: body.slice() }
    this.#remember(item.id)
    this.#pass(item, undefined)
  }

  hear(from: NodeId, item: GossipItem): void {
    if (this.#seen.has(item.id) || this.#seenBefore.has(item.id)) return
    this.#remember(item.id)
    if (this.#port.handler.faultOfGossip(item.kind, item.body) !== undefined) return
    const { network, machine } = this.#port
    network.counts.gossiped += 1
    network.trace.record('gossip', network.queue.now, machine.index, item.id, undefined, () => `${item.kind} ${from}`)
    // SI-4: every hearer gets bytes of its own.
    this.#port.handler.onGossip(from, item.kind, item.body.slice())
    this.#pass(item, from)
  }

  #pass(item: GossipItem, except: NodeId | undefined): void {
    const { network, machine } = this.#port
    const { paths, queue } = network
    for (const end of this.#port.neighbours(network.params.gossipFanout, except)) {
      const to = end.other.port
      network.watcher.onForward(machine, item.kind)
      if (paths.isBlocked(machine.index, to.machine.index) || paths.loses()) {
        network.counts.lost += 1
        continue
      }
      const at = paths.arrival(queue.now, machine.index, to.machine.index)
      queue.push(new GossipDelivery(to, this.#port.node, item), Math.max(at, end.other.opensAt))
    }
  }

  #remember(id: number): void {
    if (this.#seen.size >= SEEN_MAX) {
      this.#seenBefore = this.#seen
      this.#seen = new Set()
    }
    this.#seen.add(id)
  }
}
