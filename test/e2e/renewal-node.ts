import { openLog } from '../../node/log.ts'
import { openNode } from '../../node/open-node.ts'
import { resolveSettings } from '../../node/settings.ts'
import {
  type ErrorCode,
  type NodeEvent,
  type NodeStatus,
  realClock,
  SwarmError,
  type WallMillis,
} from '../../src/index.ts'

/** What the parent asks, one at a time. */
export type Question =
  | { readonly ask: 'status' }
  | { readonly ask: 'ticket' }
  /** Moves this process's wall clock, and nothing else. */
  | { readonly ask: 'advance'; readonly ms: number }
  /** Has the council decide an organisation with this key. */
  | { readonly ask: 'organisation'; readonly name: string; readonly key: string }
  | { readonly ask: 'stop' }

export interface Answer {
  readonly failed?: ErrorCode
  readonly status: NodeStatus
  readonly wallNow: number
  /** How often somebody was let in here, or this node somewhere else. */
  readonly admissions: number
  readonly alive: readonly string[]
  readonly events: readonly NodeEvent[]
  readonly ticket?: string
}

export interface NodeArguments {
  readonly data: string
  readonly join?: string
  readonly listen?: string
  /** How far this process's wall clock is ahead of the host's. */
  readonly aheadMs: number
}

/** The daemon's node with certificates of an hour, in a process whose wall clock the parent can set. */
const given = JSON.parse(process.argv[2] ?? '') as NodeArguments
let aheadMs = given.aheadMs
const clock = { now: () => realClock.now(), wallNow: () => (realClock.wallNow() + aheadMs) as WallMillis }
const { data, join, listen = '/ip4/127.0.0.1/tcp/0' } = given
const settings = resolveSettings(
  { data, join, profile: 'local', listen: [listen], labels: {} },
  { SWARM_NODE_SECURITY_CERTIFICATE_TTL_MS: '1h' },
)
const fatal = (cause: unknown) => {
  throw cause
}

try {
  const node = await openNode({ settings, log: openLog({ level: 'error', to: 'stderr' }), clock, fatal })
  const answer = (ticket?: string): Answer => ({
    status: node.status(),
    wallNow: clock.wallNow(),
    admissions: node.network().admissionsTotal + node.network().dialsTotal,
    alive: node.peers().peers.flatMap((peer) => (peer.state === 'alive' ? [peer.node] : [])),
    events: node.recentEvents(),
    ...(ticket === undefined ? {} : { ticket }),
  })
  process.on('message', async (question: Question) => {
    if (question.ask === 'advance') aheadMs += question.ms
    // None while nobody knows of the organisation whose key this node holds.
    const made = question.ask === 'ticket' ? await node.createTicket({}).catch(() => undefined) : undefined
    if (question.ask === 'organisation') {
      const { name, key } = question
      await node.council?.propose({ kind: 'org', body: { name, keys: [key], seats: 1 } })
    }
    if (question.ask === 'stop') await node.close()
    process.send?.(answer(made?.ticket))
    if (question.ask === 'stop') process.disconnect()
  })
  process.send?.(answer())
} catch (cause) {
  process.send?.({ failed: cause instanceof SwarmError ? cause.code : 'INTERNAL' })
  process.disconnect()
}
