import {
  after,
  assert,
  BoundedQueue,
  type Core,
  type Millis,
  NEVER,
  type Tick,
  TokenBucket,
  unreachable,
} from '../kernel/index.ts'
import { progressParams } from './agent-messages.ts'
import { failure, lineFailure, problemsFailure, tooLarge, unknownMethod } from './failures.ts'
import {
  type Answer,
  encodeNotification,
  encodeOutcome,
  encodeRequest,
  type Failure,
  type Frame,
  type Outcome,
  type RequestId,
  readFrame,
} from './frames.ts'
import { JsonText } from './json-text.ts'
import { LineDecoder } from './lines.ts'
import { type HelloResult, helloParams, isMethodName, judgeParams, METHODS, type ParamsOf } from './methods.ts'
import { agentOutcomeOf, Orders } from './orders.ts'
import { IPC_PROTOCOL, SESSION_LIMITS, type SessionLimits } from './params.ts'
import type { NodeEvent } from './reports.ts'
import { Subscriptions } from './subscriptions.ts'
import type { Call, CloseReason, SessionEffect, SessionGreeting, SessionInput } from './types.ts'

const utf8 = new TextEncoder()

/** What can wait until the client has taken what it was sent before. */
type Outgoing = Extract<SessionInput, { readonly kind: 'respond' | 'run' | 'notify' }>

/**
 * The daemon's side of one connection. Clauses I-1 to I-17 in ./README.md.
 *
 * A core: bytes and answers are stepped in, lines and calls come out; the host owns the socket and the clock.
 */
export class Session implements Core<SessionInput, SessionEffect> {
  readonly #greeting: SessionGreeting
  readonly #limits: SessionLimits
  readonly #decoder: LineDecoder
  readonly #lineRate: TokenBucket
  /** Requests that want an answer; `answered`: it waits in the outbox. */
  readonly #inFlight = new Map<RequestId, 'asked' | 'answered'>()
  /** Those of them that attach an agent, and what waits behind their answers (I-17). */
  readonly #attaching = new Set<RequestId>()
  #held: BoundedQueue<Outgoing> | undefined
  #orders: Orders | undefined
  #outbox: BoundedQueue<Outgoing> | undefined
  readonly #subscriptions: Subscriptions
  readonly #helloBy: Millis
  #greeted = false
  #inputEnded = false
  #shuttingDown = false
  #closed = false
  #paused = false
  #unsentBytes = 0
  /** Lines that wait for the host to ask for them, as one write. */
  #lines: string[] = []
  #linesChars = 0
  #isReady = false
  #effects: SessionEffect[] = []

  constructor(greeting: SessionGreeting, now: Millis, limits: SessionLimits = SESSION_LIMITS) {
    this.#greeting = greeting
    this.#limits = limits
    this.#decoder = new LineDecoder(limits.lineBytesMax)
    this.#lineRate = new TokenBucket(limits.linesPerSecond, limits.linesBurst, now)
    this.#subscriptions = new Subscriptions(limits.subscriptionsMax)
    this.#helloBy = after(now, limits.helloTimeoutMs)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether events concern this session at all, so that the host need not step the others. */
  get subscribed(): boolean {
    return this.#subscriptions.size > 0
  }

  /** The client takes what it is sent: whatever is told it now leaves at once. */
  get keepsUp(): boolean {
    return (this.#outbox?.size ?? 0) === 0 && this.#hasRoom
  }

  deadline(): Millis {
    return this.#greeted || this.#closed ? NEVER : this.#helloBy
  }

  step(now: Millis, input: SessionInput | Tick): readonly SessionEffect[] {
    if (this.#closed) return []
    this.#take(now, input)
    if (this.#lines.length > 0 && !this.#isReady && !this.#closed) {
      this.#isReady = true
      this.#effects.push({ kind: 'ready' })
    }
    if (!this.#closed) this.#conclude()
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #take(now: Millis, input: SessionInput | Tick): void {
    switch (input.kind) {
      case 'tick':
        if (now >= this.deadline()) this.#refuse('no-hello', null, failure('TIMEOUT', 'no hello came; say hello first'))
        break
      case 'received':
        this.#receive(now, input.bytes)
        break
      case 'ended':
        this.#inputEnded = true
        break
      case 'respond':
        assert(this.#inFlight.get(input.id) === 'asked', 'the host answers each call once', { id: input.id })
        this.#inFlight.set(input.id, 'answered')
        this.#post(input)
        if (this.#attaching.delete(input.id)) this.#release()
        break
      case 'run':
      case 'notify':
        if (this.#attaching.size > 0) this.#hold(input)
        else this.#post(input)
        break
      case 'flush':
        this.#flush()
        break
      case 'event':
        this.#deliver(input.event)
        break
      case 'sent':
        this.#unsentBytes -= input.byteCount
        assert(this.#unsentBytes >= 0, 'no more is sent than was written', { unsentBytes: this.#unsentBytes })
        this.#emptyOutbox()
        break
      case 'hang-up':
        this.#refuse('expelled', null, input.error)
        break
      case 'shut-down':
        this.#shuttingDown = true
        break
      default:
        unreachable(input)
    }
  }

  #receive(now: Millis, bytes: Uint8Array): void {
    const { lines, fault } = this.#decoder.push(bytes)
    for (const line of lines) {
      if (this.#closed) return
      // I-6: counted line by line, so that what came before the flood is still served.
      if (this.#lineRate.take(now)) this.#readLine(line)
      else this.#refuse('flood', null, failure('OVERLOADED', 'too many lines a second; slow down and connect again'))
    }
    if (fault === undefined || this.#closed) return
    this.#refuse('malformed', null, lineFailure(fault, this.#limits.lineBytesMax))
  }

  #readLine(line: string): void {
    if (line.trim() === '') return
    const frame = readFrame(line)
    if (frame.kind === 'fault' && frame.error.code === 'PARSE_ERROR') {
      this.#refuse('malformed', null, frame.error)
    } else if (!this.#greeted) {
      this.#firstFrame(frame)
    } else if (frame.kind === 'fault') {
      this.#answer(frame.id, { ok: false, error: frame.error })
    } else if (frame.kind === 'request') {
      this.#request(frame.id, frame.method, frame.params, line)
    } else if (frame.kind === 'answer') {
      this.#settle(frame.id, frame.answer, line)
    } else if (frame.method === 'task.progress') {
      this.#progress(frame.params, line)
    }
    // What is left is a notification that we do not know, which wants no answer.
  }

  /** I-13: the outcome of an order, unless it was answered before or never was one. */
  #settle(id: RequestId | null, answer: Answer, line: string): void {
    const order = this.#orders?.settle(id)
    if (order === undefined) return
    this.#effects.push({ kind: 'outcome', order, outcome: agentOutcomeOf(answer, line) })
  }

  /** Of an order that is open; anything else is ignored, because nobody can be told. */
  #progress(params: unknown, line: string): void {
    const judged = judgeParams(progressParams, params)
    if (!judged.ok) return
    const { task, attempt, fraction, message, partial } = judged.value
    const order = this.#orders?.find(task, attempt)
    if (order === undefined) return
    const said = partial === undefined ? undefined : JsonText.cut(line, 'params', 'partial')
    this.#effects.push({ kind: 'progress', order, fraction, message, partial: said })
  }

  /** I-3. */
  #firstFrame(frame: Frame): void {
    if (frame.kind !== 'request' || frame.method !== 'hello') {
      const id = frame.kind === 'request' ? frame.id : null
      this.#refuse('no-hello', id, failure('BAD_REQUEST', 'hello must come first'))
      return
    }
    const refusal = this.#helloRefusal(frame.params)
    if (refusal !== undefined) {
      this.#refuse('refused', frame.id, refusal)
      return
    }
    this.#greeted = true
    const result: HelloResult = { protocol: IPC_PROTOCOL, ...this.#greeting.hello }
    this.#answer(frame.id, { ok: true, result })
  }

  #helloRefusal(params: unknown): Failure | undefined {
    const judged = judgeParams(helloParams, params)
    if (!judged.ok) return problemsFailure('hello', judged.problems)
    const { protocol, token } = judged.value
    if (protocol !== IPC_PROTOCOL) {
      const message = `this daemon speaks protocol ${IPC_PROTOCOL}, not ${protocol}; use a client of its version`
      return failure('UNSUPPORTED_VERSION', message, { protocol: IPC_PROTOCOL })
    }
    const secret = this.#greeting.token
    if (secret === undefined || sameSecret(secret, token ?? '')) return undefined
    const message = 'this socket wants a token; set SWARM_NODE_TOKEN to the one in the configuration of the node'
    return failure('UNAUTHORISED', message)
  }

  #request(id: RequestId, method: string, params: unknown, line: string): void {
    const refusal = this.#refusal(id, method)
    if (refusal !== undefined || !isMethodName(method)) {
      this.#answer(id, { ok: false, error: refusal ?? unknownMethod(method) })
      return
    }
    const judged = judgeParams<unknown>(METHODS[method].params, params)
    if (!judged.ok) {
      this.#answer(id, { ok: false, error: problemsFailure(method, judged.problems) })
    } else if (method === 'events.subscribe') {
      this.#answer(id, this.#subscribe(judged.value as ParamsOf<'events.subscribe'>))
    } else if (method === 'events.unsubscribe') {
      this.#answer(id, this.#unsubscribe(judged.value as ParamsOf<'events.unsubscribe'>))
    } else {
      this.#inFlight.set(id, 'asked')
      if (method === 'agent.attach') this.#attaching.add(id)
      // The schema of this very method has just judged the parameters.
      this.#effects.push(withPayload({ kind: 'call', id, method, params: judged.value } as Call, line))
    }
  }

  /** Why this request is not even looked at, if so. */
  #refusal(id: RequestId, method: string): Failure | undefined {
    if (this.#shuttingDown) return failure('SHUTTING_DOWN', 'this node is stopping; ask another one')
    if (this.#inFlight.has(id)) return failure('BAD_REQUEST', `request ${JSON.stringify(id)} is still being answered`)
    if (method === 'hello') return failure('BAD_REQUEST', 'hello was said already')
    const { requestsInFlightMax, retryAfterMs } = this.#limits
    if (this.#inFlight.size < requestsInFlightMax) return undefined
    const message = `${requestsInFlightMax} requests of this connection wait for answers; take some first`
    return failure('OVERLOADED', message, { retryAfterMs })
  }

  #subscribe(params: ParamsOf<'events.subscribe'>): Outcome {
    const subscription = this.#subscriptions.open(params)
    if (subscription !== undefined) return { ok: true, result: { subscription } }
    const message = `this connection has ${this.#limits.subscriptionsMax} subscriptions; close one first`
    return { ok: false, error: failure('QUOTA_EXCEEDED', message) }
  }

  #unsubscribe(params: ParamsOf<'events.unsubscribe'>): Outcome {
    if (this.#subscriptions.close(params.subscription)) return { ok: true, result: {} }
    const message = `this connection has no subscription ${JSON.stringify(params.subscription)}`
    return { ok: false, error: failure('NOT_FOUND', message) }
  }

  /** I-7, I-8. */
  #deliver(event: NodeEvent): void {
    const room = this.#unsentBytes + this.#linesChars < this.#limits.eventBacklogBytesMax
    for (const params of this.#subscriptions.deliver(event, room)) {
      this.#push(encodeNotification('event', params))
    }
  }

  /** I-7: what has no room waits as it is, and behind it whatever comes later. */
  #post(message: Outgoing): void {
    if (this.keepsUp) {
      this.#write(message)
      return
    }
    const { requestsInFlightMax, ordersMax } = this.#limits
    // Room for every answer and every order, and for a word about each order.
    this.#outbox ??= new BoundedQueue(requestsInFlightMax + 2 * ordersMax)
    this.#keep(this.#outbox, message)
  }

  /** I-17: no agent hears of a task before it knows its own name. */
  #hold(message: Outgoing): void {
    this.#held ??= new BoundedQueue(2 * this.#limits.ordersMax)
    this.#keep(this.#held, message)
  }

  #release(): void {
    while (this.#attaching.size === 0) {
      const message = this.#held?.shift()
      if (message === undefined) return
      this.#post(message)
    }
  }

  #keep(queue: BoundedQueue<Outgoing>, message: Outgoing): void {
    if (!queue.push(message) && message.kind === 'run') this.#decline(message, 'takes nothing it is sent')
  }

  #emptyOutbox(): void {
    while (this.#hasRoom) {
      const message = this.#outbox?.shift()
      if (message === undefined) return
      this.#write(message)
    }
  }

  get #hasRoom(): boolean {
    return this.#unsentBytes + this.#linesChars <= this.#limits.pauseReadingBytes
  }

  #write(message: Outgoing): void {
    if (message.kind === 'respond') {
      this.#inFlight.delete(message.id)
      this.#answer(message.id, message.outcome)
    } else if (message.kind === 'notify') this.#push(encodeNotification(message.method, message.params))
    else this.#run(message)
  }

  #run(message: Extract<Outgoing, { readonly kind: 'run' }>): void {
    this.#orders ??= new Orders()
    if (this.#orders.size >= this.#limits.ordersMax) {
      this.#decline(message, `has ${this.#orders.size} tasks`)
      return
    }
    const id = this.#orders.issue(message.order)
    const line = encodeRequest(id, 'task.run', message.params)
    if (this.#fits(line)) {
      this.#push(line)
      return
    }
    this.#orders.settle(id)
    const error = { code: 'TOO_LARGE', message: tooLarge(this.#limits.lineBytesMax).message, retryable: false }
    this.#effects.push({ kind: 'outcome', order: message.order, outcome: { kind: 'failed', error } })
  }

  /** Another agent may have room. */
  #decline({ order }: Extract<Outgoing, { readonly kind: 'run' }>, why: string): void {
    const error = { code: 'OVERLOADED', message: `the connection of the agent ${why}`, retryable: true }
    this.#effects.push({ kind: 'outcome', order, outcome: { kind: 'failed', error } })
  }

  /** I-4, I-9. */
  #answer(id: RequestId | null, outcome: Outcome): void {
    const line = encodeOutcome(id, outcome)
    if (this.#fits(line)) this.#push(line)
    else this.#push(encodeOutcome(id, { ok: false, error: tooLarge(this.#limits.lineBytesMax) }))
  }

  /** A line of n UTF-16 units is at least n bytes and at most 3n: exact lengths are worth counting only in between. */
  #fits(line: string): boolean {
    const { lineBytesMax } = this.#limits
    return line.length * 3 <= lineBytesMax || (line.length <= lineBytesMax && byteLength(line) <= lineBytesMax)
  }

  #push(line: string): void {
    this.#lines.push(line)
    this.#linesChars += line.length
  }

  /** Answers and closes. */
  #refuse(reason: CloseReason, id: RequestId | null, error: Failure): void {
    this.#answer(id, { ok: false, error })
    this.#close(reason, error)
  }

  /** One write for all lines since the last. */
  #flush(): void {
    this.#isReady = false
    if (this.#lines.length === 0 || this.#closed) return
    const bytes = utf8.encode(`${this.#lines.join('\n')}\n`)
    this.#lines = []
    this.#linesChars = 0
    this.#unsentBytes += bytes.length
    this.#effects.push({ kind: 'write', bytes })
  }

  /** What follows from the step as a whole: I-7 and I-10. */
  #conclude(): void {
    const reason = this.#reasonToClose()
    const pause = this.#unsentBytes > this.#limits.pauseReadingBytes
    if (reason !== undefined) {
      this.#close(reason)
    } else if (pause !== this.#paused) {
      this.#paused = pause
      this.#effects.push({ kind: pause ? 'pause' : 'resume' })
    }
  }

  #reasonToClose(): CloseReason | undefined {
    if (this.#unsentBytes > this.#limits.outputBytesMax) return 'slow-reader'
    if (this.#inFlight.size > 0) return undefined
    if (this.#shuttingDown) return 'shutting-down'
    return this.#inputEnded && !this.subscribed ? 'finished' : undefined
  }

  #close(reason: CloseReason, error?: Failure): void {
    this.#flush()
    this.#closed = true
    this.#inFlight.clear()
    this.#attaching.clear()
    this.#held = undefined
    this.#outbox = undefined
    this.#effects.push(error === undefined ? { kind: 'close', reason } : { kind: 'close', reason, error })
  }
}

/** I-12: what is to be run is cut out of the line in which it came. */
function withPayload(call: Call, line: string): Call {
  if (call.method !== 'task.submit' && call.method !== 'task.call' && call.method !== 'task.steer') return call
  const input = JsonText.cut(line, 'params', 'input')
  return { ...call, params: { ...call.params, input } } as Call
}

function byteLength(text: string): number {
  return utf8.encode(text).length
}

/** Compares in time that depends on the lengths only, so that a token cannot be guessed letter by letter. */
function sameSecret(secret: string, claim: string): boolean {
  let difference = secret.length ^ claim.length
  for (let i = 0; i < claim.length; i++) difference |= claim.charCodeAt(i) ^ secret.charCodeAt(i % secret.length)
  return difference === 0
}
