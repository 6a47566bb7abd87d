import { TICKET_ADDRESS_BYTES_MAX, TICKET_ADDRESSES_MAX } from '../identity/index.ts'

/** Addresses of hosts that only the host itself can dial. */
const LOOPBACK = /^\/(?:ip4\/127\.|ip6\/::1(?:\/|$)|dns[46]?\/localhost\/)/
/** "Every interface": something to listen on, nothing to dial. */
const UNSPECIFIED = /^\/(?:ip4\/0\.0\.0\.0|ip6\/(?:0*:)+0*)(?:\/|$)/
/** Link-local addresses mean another host on every other network. */
const LINK_LOCAL = /^\/(?:ip4\/169\.254\.|ip6\/fe[89ab][0-9a-f]:)/i

/** What a presence and a ticket hold of a node: so many addresses of so many bytes each. */
const ADDRESSES_MAX = TICKET_ADDRESSES_MAX
const ADDRESS_BYTES_MAX = TICKET_ADDRESS_BYTES_MAX

/**
 * Which addresses others are told (P-11): the configured ones as they are, else those we listen on or are relayed at,
 * less what nobody can dial. Loopback stays only when there is nothing else, as for a swarm on one host.
 *
 * Addresses are multiaddr texts; the order is kept and duplicates are dropped.
 */
export function announced(configured: readonly string[], listening: readonly string[]): readonly string[] {
  const candidates = configured.length > 0 ? configured : listening
  const dialable = [...new Set(candidates)].filter(isTold)
  if (configured.length > 0) return fewest(dialable)
  const beyondHost = dialable.filter((text) => !LOOPBACK.test(text) && !LINK_LOCAL.test(text))
  return fewest(beyondHost.length > 0 ? beyondHost : dialable.filter((text) => !LINK_LOCAL.test(text)))
}

function isTold(text: string): boolean {
  const hasPort = !/\/tcp\/0(?:\/|$)/.test(text)
  return !UNSPECIFIED.test(text) && hasPort && Buffer.byteLength(text) <= ADDRESS_BYTES_MAX
}

/** A host with a bridge for every container has many; what is relayed is of use where none of the others is. */
function fewest(texts: readonly string[]): readonly string[] {
  const relayed = texts.filter((text) => text.includes('/p2p-circuit')).slice(0, ADDRESSES_MAX)
  const direct = texts.filter((text) => !relayed.includes(text))
  return [...direct.slice(0, ADDRESSES_MAX - relayed.length), ...relayed]
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

/**
 * What a stranger at that address cannot change at will: its IPv4 address, the network of 64 bits in which it can have any
 * IPv6 address, or the same of the relay it comes through.
 */
export function sourceOf(address: string): string {
  const [, ip4, ip6] = /^(?:\/ip6zone\/[^/]+)?\/(?:ip4\/([^/]+)|ip6\/([^/]+))/.exec(address) ?? []
  return ip6 === undefined ? (ip4 ?? address) : networkOf(ip6)
}

const GROUPS = 8
const NETWORK_GROUPS = 4
/** IPv4 as IPv6 writes it: what tells hosts apart comes after this. */
const MAPPED = /^0:0:0:0:0:ffff:/

function networkOf(ip6: string): string {
  const [head = '', tail = ''] = ip6.split('::').map(groupsOf)
  const zeros = new Array<string>(Math.max(0, GROUPS - head.length - tail.length)).fill('0')
  const groups = [...head, ...(ip6.includes('::') ? zeros : []), ...tail]
  const whole = groups.join(':')
  return MAPPED.test(whole) ? whole : groups.slice(0, NETWORK_GROUPS).join(':')
}

/** Each as short as can be, a dotted quad as the two that it stands for. */
function groupsOf(part: string): readonly string[] {
  const hex = part.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    return [256 * a + Number(b), 256 * c + Number(d)].map((value) => value.toString(16)).join(':')
  })
  return hex === '' ? [] : hex.split(':').map((group) => Number.parseInt(group, 16).toString(16))
}
