import type { NodeId } from '../kernel/index.ts'
import {
  ACCOUNT_BYTES_MAX,
  type ClientAccount,
  count,
  flag,
  list,
  type Machine,
  nodeId,
  record,
  text,
  type Value,
} from '../wire/index.ts'
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
    account: record({ name: text(ACCOUNT_BYTES_MAX), reserved: flag }),
  }),
  CLIENTS_PER_CHUNK,
)
type Saved = Value<typeof clientsShape>[number]

/** So full are places that become few. */
const SCARCE = 0.5

/** Of whom the machine says nothing. */
const NOBODYS: ClientAccount = { name: '', reserved: false }

interface Client {
  session: number
  /** All nonces up to here were used. */
  low: number
  /** Used nonces above `low`. */
  readonly open: Set<number>
  last: Height
  /** Whose places it takes: that of its first request. */
  readonly account: ClientAccount
}

/** Why a request does not count in this place; undefined if it does. */
export type Replay = 'replayed' | 'expired' | 'forgotten' | 'old-session' | 'beyond-window' | 'too-many-clients'

/**
 * Which requests were applied (B-21): part of the replicated state, so the same on every member at a height. A client is
 * forgotten `requestHeightsMax` after its last request: by then all its requests have expired. Sooner if it may not speak
 * any more and places become few; then no request of an unknown client counts from a floor that a forgotten one may have used.
 */
export class ClientWindows {
  readonly #params: ConsensusParams
  readonly #rules: Rules
  readonly #machine: Pick<Machine, 'authorised' | 'account'>
  readonly #clients = new Map<NodeId, Client>()
  /** Clients per account, and those without a reserved one. */
  readonly #perAccount = new Map<string, number>()
  #common = 0
  /** The height of the last request of the clients that were forgotten before their requests had expired. */
  #forgottenTo = 0 as Height

  constructor(params: ConsensusParams, rules: Rules, machine: Pick<Machine, 'authorised' | 'account'>) {
    this.#params = params
    this.#rules = rules
    this.#machine = machine
  }

  get size(): number {
    return this.#clients.size
  }

  get forgottenTo(): Height {
    return this.#forgottenTo
  }

  /** Whether the request would count in a block at this height. */
  judge(request: Request, height: Height): Replay | undefined {
    const { client, session, nonce, floor } = request
    if (floor >= height || height > floor + this.#params.requestHeightsMax) return 'expired'
    const known = this.#clients.get(client)
    if (known === undefined) {
      if (floor < this.#forgottenTo) return 'forgotten'
      if (this.#fill(this.#accountOf(client)) >= 1) return 'too-many-clients'
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

  #accountOf(client: NodeId): ClientAccount {
    return this.#machine.account?.(client) ?? NOBODYS
  }

  /** How full an account's places are: none takes the others', and those not reserved have but so many together. */
  #fill({ name, reserved }: ClientAccount): number {
    const { clientsMax, clientsPerAccountMax } = this.#params
    const own = name === '' ? 0 : (this.#perAccount.get(name) ?? 0) / clientsPerAccountMax
    return reserved ? own : Math.max(own, this.#common / clientsMax)
  }

  /** Marks a request as applied; {@link judge} found that it counts. */
  take(request: Request, height: Height): void {
    const { client: node, session, nonce } = request
    let client = this.#clients.get(node)
    if (client === undefined || session > client.session) {
      client = { session, low: 0, open: new Set(), last: height, account: client?.account ?? this.#accountOf(node) }
      this.#set(node, client)
    }
    client.last = height
    // Most come in order.
    if (nonce === client.low + 1) client.low = nonce
    else client.open.add(nonce)
    while (client.open.size > 0 && client.open.delete(client.low + 1)) client.low += 1
  }

  #set(node: NodeId, client: Client): void {
    if (!this.#clients.has(node)) this.#count(client, 1)
    this.#clients.set(node, client)
  }

  #count({ account }: Client, by: 1 | -1): void {
    const left = (this.#perAccount.get(account.name) ?? 0) + by
    if (left > 0) this.#perAccount.set(account.name, left)
    else this.#perAccount.delete(account.name)
    if (!account.reserved) this.#common += by
  }

  /** At checkpoints, so that it happens at the same height and in the same state everywhere. */
  forgetIdle(height: Height): void {
    let due: [NodeId, Client][] | undefined
    for (const [node, client] of this.#clients) {
      if (!this.#hasExpired(client, height) && !this.#isSuperfluous(node, client, height)) continue
      due ??= []
      due.push([node, client])
    }
    for (const [node, client] of due ?? []) {
      this.#clients.delete(node)
      this.#count(client, -1)
      if (!this.#hasExpired(client, height) && client.last > this.#forgottenTo) this.#forgottenTo = client.last
    }
  }

  #hasExpired({ last }: Client, height: Height): boolean {
    return last + this.#params.requestHeightsMax < height
  }

  /** It may not speak any more and takes a place where they become few. Elsewhere it may come back to where it was. */
  #isSuperfluous(node: NodeId, { last, account }: Client, height: Height): boolean {
    if (last + this.#params.silencedHeightsMax >= height || this.#fill(account) < SCARCE) return false
    return !this.#machine.authorised(node)
  }

  /** Sorted, in pieces. */
  save(): Saved[][] {
    const all = [...this.#clients.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(saved)
    const pieces: Saved[][] = []
    for (let i = 0; i < all.length; i += CLIENTS_PER_CHUNK) pieces.push(all.slice(i, i + CLIENTS_PER_CHUNK))
    return pieces
  }

  restore(pieces: readonly (readonly Saved[])[], forgottenTo: Height): void {
    this.#clients.clear()
    this.#perAccount.clear()
    this.#common = 0
    this.#forgottenTo = forgottenTo
    for (const { client, session, low, open, last, account } of pieces.flat()) {
      this.#set(client, { session, low, open: new Set(open), last, account })
    }
  }
}

function saved([client, { session, low, open, last, account }]: [NodeId, Client]): Saved {
  return { client, session, low, open: [...open].sort((a, b) => a - b), last, account }
}
