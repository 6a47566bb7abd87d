import type { PeerDiscovery } from '@libp2p/interface'
import { type MulticastDNSComponents, mdns } from '@libp2p/mdns'
import type { SwarmId } from '../kernel/index.ts'
import type { MdnsOptions } from './options.ts'
import { MDNS_INTERVAL_MS, MDNS_LONELY_MS } from './params.ts'

interface Components extends MulticastDNSComponents {
  readonly connectionManager: { getConnections(): readonly unknown[] }
}

type Startable = PeerDiscovery & { start(): Promise<void>; stop(): Promise<void> }

/** Peers of the same swarm on the same LAN, found by multicast DNS (NET-3). Hints: the handshake decides. */
export function lanDiscovery(swarm: SwarmId, { port = 5353 }: MdnsOptions): (components: Components) => PeerDiscovery {
  return (components) => {
    const service = mdns({ serviceTag: serviceOf(swarm), interval: MDNS_INTERVAL_MS, port })(components) as Startable
    const { start, stop } = service
    let lonely: NodeJS.Timeout | undefined
    const ask = async (): Promise<void> => {
      if (components.connectionManager.getConnections().length > 0) return
      await stop.call(service)
      if (lonely !== undefined) await start.call(service)
    }
    service.start = async () => {
      lonely = setInterval(() => ask().catch(ignore), MDNS_LONELY_MS)
      await start.call(service)
    }
    service.stop = async () => {
      clearInterval(lonely)
      lonely = undefined
      await stop.call(service)
    }
    return service
  }
}

/** Service names have at most 15 characters (RFC 6763, 7.2), so this is a prefix of the swarm's. */
function serviceOf(swarm: SwarmId): string {
  return `_sw-${swarm.slice(0, 12)}._udp.local`
}

function ignore(): void {
  // No multicast here, then: bootstrap addresses and tickets do without.
}
