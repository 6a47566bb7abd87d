/** The protocol version this program speaks, and the oldest it still talks to (NET-4: one version back). */
export const PROTOCOL_VERSION = 1
export const PROTOCOL_VERSION_OLDEST = 1

/** Prefix of every libp2p protocol id and topic; the swarm id follows. */
export const PROTOCOL_PREFIX = '/swarm-node'

/** The version two peers speak, or undefined when they have none in common. */
export function negotiateVersion(peer: { readonly newest: number; readonly oldest: number }): number | undefined {
  const newest = Math.min(PROTOCOL_VERSION, peer.newest)
  const oldest = Math.max(PROTOCOL_VERSION_OLDEST, peer.oldest)
  return newest >= oldest ? newest : undefined
}
