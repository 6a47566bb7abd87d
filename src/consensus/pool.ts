import type { NodeId } from '../kernel/index.ts'
import type { Entry } from './chain.ts'
import {
  BLOCK_BYTES_MAX,
  type ConsensusParams,
  OPERATIONS_PER_BLOCK_MAX,
  REQUEST_BYTES_MAX,
  REQUESTS_PER_BLOCK_MAX,
} from './params.ts'
import type { Request, SignedRequest } from './types.ts'

interface Named {
  readonly client: NodeId
  readonly session: number
  readonly nonce: number
  readonly key: string
}

/** Places for names given lately, a power of two: a request is looked for some ten times on its way, and a text is made slowly. */
const NAMED_MAX = 1024
const NAMED: (Named | undefined)[] = new Array(NAMED_MAX).fill(undefined)

/** Names a request: what is applied once (B-21). */
export function requestKey({ client, session, nonce }: Request): string {
  const at = ((nonce << 6) + client.charCodeAt(client.length - 1) + session) & (NAMED_MAX - 1)
  const named = NAMED[at]
  if (named?.nonce === nonce && named.session === session && named.client === client) return named.key
  const key = `${client} ${session} ${nonce}`
  NAMED[at] = { client, session, nonce, key }
  return key
}

interface Waiting {
  readonly signed: SignedRequest
  readonly bytes: number
  /** Who brought it: there its client is likely to wait. */
  readonly from: readonly NodeId[]
}

const NO_KEYS: ReadonlySet<string> = new Set()
const NO_SESSIONS: ReadonlyMap<NodeId, number> = new Map()
const NO_SHARE = { requests: 0, bytes: 0 }

/** A client's share of the pool's bytes is one of so many, so that no client crowds out the others. */
const CLIENTS_SHARING = 12

/** Of those who bring a request so many are told first what becomes of it: the primary it came with, and its client's node. */
const BRINGERS_MAX = 2

/** What a request takes beside its operations, generously: client, numbers, signature. */
const SIGNED_OVERHEAD_BYTES = 192
/** What an operation takes beside its bytes: its length. */
const OPERATION_OVERHEAD_BYTES = 4

/**
 * Requests whose client's signature was found good and that are not yet final, in order of arrival: the order in which an
 * honest primary proposes them, so that none can be passed over for ever (B-12). Bounded in number and bytes, and per
 * client by the nonce window (B-9).
 */
export class RequestPool {
  readonly #params: ConsensusParams
  readonly #waiting = new Map<string, Waiting>()
  readonly #perClient = new Map<NodeId, { readonly requests: number; readonly bytes: number }>()
  #bytes = 0

  constructor(params: ConsensusParams) {
    this.#params = params
  }

  get size(): number {
    return this.#waiting.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether this very request waits here, its signature found good. */
  has(request: Request): boolean {
    const waiting = this.#waiting.get(requestKey(request))
    return waiting !== undefined && sameContent(waiting.signed.request, request)
  }

  /**
   * Whether there is room; a full pool refuses, its submitter tries again. What no block could hold is refused for good:
   * at the head of the queue it would keep everything behind it waiting (B-12).
   */
  hasRoom(request: Request): boolean {
    if (this.#waiting.has(requestKey(request))) return false
    const bytes = bytesOf(request)
    return (
      bytes <= REQUEST_BYTES_MAX + SIGNED_OVERHEAD_BYTES &&
      this.#waiting.size < this.#params.poolRequestsMax &&
      this.#bytes + bytes <= this.#params.poolBytesMax &&
      this.#shareOf(request.client).requests < this.#params.openNoncesMax &&
      this.#shareOf(request.client).bytes + bytes <= this.#params.poolBytesMax / CLIENTS_SHARING
    )
  }

  /** Takes a request whose signature was found good; a second one under its name is dropped. */
  add(signed: SignedRequest, from: NodeId): boolean {
    const { request } = signed
    if (!this.hasRoom(request)) return false
    const bytes = bytesOf(request)
    this.#waiting.set(requestKey(request), { signed, bytes, from: [from] })
    const share = this.#shareOf(request.client)
    this.#perClient.set(request.client, { requests: share.requests + 1, bytes: share.bytes + bytes })
    this.#bytes += bytes
    return true
  }

  /** Somebody else brings it as well: its client, perhaps, after a primary that was quicker. */
  broughtBy(request: Request, from: NodeId): void {
    const key = requestKey(request)
    const waiting = this.#waiting.get(key)
    if (waiting === undefined || waiting.from.length >= BRINGERS_MAX || waiting.from.includes(from)) return
    this.#waiting.set(key, { ...waiting, from: [...waiting.from, from] })
  }

  remove(request: Request): void {
    const key = requestKey(request)
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return
    this.#waiting.delete(key)
    this.#bytes -= waiting.bytes
    const share = this.#shareOf(request.client)
    const left = { requests: share.requests - 1, bytes: share.bytes - waiting.bytes }
    if (left.requests > 0) this.#perClient.set(request.client, left)
    else this.#perClient.delete(request.client)
  }

  /** The oldest requests that fit a block and are not in these blocks below it already. */
  select(below: readonly Entry[], counts: (request: Request) => boolean): readonly SignedRequest[] {
    if (this.#waiting.size === 0) return []
    const taken = below.length === 0 ? NO_KEYS : keysIn(below)
    const sessions = below.length === 0 ? NO_SESSIONS : sessionsIn(below)
    const selected: SignedRequest[] = []
    let bytes = 0
    let operations = 0
    for (const [key, { signed, bytes: size }] of this.#waiting) {
      const { client, session } = signed.request
      // A block below may hold a later session of its client: whoever has finalised that finds this one in the wrong.
      if (taken.has(key) || session < (sessions.get(client) ?? 0) || !counts(signed.request)) continue
      if (selected.length >= REQUESTS_PER_BLOCK_MAX || bytes + size > BLOCK_BYTES_MAX - PAYLOAD_RESERVE_BYTES) break
      operations += signed.request.operations.length
      if (operations > OPERATIONS_PER_BLOCK_MAX) break
      selected.push(signed)
      bytes += size
    }
    return selected
  }

  /** Who sent these requests; undefined if there are none, or if one is not here. */
  bringersOf(requests: readonly SignedRequest[]): readonly NodeId[] | undefined {
    const bringers: NodeId[] = []
    for (const { request } of requests) {
      const waiting = this.#waiting.get(requestKey(request))
      if (waiting === undefined) return undefined
      for (const node of waiting.from) if (!bringers.includes(node)) bringers.push(node)
    }
    return bringers.length === 0 ? undefined : bringers
  }

  /** Some of the waiting requests, oldest first, to be passed on. */
  oldest(requestsMax: number, bytesMax: number): readonly SignedRequest[] {
    const some: SignedRequest[] = []
    let bytes = 0
    for (const { signed, bytes: size } of this.#waiting.values()) {
      if (some.length >= requestsMax || bytes + size > bytesMax) break
      some.push(signed)
      bytes += size
    }
    return some
  }

  /** Drops what can no longer count (expired, replaced sessions). */
  sweep(counts: (request: Request) => boolean): void {
    if (this.#waiting.size === 0) return
    for (const { signed } of [...this.#waiting.values()]) if (!counts(signed.request)) this.remove(signed.request)
  }

  #shareOf(client: NodeId): { readonly requests: number; readonly bytes: number } {
    return this.#perClient.get(client) ?? NO_SHARE
  }
}

/** Length of an encoded signed request, at most. */
function bytesOf({ operations }: Request): number {
  let bytes = SIGNED_OVERHEAD_BYTES
  for (const operation of operations) bytes += OPERATION_OVERHEAD_BYTES + operation.length
  return bytes
}

/** Whether requests of one name are the same: a client may have signed two. */
function sameContent(a: Request, b: Request): boolean {
  if (a === b) return true
  if (a.floor !== b.floor || a.operations.length !== b.operations.length) return false
  return a.operations.every((operation, i) => sameBytes(operation, b.operations[i]))
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (a.length !== b?.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Room in a block's payload for evidence and lengths. */
const PAYLOAD_RESERVE_BYTES = 48 * 1024

/** The latest session of each client in some blocks. */
function sessionsIn(entries: readonly Entry[]): ReadonlyMap<NodeId, number> {
  const sessions = new Map<NodeId, number>()
  for (const { block } of entries) {
    for (const { request } of block.requests) {
      sessions.set(request.client, Math.max(request.session, sessions.get(request.client) ?? 0))
    }
  }
  return sessions
}

/** How many operations there are in some requests. */
export function operationsIn(requests: readonly SignedRequest[]): number {
  let count = 0
  for (const { request } of requests) count += request.operations.length
  return count
}

/** The names of all requests in some blocks. */
export function keysIn(entries: readonly Entry[]): Set<string> {
  const keys = new Set<string>()
  for (const { block } of entries) for (const { request } of block.requests) keys.add(requestKey(request))
  return keys
}
