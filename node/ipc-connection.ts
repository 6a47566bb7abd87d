import type { Socket } from 'node:net'
import {
  type AgentNotice,
  type AgentNotices,
  type Call,
  type Clock,
  type CloseReason,
  type Failure,
  type NodeEvent,
  type Order,
  type Outcome,
  type RunParams,
  Session,
  type SessionEffect,
  type SessionGreeting,
  type SessionInput,
  unreachable,
} from '../src/index.ts'
import type { AgentLine, Visit } from './visit.ts'

/** After a last line, how long a client may take to read it before the connection is cut. */
const LINGER_MS = 1_000

export interface ConnectionHost {
  readonly clock: Clock
  readonly greeting: SessionGreeting
  perform(call: Call, connection: IpcConnection): Promise<Outcome>
  /** Begins what a connection does with agents and tasks, on its first call of that kind. */
  visit(line: AgentLine): Visit
  /** The first subscription was opened, or the last one closed. */
  onSubscribed(connection: IpcConnection, subscribed: boolean): void
  /** Asks for one `flush`: when what a client said has been taken in, else at the end of this turn of the loop. */
  wantsFlush(connection: IpcConnection): void
  /** What a client said has been taken in. Answers follow; what others are told because of it is there already. */
  onTakenIn(): void
  /** An agent of this connection was told to run something. */
  onOrdered(connection: IpcConnection): void
  onClosed(connection: IpcConnection, reason: CloseReason | 'gone', error?: Failure): void
  /** A broken invariant. Must end the process. */
  fatal(cause: unknown): void
}

/** One client: a socket and its session. All its answers of one turn of the loop leave in one write. */
export class IpcConnection implements AgentLine {
  readonly #socket: Socket
  readonly #host: ConnectionHost
  readonly #session: Session
  #ended = false
  #subscribed = false
  #visit: Visit | undefined

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket
    this.#host = host
    this.#session = new Session(host.greeting, host.clock.now())
    socket.on('data', (bytes) => {
      this.#visit?.heard()
      this.#step({ kind: 'received', bytes })
      host.onTakenIn()
    })
    socket.on('end', () => {
      // Whoever sends no more answers no more, even if it still reads.
      this.#visit?.loseAgents()
      this.#step({ kind: 'ended' })
    })
    // 'close' always follows, and says all there is to say: the client went away.
    socket.on('error', () => {})
    socket.on('close', () => this.#finish('gone'))
  }

  /** What this connection does with agents and tasks. */
  get visit(): Visit {
    this.#visit ??= this.#host.visit(this)
    return this.#visit
  }

  get keepsUp(): boolean {
    return this.#session.keepsUp
  }

  /** Whether the session waits for a tick. */
  get wantsTicks(): boolean {
    return Number.isFinite(this.#session.deadline())
  }

  /** Whether its agents promised to be heard of. */
  get isAwaited(): boolean {
    return this.#visit?.isAwaited === true
  }

  /** Looks whether they were. */
  look(): void {
    this.#visit?.look()
  }

  tick(): void {
    this.#step({ kind: 'tick' })
  }

  event(event: NodeEvent): void {
    this.#step({ kind: 'event', event })
  }

  run(order: Order, params: RunParams): void {
    this.#step({ kind: 'run', order, params })
    this.#host.onOrdered(this)
  }

  notify<N extends AgentNotice>(method: N, params: AgentNotices[N]): void {
    // Each method comes with its own parameters, which the compiler does not follow through a type parameter.
    this.#step({ kind: 'notify', method, params } as Extract<SessionInput, { readonly kind: 'notify' }>)
  }

  hangUp(message: string): void {
    this.#step({ kind: 'hang-up', error: { code: 'NOT_ATTACHED', message } })
  }

  shutDown(): void {
    this.#step({ kind: 'shut-down' })
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Writes what has been gathered. */
  flush(): void {
    this.#step({ kind: 'flush' })
  }

  #step(input: SessionInput | { readonly kind: 'tick' }): void {
    try {
      for (const effect of this.#session.step(this.#host.clock.now(), input)) this.#performOne(effect)
      if (this.#session.subscribed !== this.#subscribed) this.#onSubscribed()
    } catch (cause) {
      this.#host.fatal(cause)
    }
  }

  #performOne(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'ready':
        this.#host.wantsFlush(this)
        return
      case 'write':
        this.#write(effect.bytes)
        return
      case 'call':
        this.#call(effect)
        return
      case 'outcome':
        this.visit.onOutcome(effect.order, effect.outcome)
        return
      case 'progress':
        this.visit.onProgress(effect)
        return
      case 'pause':
        this.#socket.pause()
        return
      case 'resume':
        this.#socket.resume()
        return
      case 'close':
        this.#close(effect.reason, effect.error)
        return
      default:
        unreachable(effect)
    }
  }

  #onSubscribed(): void {
    this.#subscribed = this.#session.subscribed
    this.#host.onSubscribed(this, this.#subscribed)
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket.destroyed) return
    this.#socket.write(bytes, (cause) => {
      if (!cause) this.#step({ kind: 'sent', byteCount: bytes.length })
    })
  }

  #call(call: Call): void {
    this.#host.perform(call, this).then(
      (outcome) => this.#step({ kind: 'respond', id: call.id, outcome }),
      (cause: unknown) => this.#host.fatal(cause),
    )
  }

  /**
   * Sends what was written, then closes. What the client still sends is read and dropped meanwhile: closing over unread
   * bytes would reset the connection and could cost the client the error that explains it.
   */
  #close(reason: CloseReason, error?: Failure): void {
    this.#finish(reason, error)
    if (reason === 'slow-reader') {
      this.#socket.destroy()
      return
    }
    this.#socket.end()
    this.#socket.resume()
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref()
  }

  #finish(reason: CloseReason | 'gone', error?: Failure): void {
    if (this.#ended) return
    this.#ended = true
    this.#visit?.end()
    if (this.#subscribed) this.#host.onSubscribed(this, false)
    this.#host.onClosed(this, reason, error)
  }
}
