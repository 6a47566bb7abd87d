import { Lifecycle, type NodeStatus, realClock, SwarmError } from '../src/index.ts'
import { parseHttpAddress } from './http/http-address.ts'
import type { HttpServer } from './http/http-server.ts'
import { IpcServer, type SocketAccess } from './ipc-server.ts'
import type { Log } from './log.ts'
import type { NodeMetrics } from './metrics.ts'
import type { NodeHandle, OpenedNode } from './node-handle.ts'

/** How long each part may take to stop before it is left behind. */
const NODE_STOP_MS = 10_000
const SERVER_STOP_MS = 3_000

export interface DaemonOptions {
  readonly socket: string
  /** HOST:PORT of `/metrics` and `/healthz`; none without. */
  readonly http?: string | undefined
  /** Demanded on the socket when it is shared. */
  readonly token?: string | undefined
  readonly access: SocketAccess
  /** Time for running tasks to end when it is told to stop. */
  readonly stopDrainMs: number
  /** Clients of the socket at once. */
  readonly connectionsMax: number
  readonly log: Log
  /** Opens everything below the servers: configuration, store, identity, network, protocols. */
  open(): Promise<OpenedNode>
  /** A broken invariant was met. Ends the process. */
  fatal(cause: unknown): void
}

/** A node with its socket and its HTTP endpoint. Leaves are built first; they start in order and stop in reverse. */
export class Daemon {
  readonly #options: DaemonOptions
  readonly #lifecycle = new Lifecycle()
  readonly #end = Promise.withResolvers<readonly string[]>()
  readonly #hurry = Promise.withResolvers<undefined>()
  #node: OpenedNode | undefined
  #http: HttpServer | undefined
  #stopping = false

  /** @throws SwarmError when a part cannot start; those already started are stopped again */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options)
    try {
      await daemon.#start()
      return daemon
    } catch (cause) {
      await daemon.#lifecycle.stop()
      throw cause
    }
  }

  private constructor(options: DaemonOptions) {
    this.#options = options
  }

  /** Settles when everything has stopped, with what went wrong meanwhile. */
  get ended(): Promise<readonly string[]> {
    return this.#end.promise
  }

  status(): NodeStatus {
    const node = this.#opened()
    const http = this.#http === undefined ? {} : { http: this.#http.address }
    const stopping = this.#stopping ? ({ state: 'stopping' } as const) : {}
    return { ...node.status(), socket: this.#options.socket, ...http, ...stopping }
  }

  /** Begins an orderly stop and returns at once: running tasks get a little time to end. Asked again, it waits no longer. */
  requestStop(reason: string): void {
    const log = this.#options.log.module('daemon')
    if (this.#stopping) {
      log.info({ reason }, 'stopping at once')
      this.#hurry.resolve(undefined)
      return
    }
    this.#stopping = true
    log.info({ reason }, 'stopping')
    // Never rejects: what went wrong is in its report.
    void this.#stop().then((problems) => this.#end.resolve(problems))
  }

  async #stop(): Promise<readonly string[]> {
    const { stopDrainMs, log } = this.#options
    const drained = this.#opened().drain(stopDrainMs)
    const report = await Promise.race([drained, this.#hurry.promise])
    if (report !== undefined && !report.drained) {
      log.module('daemon').warn({ running: report.running }, `${report.running} tasks still run and are lost here`)
    }
    const { problems } = await this.#lifecycle.stop()
    return problems.map(({ part, problem }) => `${part}: ${problem}`)
  }

  async #start(): Promise<void> {
    const { log, http } = this.#options
    const httpAddress = http === undefined ? undefined : parseHttpAddress(http)
    await this.#lifecycle.add({
      name: 'node',
      stopTimeoutMs: NODE_STOP_MS,
      start: async () => {
        this.#node = await this.#options.open()
      },
      stop: async () => this.#node?.close(),
    })
    const node = this.#served()
    // Loaded when first asked for: measuring costs memory and wake-ups that an idle node need not pay.
    let made: Promise<NodeMetrics> | undefined
    const metrics = () => {
      made ??= import('./metrics.ts').then(({ NodeMetrics }) => new NodeMetrics(node))
      return made
    }
    await this.#startIpc(node, metrics)
    if (httpAddress !== undefined) await this.#startHttp(httpAddress, node, metrics)
    log.module('daemon').info({ node: node.node, swarm: node.swarm, socket: this.#options.socket }, 'running')
  }

  async #startIpc(node: NodeHandle, metrics: () => Promise<NodeMetrics>): Promise<void> {
    const { socket, token, access, connectionsMax, log, fatal } = this.#options
    let server: IpcServer | undefined
    await this.#lifecycle.add({
      name: 'socket',
      stopTimeoutMs: SERVER_STOP_MS,
      start: async () => {
        server = await IpcServer.listen({
          path: socket,
          node,
          token,
          access,
          connectionsMax,
          log: log.module('ipc'),
          clock: realClock,
          metrics: async () => (await metrics()).report(),
          requestStop: (reason) => this.requestStop(reason),
          fatal,
        })
      },
      stop: async () => server?.stop(),
    })
  }

  async #startHttp(
    address: { readonly host: string; readonly port: number },
    node: NodeHandle,
    metrics: () => Promise<NodeMetrics>,
  ): Promise<void> {
    const source = {
      status: () => node.status(),
      peerCounts: () => countPeers(node),
      metrics: async () => {
        const made = await metrics()
        return { text: await made.text(), contentType: made.contentType }
      },
    }
    await this.#lifecycle.add({
      name: 'http',
      stopTimeoutMs: SERVER_STOP_MS,
      start: async () => {
        const { HttpServer } = await import('./http/http-server.ts')
        this.#http = await HttpServer.listen({ ...address, source, log: this.#options.log.module('http') })
      },
      stop: async () => this.#http?.stop(),
    })
  }

  /** The node as its servers show it: with the addresses that only the daemon knows. */
  #served(): NodeHandle {
    const node = this.#opened()
    return {
      node: node.node,
      swarm: node.swarm,
      version: node.version,
      council: node.council,
      status: () => this.status(),
      peers: () => node.peers(),
      agents: (page) => node.agents(page),
      visit: (line) => node.visit(line),
      drain: (timeoutMs) => node.drain(timeoutMs),
      dismissVisitors: () => node.dismissVisitors(),
      config: () => node.config(),
      counters: () => node.counters(),
      network: () => node.network(),
      recentEvents: () => node.recentEvents(),
      onEvent: (listener) => node.onEvent(listener),
      createTicket: (request) => node.createTicket(request),
    }
  }

  #opened(): OpenedNode {
    if (this.#node === undefined) throw new SwarmError('INTERNAL', 'the node is not open yet')
    return this.#node
  }
}

function countPeers(node: NodeHandle): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { alive: 0, suspect: 0, dead: 0, left: 0 }
  for (const peer of node.peers().peers) counts[peer.state] = (counts[peer.state] ?? 0) + 1
  return counts
}
