import { LANES } from '../wire/index.ts'
import type { Connections } from './connections.ts'
import type { Dialer } from './dialer.ts'
import type { Gossip } from './gossip.ts'
import type { LinkDriver } from './link-driver.ts'
import type { NetworkParts } from './network.ts'
import type { LaneTotals, NetworkStats } from './options.ts'

/** What `/metrics` and `status` show. Costs a walk over the connections: for every few seconds, not for every message. */
export function networkStats(
  { host, admission, turnedAway, penalties }: NetworkParts,
  connections: Connections,
  links: LinkDriver,
  gossip: Gossip,
  dialer: Dialer,
  sent: NetworkStats['sentMessages'],
): NetworkStats {
  let streams = 0
  let inbound = 0
  let linked = 0
  for (const [, member] of connections.all()) {
    streams += member.connection.streams.length
    if (member.connection.direction === 'inbound') inbound += 1
    if (member.linked) linked += 1
  }
  return {
    connections: connections.size,
    connectionsInbound: inbound,
    links: linked,
    streams,
    lanes: laneTotals(connections, links),
    sockets: host.node.getConnections().length,
    admissionsPending: admission.gate.pending,
    sourcesKnown: admission.gate.sourceCount,
    admissionsTotal: admission.admittedCount,
    muxersTotal: admission.muxerCount,
    refusedByUs: { ...admission.refusedByUs },
    refusedByPeers: { ...admission.refusedByPeers },
    turnedAway: { ...turnedAway },
    dialsTotal: dialer.dialCount,
    dialsFailedTotal: dialer.failedCount,
    peersWanted: dialer.plan.size,
    peersDenied: penalties.deniedCount,
    sentMessages: { ...sent },
    gossipOutTotal: gossip.publishedCount,
    gossipInTotal: gossip.receivedCount,
    gossipRefusedTotal: gossip.refusedCount,
    bytesInTotal: admission.bytesIn,
    bytesOutTotal: admission.bytesOut,
  }
}

function laneTotals(connections: Connections, links: LinkDriver): NetworkStats['lanes'] {
  const totals = { control: { ...NONE }, work: { ...NONE }, bulk: { ...NONE } }
  for (const [peer] of connections.all()) {
    const stats = links.stats(peer)
    if (stats === undefined) continue
    for (const lane of LANES) {
      totals[lane].queuedMessages += stats[lane].queuedMessages
      totals[lane].queuedBytes += stats[lane].queuedBytes
      totals[lane].droppedCount += stats[lane].droppedCount
      totals[lane].sentMessages += stats[lane].sentMessages
    }
  }
  return totals
}

const NONE: LaneTotals = { queuedMessages: 0, queuedBytes: 0, droppedCount: 0, sentMessages: 0 }
