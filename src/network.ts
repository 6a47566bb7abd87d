import type { Libp2pNetwork, NetworkOptions } from './net/index.ts'

/**
 * Builds the network port without starting it. libp2p takes several times as long to load as all the rest, so only who
 * opens a network loads it: `swarm-node status` does not.
 */
export async function createNetwork(options: NetworkOptions): Promise<Libp2pNetwork> {
  const net = await import('./net/index.ts')
  return net.createNetwork(options)
}
