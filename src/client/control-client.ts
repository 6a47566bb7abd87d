import { connect, type Socket } from 'node:net'
import {
  ClientCodec,
  type ClientEvent,
  type HelloResult,
  IPC_PROTOCOL,
  type MethodName,
  type NodeEvent,
  type Outcome,
  type ParamsOf,
  type RequestId,
  type ResultOf,
  type RunOutcome,
  SESSION_LIMITS,
} from '../ipc/index.ts'
import { SwarmError } from '../kernel/index.ts'
import { noDaemon } from './no-daemon.ts'
import { Outbox } from './outbox.ts'
import { CALL_TIMEOUT_MS, DECISION_TIMEOUT_MS, OUTPUT_TIMEOUT_MS, TIMER_MS_MAX } from './params.ts'
import { assertPathFits } from './place.ts'

/** What the daemon says without being asked, for connections with agents. Called in the order of arrival. */
export interface DaemonListener {
  /** A request of the daemon, to be answered once with {@link ControlClient.respond}. */
  onRequest?(id: RequestId, method: string, params: Readonly<Record<string, unknown>>): void
  onNotice?(method: string, params: Readonly<Record<string, unknown>>): void
  /** More may be written, after {@link ControlClient.hasRoom} was false. */
  onRoom?(): void
}

export interface ControlOptions {
  readonly socket: string
  /** What this client calls itself, `name/version`. */
  readonly client: string
  readonly token?: string | undefined
  /** For the connection and for every call that does not say otherwise. */
  readonly timeoutMs?: number | undefined
  readonly listener?: DaemonListener | undefined
  /** Payloads come as `JsonText`, the text that they are, because numbers may be wider than ours. */
  readonly exactPayloads?: boolean | undefined
}

/** Of what the daemon asks others for. */
const TIMEOUTS_MS: ReadonlyMap<string, number> = new Map([
  ['council.propose', DECISION_TIMEOUT_MS],
  ['task.get', OUTPUT_TIMEOUT_MS],
])

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: SwarmError) => void
  readonly timer: NodeJS.Timeout
}

/**
 * One connection to a daemon over its socket; once lost it stays so.
 *
 * @throws SwarmError from every method: NO_DAEMON (nobody answers, or no longer), TIMEOUT, or what the daemon answered
 */
export class ControlClient {
  readonly #socket: Socket
  readonly #outbox: Outbox
  readonly #options: ControlOptions
  readonly #codec: ClientCodec
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Map<string, (event: NodeEvent) => void>()
  #gone: SwarmError | undefined
  #refusal: SwarmError | undefined
  #hello: HelloResult | undefined
  /** Settles when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>

  /** Connects and says hello. */
  static async connect(options: ControlOptions): Promise<ControlClient> {
    assertPathFits(options.socket)
    const client = new ControlClient(await open(options), options)
    try {
      const token = options.token === undefined ? {} : { token: options.token }
      const params = { protocol: IPC_PROTOCOL, client: options.client, ...token }
      client.#hello = (await client.#request('hello', params, options.timeoutMs)) as HelloResult
      return client
    } catch (cause) {
      client.close()
      throw options.token === undefined ? cause : aboutToken(cause)
    }
  }

  private constructor(socket: Socket, options: ControlOptions) {
    this.#socket = socket
    this.#outbox = new Outbox(socket, () => options.listener?.onRoom?.())
    this.#options = options
    this.#codec = new ClientCodec({ isExact: options.exactPayloads === true })
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('data', (bytes) => {
      for (const event of this.#codec.receive(bytes)) this.#take(event)
    })
    socket.on('error', () => {})
    socket.on('close', () =>
      this.#lose('the daemon closed the connection; see whether it still runs: swarm-node status'),
    )
  }

  /** What the daemon said of itself. */
  get hello(): HelloResult {
    if (this.#hello === undefined) throw new SwarmError('NO_DAEMON', 'the daemon has not answered yet')
    return this.#hello
  }

  /** Why it was lost, once it was. What fails with this very error was not answered. */
  get gone(): SwarmError | undefined {
    return this.#gone
  }

  /** Whether more should be written now; {@link DaemonListener.onRoom} tells when again. */
  get hasRoom(): boolean {
    return this.#outbox.hasRoom
  }

  /**
   * @param onResult called with the answer as it arrives, before anything that the daemon says after it is looked at
   * @throws SwarmError TOO_LARGE, with nothing sent, when the parameters fit no line
   */
  async call<M extends MethodName>(
    method: M,
    params: ParamsOf<M>,
    timeoutMs?: number,
    onResult?: (result: ResultOf<M>) => void,
  ): Promise<ResultOf<M>> {
    return (await this.#request(method, params, timeoutMs, onResult as (result: unknown) => void)) as ResultOf<M>
  }

  /** Calls the listener for every event that passes the filter, in order; the returned function ends that. */
  async subscribe(
    filter: ParamsOf<'events.subscribe'>,
    listener: (event: NodeEvent) => void,
  ): Promise<() => Promise<void>> {
    // Registered by the answer itself, in the same turn: the next line may already be its first event.
    const { subscription } = await this.call('events.subscribe', filter, undefined, (result) => {
      this.#listeners.set(result.subscription, listener)
    })
    return async () => {
      this.#listeners.delete(subscription)
      await this.call('events.unsubscribe', { subscription })
    }
  }

  /**
   * Answers a request of the daemon. Of no effect once the connection is lost.
   *
   * @throws SwarmError TOO_LARGE when it fits no line; TypeError when JSON cannot say it
   */
  respond(id: RequestId, outcome: RunOutcome): void {
    if (this.#gone === undefined) this.#outbox.push(fitting(this.#codec.respond(id, outcome)))
  }

  /** Tells the daemon how things stand: only the latest of a key is sent, and only when there is room. */
  hint(key: string, method: string, params: unknown): void {
    if (this.#gone === undefined) this.#outbox.hint(key, fitting(this.#codec.notify(method, params)))
  }

  unhint(key: string): void {
    this.#outbox.unhint(key)
  }

  close(): void {
    this.#outbox.close()
  }

  #request(
    method: string,
    params: unknown,
    timeoutMs = this.#options.timeoutMs ?? TIMEOUTS_MS.get(method) ?? CALL_TIMEOUT_MS,
    onResult: (result: unknown) => void = () => {},
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) {
        reject(this.#gone)
        return
      }
      const { id, bytes } = this.#codec.request(method, params)
      this.#outbox.push(fitting(bytes))
      const timer = setTimeout(
        () => {
          this.#waiting.delete(id)
          reject(new SwarmError('TIMEOUT', `the daemon did not answer ${method} within ${timeoutMs} ms; try again`))
        },
        Math.min(timeoutMs, TIMER_MS_MAX),
      )
      const settle = (result: unknown) => {
        onResult(result)
        resolve(result)
      }
      this.#waiting.set(id, { resolve: settle, reject, timer })
    })
  }

  #take(event: ClientEvent): void {
    switch (event.kind) {
      case 'answer':
        this.#settle(event.id, event.outcome)
        break
      case 'request':
        this.#options.listener?.onRequest?.(event.id, event.method, event.params)
        break
      case 'notification':
        if (event.method === 'event') this.#deliver(event.params)
        else this.#options.listener?.onNotice?.(event.method, event.params)
        break
      case 'refused':
        // Kept for whoever waits: the daemon closes after it.
        this.#refusal = new SwarmError(event.error.code, event.error.message, { data: event.error.data ?? {} })
        break
      case 'broken':
        this.#lose(`${event.message}; is that a socket of swarm-node?`)
        this.#socket.destroy()
        break
    }
  }

  #settle(id: number, outcome: Outcome): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    clearTimeout(waiting.timer)
    if (outcome.ok) waiting.resolve(outcome.result)
    else waiting.reject(new SwarmError(outcome.error.code, outcome.error.message, { data: outcome.error.data ?? {} }))
  }

  #deliver(params: Readonly<Record<string, unknown>>): void {
    const { subscription, ...event } = params
    if (typeof event.kind !== 'string' || typeof event.at !== 'string') return
    this.#listeners.get(String(subscription))?.(event as NodeEvent)
  }

  #lose(message: string): void {
    if (this.#gone !== undefined) return
    const gone = this.#refusal ?? new SwarmError('NO_DAEMON', message)
    this.#gone = gone
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer)
      reject(gone)
    }
    this.#waiting.clear()
  }
}

/** @throws SwarmError TOO_LARGE: the daemon would close the connection over it */
function fitting(line: Uint8Array): Uint8Array {
  const { lineBytesMax } = SESSION_LIMITS
  if (line.length - 1 <= lineBytesMax) return line
  const message = `a message of ${line.length - 1} bytes does not fit a line of ${lineBytesMax}; inputs and outputs have at most 1 MiB`
  throw new SwarmError('TOO_LARGE', message)
}

/** Only the token can be refused at hello, and the daemon does not say whether it saw one. */
function aboutToken(cause: unknown): unknown {
  if (!(cause instanceof SwarmError) || cause.code !== 'UNAUTHORISED') return cause
  const message = 'the token that was given is not the one of this socket: compare it with that of the node'
  return new SwarmError('UNAUTHORISED', `${message} (its configuration, or its SWARM_NODE_TOKEN)`, { cause })
}

/** A connected socket. */
function open({ socket: path, timeoutMs = CALL_TIMEOUT_MS }: ControlOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const timer = setTimeout(
      () => {
        socket.destroy()
        reject(new SwarmError('TIMEOUT', `nobody accepted the connection to ${path} within ${timeoutMs} ms`))
      },
      Math.min(timeoutMs, TIMER_MS_MAX),
    )
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      reject(unreachableDaemon(path, cause))
    })
  })
}

function unreachableDaemon(path: string, cause: NodeJS.ErrnoException): SwarmError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    const message = `this user may not use the socket ${path}; run as the user that started the daemon`
    return new SwarmError('UNAUTHORISED', message, { cause })
  }
  return noDaemon(path, cause)
}
