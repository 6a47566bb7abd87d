import type { Signer } from '../identity/types.ts'
import { after, BoundedQueue, earliest, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import { OPERATION_BYTES_MAX } from '../wire/index.ts'
import type { Context } from './context.ts'
import { OPERATIONS_PER_REQUEST_MAX, REQUEST_BYTES_MAX } from './params.ts'
import { requestKey } from './pool.ts'
import { requestBytes } from './statements.ts'
import type { Decision, Height, Outcome, Request, SignedRequest } from './types.ts'

interface Submitted {
  readonly id: number
  readonly operation: Uint8Array
  readonly client: Signer
  readonly at: Millis
  /** Its place in its request, once it has one. */
  readonly place: number
}

interface Flight {
  readonly request: Request
  readonly signed: SignedRequest
  submits: readonly Submitted[]
}

const NOTHING: readonly SignedRequest[] = []

/** Client, numbers and lengths of a request, generously. */
const REQUEST_OVERHEAD_BYTES = 160
const OPERATION_OVERHEAD_BYTES = 4

/**
 * The local clients (the node itself, and whoever else's key it holds): bundles operations into signed requests, at once
 * while few are on their way, together with others while more are, and tells each submitter how its operation ended.
 */
export class Intake {
  readonly #context: Context
  readonly #session: number
  readonly #queue: BoundedQueue<Submitted>
  readonly #clients: ReadonlyMap<NodeId, Signer>
  readonly #flights = new Map<string, Flight>()
  readonly #nonces = new Map<NodeId, number>()

  /** `session` must be larger at every start of these clients (B-21). */
  constructor(context: Context, session: number, clients: readonly Signer[]) {
    this.#context = context
    this.#session = session
    this.#clients = new Map(clients.map((client) => [client.node, client]))
    this.#queue = new BoundedQueue(context.params.submitsMax)
  }

  get pending(): number {
    return this.#queue.size + this.#flights.size
  }

  submit(id: number, operation: Uint8Array, as: NodeId = this.#context.self): void {
    const client = this.#clients.get(as)
    if (client === undefined) {
      this.#end(id, { kind: 'refused', code: 'UNAUTHORISED', reason: `this node holds no key of ${as}` })
    } else if (operation.length > OPERATION_BYTES_MAX) {
      this.#end(id, {
        kind: 'refused',
        code: 'TOO_LARGE',
        reason: `an operation has ${OPERATION_BYTES_MAX} bytes at most`,
      })
    } else if (!this.#queue.push({ id, operation, client, at: this.#context.now, place: 0 })) {
      this.#end(id, { kind: 'refused', code: 'OVERLOADED', reason: 'too many operations are waiting to be proposed' })
    }
  }

  /** Requests to send now. */
  bundle(floor: Height): readonly SignedRequest[] {
    if (this.#queue.size === 0) return NOTHING
    const bundled: SignedRequest[] = []
    while (this.#queue.size > 0 && this.#flights.size < this.#context.params.requestsInFlightMax) {
      const next = this.#next(floor)
      if (next === undefined) break
      bundled.push(next)
    }
    return bundled
  }

  #next(floor: Height): SignedRequest | undefined {
    const client = this.#queue.peek()?.client
    if (client === undefined) return undefined
    const submits: Submitted[] = []
    let bytes = REQUEST_OVERHEAD_BYTES
    while (submits.length < OPERATIONS_PER_REQUEST_MAX) {
      const next = this.#queue.peek()
      // One request, one client: what another says waits for the next.
      if (next?.client !== client) break
      bytes += next.operation.length + OPERATION_OVERHEAD_BYTES
      if (submits.length > 0 && bytes > REQUEST_BYTES_MAX) break
      submits.push({ ...next, place: submits.length })
      this.#queue.shift()
    }
    const nonce = (this.#nonces.get(client.node) ?? 0) + 1
    this.#nonces.set(client.node, nonce)
    const operations = submits.map((submitted) => submitted.operation)
    const request: Request = { client: client.node, session: this.#session, nonce, floor, operations }
    const { signature } = client.sign('consensus-request', requestBytes(this.#context.group.id, request))
    const signed = { request, signature }
    this.#flights.set(requestKey(request), { request, signed, submits })
    return signed
  }

  /** Own requests not yet final, to be sent again. */
  flying(): readonly SignedRequest[] {
    return [...this.#flights.values()].map((flight) => flight.signed)
  }

  finalised(decision: Decision): void {
    for (const { request, outcomes, refused } of decision.results) {
      const flight = this.#flights.get(requestKey(request))
      if (flight === undefined || refused === 'replayed') continue
      this.#flights.delete(requestKey(request))
      for (const { id, place } of flight.submits) {
        const reason = `the group does not take this client's request: ${refused}`
        this.#end(id, outcomes[place] ?? { kind: 'refused', code: 'UNAUTHORISED', reason })
      }
    }
  }

  /** After a snapshot: what became of requests that the state says were used is not known one by one. */
  transferred(used: (request: Request) => boolean): void {
    for (const [key, flight] of [...this.#flights]) {
      if (!used(flight.request)) continue
      this.#flights.delete(key)
      this.#endUncertain(flight.submits, [])
    }
  }

  deadline(): Millis {
    let first = NEVER
    const oldest = this.#queue.peek()
    if (oldest !== undefined) first = after(oldest.at, this.#context.params.submitTimeoutMs)
    for (const { submits } of this.#flights.values()) {
      if (submits[0] !== undefined) first = earliest(first, after(submits[0].at, this.#context.params.submitTimeoutMs))
    }
    return first
  }

  /**
   * Tells those who waited too long; `missing` says who was not heard. A request on its way stays there until it is final
   * or void: a nonce left out would close the client's window for good.
   */
  expire(missing: readonly NodeId[]): void {
    const before = this.#context.now - this.#context.params.submitTimeoutMs
    for (const flight of this.#flights.values()) {
      const late = flight.submits.filter((submitted) => submitted.at <= before)
      if (late.length === 0) continue
      flight.submits = flight.submits.filter((submitted) => submitted.at > before)
      this.#endUncertain(late, missing)
    }
    for (let next = this.#queue.peek(); next !== undefined && next.at <= before; next = this.#queue.peek()) {
      this.#queue.shift()
      this.#endUncertain([next], missing)
    }
  }

  #endUncertain(submits: readonly Submitted[], missing: readonly NodeId[]): void {
    for (const { id } of submits) this.#end(id, { kind: 'uncertain', code: 'NO_QUORUM', missing })
  }

  #end(id: number, outcome: Outcome): void {
    this.#context.effect({ kind: 'outcome', id, outcome })
  }
}
