import type { MetricsReport } from '../../src/index.ts'
import { sum } from './figures.ts'

/** Messages that left a node over its links, and pieces of gossip that reached one. */
const SENT = 'swarm_node_network_lane_sent_messages'
const GOSSIPED = 'swarm_node_network_gossip_in_total'

/** Lanes that nothing but claims writes on. */
const CLAIM_LANES: readonly unknown[] = ['work', 'bulk']

export interface Traffic {
  /** Messages on all lanes. */
  readonly sent: number
  /** Those of them that negotiate tasks. Consensus answers laggards on the lowest lane too, which counts here. */
  readonly claims: number
  readonly gossiped: number
}

/** After formation: until the agents of all are known to all that need to know, and the council and the cell, which wait
 * for the swarm to have grown, have taken in whom they take. */
export const SETTLE_MS = 45_000
/** How long traffic is watched at least. */
export const WATCHED_MS = 30_000
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
  const of = (name: string, lanes?: readonly unknown[]): number =>
    sum(
      reports.flatMap((report) => {
        const values = (report as MetricsReport).metrics.find((metric) => metric.name === name)?.values
        if (values === undefined) throw new Error(`the nodes have no metric ${name}`)
        return values.filter(({ labels }) => lanes?.includes(labels.lane) ?? true).map(({ value }) => value)
      }),
    )
  return { sent: of(SENT), claims: of(SENT, CLAIM_LANES), gossiped: of(GOSSIPED) }
}

export function trafficBetween(before: Traffic, after: Traffic): Traffic {
  return {
    sent: after.sent - before.sent,
    claims: after.claims - before.claims,
    gossiped: after.gossiped - before.gossiped,
  }
}
