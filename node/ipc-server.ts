import { chmod } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { type Clock, ERROR_CODES, realClock, type SessionGreeting, SwarmError } from '../src/index.ts'
import { type ConnectionHost, IpcConnection } from './ipc-connection.ts'
import { handlersOf, type MethodHost, perform } from './ipc-methods.ts'
import type { Logger } from './log.ts'
import { clearSocketPath } from './socket-file.ts'
import { LOOK_MS } from './visit.ts'

/** Connections that may wait to be accepted; the operating system may have a lower limit of its own. */
const BACKLOG = 4_096

/** How long one that was turned away may take to read why. */
const REFUSED_LINGER_MS = 1_000

/** How long clients get to take their last answers when the daemon stops. */
const STOP_MS = 1_000

/** What clients may rely on beyond the protocol's version. */
const FEATURES = ['agents', 'tasks', 'drain', 'heartbeats'] as const

/** Users who may connect. All but the owner show a token, and need a way through the directories above. */
export type SocketAccess = 'owner' | 'group' | 'everyone'
const MODES: Readonly<Record<SocketAccess, number>> = { owner: 0o600, group: 0o660, everyone: 0o666 }

export interface IpcServerOptions extends MethodHost {
  readonly path: string
  readonly log: Logger
  /** Demanded of clients when the socket is shared. */
  readonly token?: string | undefined
  readonly access: SocketAccess
  /** Clients at once; an idle one costs about 10 KiB. */
  readonly connectionsMax: number
  /** A broken invariant was met. Must end the process. */
  fatal(cause: unknown): void
  readonly clock?: Clock
}

/** The agent and control socket: mode 0600 unless it is shared, one session per connection. */
export class IpcServer {
  readonly #options: IpcServerOptions
  readonly #server: Server
  readonly #connections = new Set<IpcConnection>()
  readonly #subscribed = new Set<IpcConnection>()
  /** Those with something to write. */
  #unflushed: IpcConnection[] = []
  #isFlushDue = false
  /** The first orders of this turn have been written, or are about to be. */
  #hasOrdered = false
  /** Ends listening to the node, which is done only for subscribers: news of tasks are many. */
  #unlisten: (() => void) | undefined
  /** Runs while anyone is connected. */
  #ticker: NodeJS.Timeout | undefined

  /** @throws SwarmError when the socket cannot be had; see {@link clearSocketPath} */
  static async listen(options: IpcServerOptions): Promise<IpcServer> {
    await clearSocketPath(options.path)
    const server = new IpcServer(options)
    try {
      await server.#listen()
    } catch (cause) {
      await server.stop()
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new SwarmError('ADDRESS_IN_USE', `cannot listen on ${options.path} (${reason}); use --socket`, { cause })
    }
    return server
  }

  private constructor(options: IpcServerOptions) {
    this.#options = options
    const host = this.#host(options)
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket, host))
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Answers what is in flight, closes every connection and removes the socket. */
  async stop(): Promise<void> {
    clearInterval(this.#ticker)
    this.#unlisten?.()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#options.node.dismissVisitors()
    for (const connection of this.#connections) connection.shutDown()
    const cut = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, STOP_MS)
    await closed
    clearTimeout(cut)
  }

  async #listen(): Promise<void> {
    const { path, access } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      // The mode must be right from the first moment, and only the mask can do that; workers may not set it.
      const mask = isMainThread ? process.umask(0o177) : undefined
      this.#server.listen({ path, backlog: BACKLOG }, () => {
        this.#server.off('error', reject)
        resolve()
      })
      if (mask !== undefined) process.umask(mask)
    })
    await chmod(path, MODES[access])
    this.#server.on('error', (cause) => this.#options.log.error({ err: cause }, 'the socket server failed'))
  }

  #accept(socket: Socket, host: ConnectionHost): void {
    const { connectionsMax } = this.#options
    if (this.#connections.size >= connectionsMax) {
      socket.on('error', () => {})
      // What it has said already is read and dropped: closing over it could cost it the error that explains. An idle
      // time-out would not do: whoever goes on talking would stay, and be one more than may.
      const cut = setTimeout(() => socket.destroy(), REFUSED_LINGER_MS).unref()
      socket.on('end', () => socket.destroy()).on('close', () => clearTimeout(cut))
      socket.end(tooMany(connectionsMax)).resume()
      return
    }
    this.#connections.add(new IpcConnection(socket, host))
    this.#ticker ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  #look(): void {
    for (const connection of this.#connections) {
      if (connection.wantsTicks) connection.tick()
      if (connection.isAwaited) connection.look()
    }
    if (this.#connections.size > 0) return
    clearInterval(this.#ticker)
    this.#ticker = undefined
  }

  #host(options: IpcServerOptions): ConnectionHost {
    const { node, log } = options
    const handlers = handlersOf(options)
    const hello = { node: node.node, swarm: node.swarm, version: node.version, features: FEATURES }
    const greeting: SessionGreeting = { hello, token: options.token }
    return {
      clock: options.clock ?? realClock,
      greeting,
      perform: (call, connection) =>
        perform(handlers, call, connection, (cause) => log.error({ err: cause, method: call.method }, 'a call failed')),
      visit: (line) => node.visit(line),
      onSubscribed: (connection, subscribed) => this.#onSubscribed(connection, subscribed),
      wantsFlush: (connection) => {
        // After all input of this turn was read: one write per client, however many answers.
        if (!this.#isFlushDue) setImmediate(() => this.#flushLast())
        this.#isFlushDue = true
        this.#unflushed.push(connection)
      },
      // Answers come later in the turn: what is there are tasks for agents, who need not wait for those.
      onTakenIn: () => this.#flush(),
      onOrdered: (connection) => {
        // The first of a turn leaves before anything else is done about it. Those that came with it leave before what a peer
        // is told of them, which is encrypted first; the others at the end of the turn.
        if (!this.#isFlushDue || this.#hasOrdered) return
        this.#hasOrdered = true
        connection.flush()
        process.nextTick(() => this.#flush())
      },
      onClosed: (connection, reason, error) => {
        this.#connections.delete(connection)
        if (error !== undefined) log.info({ reason, code: error.code }, `a client was refused: ${error.message}`)
        else log.debug({ reason }, 'a client left')
      },
      fatal: options.fatal,
    }
  }

  #onSubscribed(connection: IpcConnection, subscribed: boolean): void {
    if (subscribed) this.#subscribed.add(connection)
    else this.#subscribed.delete(connection)
    if (this.#subscribed.size === 0) {
      this.#unlisten?.()
      this.#unlisten = undefined
      return
    }
    this.#unlisten ??= this.#options.node.onEvent((event) => {
      for (const each of this.#subscribed) each.event(event)
    })
  }

  #flushLast(): void {
    this.#isFlushDue = false
    this.#hasOrdered = false
    this.#flush()
  }

  #flush(): void {
    if (this.#unflushed.length === 0) return
    const connections = this.#unflushed
    this.#unflushed = []
    for (const connection of connections) connection.flush()
  }
}

/** There is no session yet that could say it. */
function tooMany(connectionsMax: number): string {
  const { code, message } = new SwarmError('OVERLOADED', `this node has ${connectionsMax} connections; try again later`)
  const error = { code: ERROR_CODES[code].rpc, message, data: { code, retryAfterMs: 1_000 } }
  return `${JSON.stringify({ jsonrpc: '2.0', id: null, error })}\n`
}
