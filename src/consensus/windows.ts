import type { NodeId } from '../kernel/index.ts'
import { count, list, nodeId, record, type Value } from '../wire/index.ts'
import type { ConsensusParams } from './params.ts'
import type { Rules } from './rules.ts'
import type { Height, Request } from './types.ts'

/** Clients in one piece of the snapshot: with full windows it stays below `CHUNK_BYTES_MAX`. */
export const CLIENTS_PER_CHUNK = 48

export const clientsShape = list(
  record({
    client: nodeId,
    session: count(),
    low: count(),
    open: list(count(), 4096),
    last: count<Height>(),
  }),
  CLIENTS_PER_CHUNK,
)
type Saved = Value<typeof clientsShape>[number]

interface Client {
  session: number
  /** All nonces up to here were used. */
  low: number
  /** Used nonces above `low`. */
  readonly open: Set<number>
  last: Height
}

/** Why a request does not count in this place; undefined if it does. */
export type Replay = 'replayed' | 'expired' | 'old-session' | 'beyond-window' | 'too-many-clients'

/**
 * Which requests were applied (B-21): part of the replicated state, so the same on every member at a height. A client is
 * forgotten `requestHeightsMax` after its last request; by then all its requests have expired.
 */
export class ClientWindows {
  readonly #params: ConsensusParams
  readonly #rules: Rules
  readonly #clients = new Map<NodeId, Client>()

  constructor(params: ConsensusParams, rules: Rules) {
    this.#params = params
    this.#rules = rules
  }

  get size(): number {
    return this.#clients.size
  }

  /** Whether the request would count in a block at this height. */
  judge(request: Request, height: Height): Replay | undefined {
    const { client, session, nonce, floor } = request
    if (floor >= height || height > floor + this.#params.requestHeightsMax) return 'expired'
    const known = this.#clients.get(client)
    if (known === undefined) {
      if (this.#clients.size >= this.#params.clientsMax) return 'too-many-clients'
      return nonce <= this.#params.openNoncesMax ? undefined : 'beyond-window'
    }
    if (session < known.session) return 'old-session'
    const low = session === known.session ? known.low : 0
    if (nonce > low + this.#params.openNoncesMax) return 'beyond-window'
    const used = session === known.session && (nonce <= low || known.open.has(nonce))
    return used && this.#rules.refusesReplay() ? 'replayed' : undefined
  }

  /** The latest session in which a request of this client was applied, as far as that is remembered. */
  sessionOf(client: NodeId): number | undefined {
    return this.#clients.get(client)?.session
  }

  /** Marks a request as applied; {@link judge} found that it counts. */
  take(request: Request, height: Height): void {
    let client = this.#clients.get(request.client)
    if (client === undefined || request.session > client.session) {
      client = { session: request.session, low: 0, open: new Set(), last: height }
      this.#clients.set(request.client, client)
    }
    client.last = height
    client.open.add(request.nonce)
    while (client.open.delete(client.low + 1)) client.low += 1
  }

  /** At checkpoints, so that it happens at the same height everywhere. */
  forgetIdle(height: Height): void {
    for (const [node, client] of this.#clients) {
      if (client.last + this.#params.requestHeightsMax < height) this.#clients.delete(node)
    }
  }

  /** Sorted, in pieces. */
  save(): Saved[][] {
    const all = [...this.#clients.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(saved)
    const pieces: Saved[][] = []
    for (let i = 0; i < all.length; i += CLIENTS_PER_CHUNK) pieces.push(all.slice(i, i + CLIENTS_PER_CHUNK))
    return pieces
  }

  restore(pieces: readonly (readonly Saved[])[]): void {
    this.#clients.clear()
    for (const { client, session, low, open, last } of pieces.flat()) {
      this.#clients.set(client, { session, low, open: new Set(open), last })
    }
  }
}

function saved([client, { session, low, open, last }]: [NodeId, Client]): Saved {
  return { client, session, low, open: [...open].sort((a, b) => a - b), last }
}
