import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type NodeStatus, SwarmError } from '../../src/index.ts'
import type { Logger } from '../log.ts'
import { formatAddress } from './http-address.ts'

/** Scrapers and probes are few; more than this many connections is somebody's mistake. */
const CONNECTIONS_MAX = 64

/** A request has no body and few headers; whoever takes longer, sends more or does not read the answer is cut off. */
const REQUEST_TIMEOUT_MS = 5_000
const HEADER_BYTES_MAX = 8 * 1024
const HEADERS_MAX = 64

export interface HttpSource {
  status(): NodeStatus
  /** Counts of peers by state, for the probe's answer. */
  peerCounts(): Readonly<Record<string, number>>
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>
}

export interface HttpServerOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly source: HttpSource
  readonly log: Logger
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** `GET /metrics` for Prometheus and `GET /healthz` for probes; nothing else, and nothing that changes anything. */
export class HttpServer {
  readonly #server: Server
  readonly #source: HttpSource
  readonly #log: Logger

  /** @throws SwarmError ADDRESS_IN_USE when the address cannot be had */
  static async listen(options: HttpServerOptions): Promise<HttpServer> {
    const http = new HttpServer(options)
    await new Promise<void>((resolve, reject) => {
      http.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const at = formatAddress(options.host, options.port)
        const reason = cause.code === 'EADDRINUSE' ? 'it is in use' : cause.message
        reject(
          new SwarmError('ADDRESS_IN_USE', `cannot serve HTTP on ${at}: ${reason}; choose another with --http`, {
            cause,
          }),
        )
      })
      http.#server.listen({ host: options.host, port: options.port }, () => resolve())
    })
    http.#server.removeAllListeners('error')
    http.#server.on('error', (cause) => options.log.error({ err: cause }, 'the HTTP server failed'))
    return http
  }

  private constructor(options: HttpServerOptions) {
    this.#source = options.source
    this.#log = options.log
    this.#server = createServer(
      {
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: REQUEST_TIMEOUT_MS,
        maxHeaderSize: HEADER_BYTES_MAX,
      },
      (request, response) => {
        this.#serve(request, response).catch((cause) => {
          this.#log.error({ err: cause, url: request.url }, 'an HTTP request failed')
          response.destroy()
        })
      },
    )
    this.#server.maxConnections = CONNECTIONS_MAX
    this.#server.maxHeadersCount = HEADERS_MAX
    // Else who asks again and again and reads no answer has them all kept for it, and its place for ever.
    this.#server.maxRequestsPerSocket = 1
    this.#server.timeout = REQUEST_TIMEOUT_MS
  }

  /** `host:port` as it is really listened on. */
  get address(): string {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? formatAddress(address.address, address.port) : ''
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body, headers } = await this.#answer(request)
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // No request has a body; one that brings one is not waited for.
      ...(request.headers['content-length'] === undefined ? {} : { connection: 'close' }),
      ...headers,
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const path = (request.url ?? '/').split('?', 1)[0]
    if (path !== '/metrics' && path !== '/healthz') {
      return json(404, { error: { code: 'NOT_FOUND', message: 'there are /metrics and /healthz' } })
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const error = { code: 'BAD_REQUEST', message: `${path} is read with GET` }
      return { ...json(405, { error }), headers: { allow: 'GET, HEAD' } }
    }
    if (path === '/healthz') return this.#health()
    const { text, contentType } = await this.#source.metrics()
    return { status: 200, type: contentType, body: text }
  }

  /** 200 while the node is running; 503 with the state while it starts, drains or stops. */
  #health(): Answer {
    const { node, swarm, version, state, uptimeSeconds, eventLoopLagMs } = this.#source.status()
    const healthy = state === 'running'
    const peers = this.#source.peerCounts()
    return json(healthy ? 200 : 503, { healthy, state, node, swarm, version, uptimeSeconds, eventLoopLagMs, peers })
  }
}

function json(status: number, body: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(body)}\n` }
}
