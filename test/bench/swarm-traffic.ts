import type { MetricsReport } from '../../src/index.ts'
import { sum } from './figures.ts'

/** Messages that left a node over its links, by kind, and pieces of gossip that reached one. */
const SENT = 'swarm_node_network_sent_messages_total'
const GOSSIPED = 'swarm_node_network_gossip_in_total'

/** What negotiates tasks, and nothing else. */
const CLAIMS_PREFIX = 'claims.'

export interface Traffic {
  /** Messages over links. */
  readonly sent: number
  readonly byKind: Readonly<Record<string, number>>
  /** Those of them that negotiate tasks. */
  readonly claims: number
  readonly gossiped: number
}

/** After formation: until the agents of all are known to all that need to know, and the council and the cell, which wait
 * for the swarm to have grown, have taken in whom they take. */
export const SETTLE_MS = 45_000
/** How long traffic is watched at least: `heartbeatMs` of the directory. */
const WATCHED_MS = 60_000
/** Up to so many members a digest is repeated in that time; a crowd takes longer in proportion (`src/directory`). */
const CROWD_MEMBERS = 16

/** As long as every node takes to repeat its digest: they come close together, and less would meet all of them or none. */
export function watchedMs(nodes: number): number {
  return WATCHED_MS * Math.max(1, nodes / CROWD_MEMBERS)
}

/** Whatever can ask a node for its metrics. */
interface Asker {
  call(method: 'node.metrics', params: Record<string, never>): Promise<unknown>
}

/** What has crossed the links of all these nodes so far. */
export async function trafficOf(clients: readonly Asker[]): Promise<Traffic> {
  const reports = await Promise.all(clients.map((client) => client.call('node.metrics', {})))
  const of = (name: string): MetricsReport['metrics'][number]['values'] =>
    reports.flatMap((report) => {
      const values = (report as MetricsReport).metrics.find((metric) => metric.name === name)?.values
      if (values === undefined) throw new Error(`the nodes have no metric ${name}`)
      return values
    })
  const byKind: Record<string, number> = {}
  for (const { labels, value } of of(SENT)) byKind[`${labels.kind}`] = (byKind[`${labels.kind}`] ?? 0) + value
  return trafficFrom(byKind, sum(of(GOSSIPED).map(({ value }) => value)))
}

export function trafficBetween(before: Traffic, after: Traffic): Traffic {
  const byKind = Object.entries(after.byKind).map(([kind, count]) => [kind, count - (before.byKind[kind] ?? 0)])
  return trafficFrom(Object.fromEntries(byKind), after.gossiped - before.gossiped)
}

function trafficFrom(byKind: Readonly<Record<string, number>>, gossiped: number): Traffic {
  const claims = Object.entries(byKind).filter(([kind]) => kind.startsWith(CLAIMS_PREFIX))
  return { byKind, gossiped, sent: sum(Object.values(byKind)), claims: sum(claims.map(([, count]) => count)) }
}
