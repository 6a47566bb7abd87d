import type { Signer } from '../identity/types.ts'
import { after, BoundedQueue, earliest, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import { OPERATION_BYTES_MAX } from '../wire/index.ts'
import type { Context } from './context.ts'
import { OPERATIONS_PER_REQUEST_MAX, REQUEST_BYTES_MAX } from './params.ts'
import { requestKey } from './pool.ts'
import { requestBytes } from './statements.ts'
import type { Decision, Height, Outcome, Request, SignedRequest, Submission } from './types.ts'

interface Submitted {
  readonly id: number
  readonly operation: Uint8Array
  readonly at: Millis
  /** Its place in its request, once it has one. */
  readonly place: number
}

interface Flight {
  readonly request: Request
  readonly signed: SignedRequest
  submits: readonly Submitted[]
}

/**
 * One local client. Each has a limit of its own: what a client says that has no voice any more is never final, and must not
 * keep the others from speaking.
 */
interface Voice {
  readonly client: Signer
  readonly queue: BoundedQueue<Submitted>
  readonly flights: Map<string, Flight>
  session: number
  nonce: number
}

const NOTHING: readonly SignedRequest[] = []

/** Holders of one key that take over from the same session begin sessions of different numbers. */
const SESSION_STEP_MAX = 1_000_003

/** Client, numbers and lengths of a request, generously. */
const REQUEST_OVERHEAD_BYTES = 160
const OPERATION_OVERHEAD_BYTES = 4

/**
 * The local clients (the node itself, and whoever else's key it holds): bundles operations into signed requests, at once
 * while few are on their way, together with others while more are, and tells each submitter how its operation ended.
 */
export class Intake {
  readonly #context: Context
  readonly #sessionStep: number
  /** One, or few. */
  readonly #voices: readonly Voice[]

  /** `session` must be larger at every start of these clients (B-21). */
  constructor(context: Context, session: number, clients: readonly Signer[]) {
    this.#context = context
    this.#sessionStep = 1 + (session % SESSION_STEP_MAX)
    const { submitsMax } = context.params
    const voiceOf = (client: Signer): Voice => {
      return { client, queue: new BoundedQueue<Submitted>(submitsMax), flights: new Map(), session, nonce: 0 }
    }
    this.#voices = clients.map(voiceOf)
  }

  #voiceOf(client: NodeId): Voice | undefined {
    return this.#voices.find((voice) => voice.client.node === client)
  }

  get pending(): number {
    let count = 0
    for (const { queue, flights } of this.#voices) count += queue.size + flights.size
    return count
  }

  submit({ id, operation, as = this.#context.self }: Submission): void {
    const voice = this.#voiceOf(as)
    if (voice === undefined) {
      this.#end(id, { kind: 'refused', code: 'UNAUTHORISED', reason: `this node holds no key of ${as}` })
    } else if (operation.length > OPERATION_BYTES_MAX) {
      this.#end(id, {
        kind: 'refused',
        code: 'TOO_LARGE',
        reason: `an operation has ${OPERATION_BYTES_MAX} bytes at most`,
      })
    } else if (!voice.queue.push({ id, operation, at: this.#context.now, place: 0 })) {
      this.#end(id, { kind: 'refused', code: 'OVERLOADED', reason: 'too many operations are waiting to be proposed' })
    }
  }

  /** Requests to send now. `sessionOf` says in which session a client last spoke, by what is final. */
  bundle(floor: Height, sessionOf: (client: NodeId) => number | undefined): readonly SignedRequest[] {
    let bundled: SignedRequest[] | undefined
    for (const voice of this.#voices) {
      const last = sessionOf(voice.client.node) ?? 0
      if (last > voice.session) {
        bundled ??= []
        bundled.push(...this.#takeOver(voice, last, floor))
      }
      while (this.#isDue(voice)) {
        bundled ??= []
        bundled.push(this.#next(voice, floor))
      }
    }
    return bundled ?? NOTHING
  }

  /**
   * B-21: another holder of the key has spoken, in a later session. Whatever is still on its way in an earlier one can never
   * count any more, so it is said again in one that is later still; but for what nobody waits for.
   */
  #takeOver(voice: Voice, last: number, floor: Height): readonly SignedRequest[] {
    voice.session = last + this.#sessionStep
    voice.nonce = 0
    const flights = [...voice.flights.values()].filter(({ submits }) => submits.length > 0)
    voice.flights.clear()
    return flights.map(({ request, submits }) => this.#begin(voice, submits, request.operations, floor))
  }

  /**
   * The more is on its way, the more has to wait before it is worth a request, and so a block, of its own. What has been on
   * its way for longer than a view may never arrive: nothing waits for that.
   */
  #isDue({ queue, flights }: Voice): boolean {
    const { requestsInFlightMax, viewTimeoutMs } = this.#context.params
    if (queue.size === 0 || flights.size >= requestsInFlightMax) return false
    let flying = 0
    for (const { submits } of flights.values()) {
      const [oldest] = submits
      if (oldest !== undefined && this.#context.now < after(oldest.at, viewTimeoutMs)) flying += submits.length
    }
    return queue.size >= flying
  }

  #next(voice: Voice, floor: Height): SignedRequest {
    const { queue } = voice
    const submits: Submitted[] = []
    let bytes = REQUEST_OVERHEAD_BYTES
    while (submits.length < OPERATIONS_PER_REQUEST_MAX) {
      const next = queue.peek()
      if (next === undefined) break
      bytes += next.operation.length + OPERATION_OVERHEAD_BYTES
      if (submits.length > 0 && bytes > REQUEST_BYTES_MAX) break
      submits.push({ ...next, place: submits.length })
      queue.shift()
    }
    const operations = submits.map((submitted) => submitted.operation)
    return this.#begin(voice, submits, operations, floor)
  }

  #begin(voice: Voice, submits: readonly Submitted[], operations: readonly Uint8Array[], floor: Height): SignedRequest {
    voice.nonce += 1
    const { client, session, nonce } = voice
    return this.#send(voice, { client: client.node, session, nonce, floor, operations }, submits)
  }

  #send({ client, flights }: Voice, request: Request, submits: readonly Submitted[]): SignedRequest {
    const { signature } = client.sign('consensus-request', requestBytes(this.#context.group.id, request))
    const signed = { request, signature }
    flights.set(requestKey(request), { request, signed, submits })
    return signed
  }

  /** Begins those on their way that can no longer count anew from this floor, under the same nonce: none may be left out. */
  renew(isVoid: (request: Request) => boolean, floor: Height): readonly SignedRequest[] {
    return this.#voices.flatMap((voice) => {
      if (voice.flights.size === 0) return NOTHING
      const late = [...voice.flights.values()].filter(({ request }) => request.floor < floor && isVoid(request))
      return late.map(({ request, submits }) => this.#send(voice, { ...request, floor }, submits))
    })
  }

  /** Own requests not yet final, to be sent again. */
  flying(): readonly SignedRequest[] {
    return this.#voices.flatMap(({ flights }) => [...flights.values()].map(({ signed }) => signed))
  }

  finalised(decision: Decision): void {
    for (const { request, outcomes, refused } of decision.results) {
      const flights = this.#voiceOf(request.client)?.flights
      const flight = flights?.get(requestKey(request))
      // One of an earlier session is said again in a later one.
      if (flight === undefined || refused === 'replayed' || refused === 'old-session') continue
      flights?.delete(requestKey(request))
      for (const { id, place } of flight.submits) {
        const reason = `the group does not take this client's request: ${refused}`
        this.#end(id, outcomes[place] ?? { kind: 'refused', code: 'UNAUTHORISED', reason })
      }
    }
  }

  /** After a snapshot: what became of requests that the state says were used is not known one by one. */
  transferred(used: (request: Request) => boolean): void {
    for (const { flights } of this.#voices) {
      for (const [key, flight] of [...flights]) {
        if (!used(flight.request)) continue
        flights.delete(key)
        this.#endUncertain(flight.submits, [])
      }
    }
  }

  deadline(): Millis {
    let first = NEVER
    const { submitTimeoutMs } = this.#context.params
    for (const { queue, flights } of this.#voices) {
      const oldest = queue.peek()
      if (oldest !== undefined) first = earliest(first, after(oldest.at, submitTimeoutMs))
      for (const { submits } of flights.values()) {
        if (submits[0] !== undefined) first = earliest(first, after(submits[0].at, submitTimeoutMs))
      }
    }
    return first
  }

  /**
   * Tells those who waited too long; `missing` says who was not heard. A request on its way stays there until it is final
   * or void: a nonce left out would close the client's window for good.
   */
  expire(missing: readonly NodeId[]): void {
    const before = this.#context.now - this.#context.params.submitTimeoutMs
    for (const { queue, flights } of this.#voices) {
      for (const flight of flights.values()) {
        const late = flight.submits.filter((submitted) => submitted.at <= before)
        if (late.length === 0) continue
        flight.submits = flight.submits.filter((submitted) => submitted.at > before)
        this.#endUncertain(late, missing)
      }
      for (let next = queue.peek(); next !== undefined && next.at <= before; next = queue.peek()) {
        queue.shift()
        this.#endUncertain([next], missing)
      }
    }
  }

  #endUncertain(submits: readonly Submitted[], missing: readonly NodeId[]): void {
    for (const { id } of submits) this.#end(id, { kind: 'uncertain', code: 'NO_QUORUM', missing })
  }

  #end(id: number, outcome: Outcome): void {
    this.#context.effect({ kind: 'outcome', id, outcome })
  }
}
