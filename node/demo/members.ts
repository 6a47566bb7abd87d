import { setTimeout as delay } from 'node:timers/promises'
import { peersOf, type RunningNode } from '../local-swarm.ts'

/** Latencies are measured and loads are told within a few probes of the first meeting. */
const MEASURE_TIMEOUT_MS = 20_000
const POLL_MS = 200

export type PeerSeen = Awaited<ReturnType<typeof peersOf>>[number]

/** What one node says of the others. */
export interface PeersSeen {
  readonly name: string
  readonly node: string
  readonly peers: readonly PeerSeen[]
}

/** What every node sees once latencies and loads are known everywhere, or when the time for that is over. */
export async function measuredViews(nodes: readonly RunningNode[]): Promise<readonly PeersSeen[]> {
  const until = performance.now() + MEASURE_TIMEOUT_MS
  for (;;) {
    const views = await Promise.all(nodes.map(viewOf))
    const complete = views.every(({ peers }) => peers.every((peer) => peer.rttMs !== null && peer.load !== null))
    if (complete || performance.now() > until) return views
    await delay(POLL_MS)
  }
}

async function viewOf(node: RunningNode): Promise<PeersSeen> {
  const peers = (await peersOf(node)).filter((peer) => peer.node !== node.status.node)
  return { name: node.name, node: node.status.node, peers }
}

/** Why this is not a swarm in which everyone sees everyone; empty when it is. */
export function problemsOf(views: readonly PeersSeen[]): readonly string[] {
  const names = new Map(views.map(({ node, name }) => [node, name]))
  return views.flatMap(({ name, peers }) => {
    const about = (peer: PeerSeen) => names.get(peer.node) ?? peer.node
    const missing = views.length - 1 - peers.length
    return [
      ...(missing === 0 ? [] : [`${name} knows ${peers.length} others instead of ${views.length - 1}`]),
      ...peers.filter((peer) => peer.state !== 'alive').map((peer) => `${name} takes ${about(peer)} for ${peer.state}`),
      ...peers.filter((peer) => peer.rttMs === null).map((peer) => `${name} knows no latency to ${about(peer)}`),
      ...peers.filter((peer) => peer.load === null).map((peer) => `${name} knows no load of ${about(peer)}`),
    ]
  })
}
