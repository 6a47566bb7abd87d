import type { MethodName, ParamsOf, ResultOf } from '../ipc/index.ts'
import { BoundedQueue, SwarmError } from '../kernel/index.ts'
import type { ControlClient } from './control-client.ts'
import { CALLS_QUEUED_MAX, IN_FLIGHT_MAX, TIMER_MS_MAX } from './params.ts'

export interface AskOptions {
  /** From now until the answer, whatever the connection does. */
  readonly timeoutMs: number
  /** For an answer once it is asked, if that is less: a daemon that stands still is noticed. */
  readonly answerMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Whether it may be asked again when a connection was lost before its answer: it means the same twice. */
  readonly isRepeatable: boolean
}

interface Call extends AskOptions {
  readonly method: MethodName
  readonly params: unknown
  readonly endsAt: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  /** While it waits for its turn. */
  timer: NodeJS.Timeout | undefined
  isQueued: boolean
  isOver: boolean
}

/**
 * Questions of one kind, over connections that come and go. So many are unanswered at once; more wait in order, and a
 * bounded number of them (AC-3).
 */
export class Calls {
  #connection: ControlClient | undefined
  readonly #queue = new BoundedQueue<Call>(CALLS_QUEUED_MAX)
  /** Of those in the queue, the ones that are over: timed out or abandoned before their turn came. */
  #overCount = 0
  /** Asked over a connection that was lost; they go before the others. */
  #again: Call[] = []
  #inFlightCount = 0
  #end: SwarmError | undefined

  /** @throws SwarmError TIMEOUT, CANCELLED (the signal), OVERLOADED, NO_DAEMON, or what the daemon answered */
  ask<M extends MethodName>(method: M, params: ParamsOf<M>, options: AskOptions): Promise<ResultOf<M>> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end)
      if (options.signal?.aborted === true) return reject(aborted(method, options.signal))
      const endsAt = performance.now() + options.timeoutMs
      const call: Call = {
        ...options,
        method,
        params,
        endsAt,
        resolve,
        reject,
        timer: undefined,
        isQueued: false,
        isOver: false,
      }
      const isNext = this.#queue.size === 0 && this.#again.length === 0
      if (!(isNext && this.#mayAsk) && !this.#enqueue(call)) return
      if (options.signal !== undefined) this.#abandonOn(options.signal, call)
      if (call.timer === undefined) this.#send(call)
    }) as Promise<ResultOf<M>>
  }

  /** Asks over this connection from now on. */
  use(connection: ControlClient): void {
    this.#connection = connection
    this.pump()
  }

  /** The connection is gone; what is repeatable waits for the next one. */
  lose(): void {
    this.#connection = undefined
  }

  /** Nothing is asked any more. */
  end(error: SwarmError): void {
    this.#end = error
    for (let call = this.#next(); call !== undefined; call = this.#next()) this.#settle(call, () => call.reject(error))
  }

  /** Asks what may be asked now. */
  pump(): void {
    while (this.#mayAsk) {
      const call = this.#next()
      if (call === undefined) return
      clearTimeout(call.timer)
      this.#send(call)
    }
  }

  get #mayAsk(): boolean {
    return this.#connection?.hasRoom === true && this.#inFlightCount < IN_FLIGHT_MAX
  }

  #next(): Call | undefined {
    for (;;) {
      const call = this.#again.shift() ?? this.#dequeue()
      if (call?.isOver !== true) return call
    }
  }

  #dequeue(): Call | undefined {
    const call = this.#queue.shift()
    if (call?.isQueued !== true) return call
    call.isQueued = false
    if (call.isOver) this.#overCount -= 1
    return call
  }

  #enqueue(call: Call): boolean {
    if (this.#overCount > this.#queue.size / 2) this.#prune()
    if (this.#queue.push(call)) {
      call.isQueued = true
      this.#startTimer(call)
      return true
    }
    const message = `${CALLS_QUEUED_MAX} calls wait already; wait for some of them before you make more`
    call.reject(new SwarmError('OVERLOADED', message))
    return false
  }

  /** While no daemon is there nobody takes them out, and they would keep their parameters and the place of others. */
  #prune(): void {
    for (let left = this.#queue.size; left > 0; left -= 1) {
      const call = this.#queue.shift()
      if (call !== undefined && !call.isOver) this.#queue.push(call)
    }
    this.#overCount = 0
  }

  #startTimer(call: Call): void {
    call.timer = setTimeout(
      () => this.#settle(call, () => call.reject(this.#lateness(call))),
      Math.min(Math.max(0, call.endsAt - performance.now()), TIMER_MS_MAX),
    )
  }

  #lateness({ method, timeoutMs }: Call): SwarmError {
    const why = this.#connection === undefined ? 'no daemon answers' : 'too many calls are unanswered'
    return new SwarmError('TIMEOUT', `${method} could not be asked within ${timeoutMs} ms: ${why}; try again`)
  }

  #send(call: Call): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#inFlightCount += 1
    const leftMs = Math.max(1, call.endsAt - performance.now())
    connection
      .call(call.method, call.params as ParamsOf<MethodName>, Math.min(leftMs, call.answerMs ?? leftMs))
      .then(
        (result) => this.#settle(call, () => call.resolve(result)),
        (error) => this.#onError(call, error, error === connection.gone),
      )
      .finally(() => {
        this.#inFlightCount -= 1
        this.pump()
      })
  }

  #onError(call: Call, error: SwarmError, isLost: boolean): void {
    if (call.isOver) return
    if (isLost && call.isRepeatable && this.#end === undefined) {
      this.#again.push(call)
      this.#startTimer(call)
      return
    }
    this.#settle(call, () => call.reject(isLost ? (this.#end ?? unknownOutcome(call, error)) : error))
  }

  #settle(call: Call, how: () => void): void {
    if (call.isOver) return
    call.isOver = true
    if (call.isQueued) this.#overCount += 1
    clearTimeout(call.timer)
    how()
  }

  #abandonOn(signal: AbortSignal, call: Call): void {
    const abandon = () => this.#settle(call, () => call.reject(aborted(call.method, signal)))
    signal.addEventListener('abort', abandon, { once: true })
    const { resolve, reject } = call
    const forget = () => signal.removeEventListener('abort', abandon)
    Object.assign(call, {
      resolve: (result: unknown) => {
        forget()
        resolve(result)
      },
      reject: (error: unknown) => {
        forget()
        reject(error)
      },
    })
  }
}

export function aborted(what: string, signal: AbortSignal): SwarmError {
  return new SwarmError('CANCELLED', `${what} was abandoned by its caller`, { cause: signal.reason })
}

/** AC-4: whether it was done nobody here knows. */
function unknownOutcome({ method }: Call, cause: SwarmError): SwarmError {
  if (method !== 'task.submit' && method !== 'task.call') return cause
  const message = `the connection was lost before ${method} was answered, so it may have been accepted; with a key it would be asked again (${cause.message})`
  return new SwarmError(cause.code, message, { cause })
}
