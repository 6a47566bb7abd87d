import type { MetricsReport } from '../../src/index.ts'
import { sum } from './figures.ts'

/** Messages that left a node over its links, and pieces of gossip that reached one. */
const SENT = 'swarm_node_network_lane_sent_messages'
const GOSSIPED = 'swarm_node_network_gossip_in_total'

export interface Traffic {
  readonly sent: number
  readonly gossiped: number
}

/** Whatever can ask a node for its metrics. */
interface Asker {
  call(method: 'node.metrics', params: Record<string, never>): Promise<unknown>
}

/** What has crossed the links of all these nodes so far. */
export async function trafficOf(clients: readonly Asker[]): Promise<Traffic> {
  const reports = await Promise.all(clients.map((client) => client.call('node.metrics', {})))
  const of = (name: string): number =>
    sum(
      reports.flatMap((report) => {
        const values = (report as MetricsReport).metrics.find((metric) => metric.name === name)?.values
        if (values === undefined) throw new Error(`the nodes have no metric ${name}`)
        return values.map(({ value }) => value)
      }),
    )
  return { sent: of(SENT), gossiped: of(GOSSIPED) }
}

export function trafficBetween(before: Traffic, after: Traffic): Traffic {
  return { sent: after.sent - before.sent, gossiped: after.gossiped - before.gossiped }
}
