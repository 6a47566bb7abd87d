import type { GossipSub } from '@chainsafe/libp2p-gossipsub'
import type { Connection, PeerId, PeerStore, Topology } from '@libp2p/interface'

/*
 * libp2p asks every new peer what it speaks (identify), and writes down what it hears; its services wait for the answer.
 * Members of one swarm speak the same: after admission there is nothing left to ask. What that saves is two streams, two
 * signed records and a dozen writes to the table of peers for each connection and end.
 */

/** Where libp2p keeps who wants to hear of which peers. */
export interface Topologies {
  getTopologies(protocol: string): readonly Topology[]
}

/** What tells gossipsub of its peers in place of identify. */
export class Acquaintance {
  readonly #registrar: Topologies
  readonly #protocols: readonly string[]

  constructor(registrar: Topologies, pubsub: Pick<GossipSub, 'protocols'>) {
    this.#registrar = registrar
    // One version is spoken, so that its streams need no negotiation.
    pubsub.protocols.length = 1
    this.#protocols = pubsub.protocols
  }

  met(connection: Connection): void {
    for (const topology of this.#topologies()) void topology.onConnect?.(connection.remotePeer, connection)
  }

  parted(peer: PeerId): void {
    for (const topology of this.#topologies()) void topology.onDisconnect?.(peer)
  }

  #topologies(): readonly Topology[] {
    return this.#protocols.flatMap((protocol) => this.#registrar.getTopologies(protocol))
  }
}

/** Has the table of peers not written for what every peer speaks. Not for a node whose services look there for it. */
export function spareProtocols(peerStore: PeerStore, self: PeerId): void {
  const merge = peerStore.merge.bind(peerStore)
  peerStore.merge = async (id, data, options) => {
    const isNews = self.equals(id) || Object.keys(data).some((key) => key !== 'protocols')
    if (isNews) return merge(id, data, options)
    return { id, addresses: [], protocols: data.protocols ?? [], metadata: new Map(), tags: new Map() }
  }
}
