import { Counter, Gauge, type Registry } from 'prom-client'
import type { NetworkStats } from '../src/index.ts'

/** Help of each figure; names follow from those of the fields, and `…Total` is a counter. */
const HELP: { readonly [K in keyof NetworkStats]: string } = {
  connections: 'Connections to members.',
  connectionsInbound: 'Connections that members made to this node.',
  links: 'Links that carry messages: connections with all lanes open.',
  streams: 'Streams over all connections.',
  lanes: 'Messages and bytes that wait for a lane; messages sent on it, and dropped when it was full.',
  sockets: 'Connections as the transport counts them, those that end or replace another included.',
  admissionsPending: 'Handshakes under way.',
  sourcesKnown: 'Sources of connections whose rate is being watched.',
  admissionsTotal: 'Peers let in.',
  muxersTotal: 'Muxers made; nobody gets one before the handshake is done.',
  refusedByUs: 'Handshakes this node refused, by code.',
  refusedByPeers: 'Handshakes in which this node was refused, by code.',
  turnedAway: 'Connections closed before a handshake, by reason.',
  dialsTotal: 'Dials.',
  dialsFailedTotal: 'Dials that failed.',
  peersWanted: 'Peers to which a link is wanted.',
  peersDenied: 'Peers shut out for a while for what they sent.',
  sentMessages: 'Messages given to links, by kind.',
  gossipOutTotal: 'Gossip messages published or passed on by request of this node.',
  gossipInTotal: 'Gossip messages taken in.',
  gossipRefusedTotal: 'Gossip messages refused: malformed, too large or too many.',
  bytesInTotal: 'Bytes received inside the encryption.',
  bytesOutTotal: 'Bytes sent inside the encryption.',
}

/** What the network counts, read when it is asked for. */
export function addNetworkMetrics(read: () => NetworkStats, prefix: string, registers: Registry[]): void {
  const first = read()
  for (const field of Object.keys(HELP) as (keyof NetworkStats)[]) {
    if (field === 'lanes') continue
    const name = `${prefix}network_${snakeCase(field)}`
    const help = HELP[field]
    if (typeof first[field] === 'number') {
      addFigure(name, help, registers, () => Number(read()[field]))
    } else {
      addByLabel(
        `${name}_total`,
        help,
        field === 'sentMessages' ? 'kind' : 'code',
        registers,
        () => read()[field] as Readonly<Record<string, number>>,
      )
    }
  }
  for (const figure of Object.keys(first.lanes.control) as (keyof NetworkStats['lanes']['control'])[]) {
    new Gauge({
      name: `${prefix}network_lane_${snakeCase(figure)}`,
      help: HELP.lanes,
      labelNames: ['lane'],
      registers,
      collect() {
        for (const [lane, totals] of Object.entries(read().lanes)) this.set({ lane }, totals[figure])
      },
    })
  }
}

function addFigure(name: string, help: string, registers: Registry[], read: () => number): void {
  if (!name.endsWith('_total')) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
    return
  }
  new Counter({
    name,
    help,
    registers,
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}

function addByLabel(
  name: string,
  help: string,
  label: string,
  registers: Registry[],
  read: () => Readonly<Record<string, number>>,
): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers,
    collect() {
      this.reset()
      for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count)
    },
  })
}

function snakeCase(field: string): string {
  return field.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
}
