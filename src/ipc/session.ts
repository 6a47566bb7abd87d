import { after, assert, type Core, type Millis, NEVER, type Tick, TokenBucket, unreachable } from '../kernel/index.ts'
import { failure, lineFailure, problemsFailure, tooLarge, unknownMethod } from './failures.ts'
import {
  encodeNotification,
  encodeOutcome,
  type Failure,
  type Frame,
  type Outcome,
  type RequestId,
  readFrame,
} from './frames.ts'
import { LineDecoder } from './lines.ts'
import { type HelloResult, helloParams, isMethodName, judgeParams, METHODS, type ParamsOf } from './methods.ts'
import { IPC_PROTOCOL, SESSION_LIMITS, type SessionLimits } from './params.ts'
import type { NodeEvent } from './reports.ts'
import { Subscriptions } from './subscriptions.ts'
import type { Call, CloseReason, SessionEffect, SessionGreeting, SessionInput } from './types.ts'

const utf8 = new TextEncoder()

/**
 * The daemon's side of one connection. Clauses I-1 to I-11 in ./README.md.
 *
 * A core: bytes and answers are stepped in, lines and calls come out; the host owns the socket and the clock.
 */
export class Session implements Core<SessionInput, SessionEffect> {
  readonly #greeting: SessionGreeting
  readonly #limits: SessionLimits
  readonly #decoder: LineDecoder
  readonly #lineRate: TokenBucket
  readonly #inFlight = new Set<RequestId>()
  readonly #subscriptions: Subscriptions
  readonly #helloBy: Millis
  #greeted = false
  #inputEnded = false
  #shuttingDown = false
  #closed = false
  #paused = false
  #unsentBytes = 0
  /** Lines of this step, joined into one write at its end. */
  #lines: string[] = []
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

  deadline(): Millis {
    return this.#greeted || this.#closed ? NEVER : this.#helloBy
  }

  step(now: Millis, input: SessionInput | Tick): readonly SessionEffect[] {
    if (this.#closed) return []
    this.#take(now, input)
    this.#flush()
    if (!this.#closed) this.#settle()
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
        assert(this.#inFlight.delete(input.id), 'the host answers each call once', { id: input.id })
        this.#answer(input.id, input.outcome)
        break
      case 'event':
        this.#deliver(input.event)
        break
      case 'sent':
        this.#unsentBytes -= input.byteCount
        assert(this.#unsentBytes >= 0, 'no more is sent than was written', { unsentBytes: this.#unsentBytes })
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
      this.#request(frame.id, frame.method, frame.params)
    }
    // What is left wants no answer: a notification we do not know, or an answer nobody waits for (it may be late).
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

  #request(id: RequestId, method: string, params: unknown): void {
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
      this.#inFlight.add(id)
      // The schema of this very method has just judged the parameters.
      this.#effects.push({ kind: 'call', id, method, params: judged.value } as Call)
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
    const room = this.#unsentBytes < this.#limits.eventBacklogBytesMax
    for (const params of this.#subscriptions.deliver(event, room)) {
      this.#lines.push(encodeNotification('event', params))
    }
  }

  /** I-4, I-9. */
  #answer(id: RequestId | null, outcome: Outcome): void {
    const line = encodeOutcome(id, outcome)
    // A line of n UTF-16 units is at least n bytes and at most 3n: exact lengths are worth counting only in between.
    const { lineBytesMax } = this.#limits
    const fits = line.length * 3 <= lineBytesMax || (line.length <= lineBytesMax && byteLength(line) <= lineBytesMax)
    if (fits) this.#lines.push(line)
    else this.#lines.push(encodeOutcome(id, { ok: false, error: tooLarge(lineBytesMax) }))
  }

  /** Answers and closes. */
  #refuse(reason: CloseReason, id: RequestId | null, error: Failure): void {
    this.#answer(id, { ok: false, error })
    this.#close(reason, error)
  }

  /** One write for all lines of this step. */
  #flush(): void {
    if (this.#lines.length === 0 || this.#closed) return
    const bytes = utf8.encode(`${this.#lines.join('\n')}\n`)
    this.#lines = []
    this.#unsentBytes += bytes.length
    this.#effects.push({ kind: 'write', bytes })
  }

  /** What follows from the step as a whole: I-7 and I-10. */
  #settle(): void {
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
    this.#effects.push(error === undefined ? { kind: 'close', reason } : { kind: 'close', reason, error })
  }
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
