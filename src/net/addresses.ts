/** Addresses of hosts that only the host itself can dial. */
const LOOPBACK = /^\/(?:ip4\/127\.|ip6\/::1(?:\/|$)|dns[46]?\/localhost\/)/
/** "Every interface": something to listen on, nothing to dial. */
const UNSPECIFIED = /^\/(?:ip4\/0\.0\.0\.0|ip6\/(?:0*:)+0*)(?:\/|$)/
/** Link-local addresses mean another host on every other network. */
const LINK_LOCAL = /^\/(?:ip4\/169\.254\.|ip6\/fe[89ab][0-9a-f]:)/i

/**
 * Which addresses others are told (P-11): the configured ones as they are, else those we listen on or are relayed at,
 * less what nobody can dial. Loopback stays only when there is nothing else, as for a swarm on one host.
 *
 * Addresses are multiaddr texts; the order is kept and duplicates are dropped.
 */
export function announced(configured: readonly string[], listening: readonly string[]): readonly string[] {
  const candidates = configured.length > 0 ? configured : listening
  const dialable = [...new Set(candidates)].filter((text) => !UNSPECIFIED.test(text) && !/\/tcp\/0(?:\/|$)/.test(text))
  if (configured.length > 0) return dialable
  const beyondHost = dialable.filter((text) => !LOOPBACK.test(text) && !LINK_LOCAL.test(text))
  return beyondHost.length > 0 ? beyondHost : dialable.filter((text) => !LINK_LOCAL.test(text))
}

/** The text without a trailing `/p2p/<node>`, which says whose address it is. */
export function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[A-Za-z0-9]+$/, '')
}

/** The address with its owner's id at the end; undefined when it names another owner. */
export function ownedBy(address: string, peer: string): string | undefined {
  const owner = /\/p2p\/([A-Za-z0-9]+)$/.exec(address)?.[1]
  if (owner === undefined) return `${address}/p2p/${peer}`
  return owner === peer ? address : undefined
}

/** What a stranger at that address cannot change at will: its IP address, or that of the relay it comes through. */
export function sourceOf(address: string): string {
  return /^\/(?:ip4|ip6)\/([^/]+)/.exec(address)?.[1] ?? address
}
