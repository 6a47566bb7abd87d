import { createServer, type Server, type Socket } from 'node:net'
import { eventually } from './eventually.ts'

/** A message as it crossed the socket. */
export interface Said {
  readonly id?: string | number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string; readonly data: Readonly<Record<string, unknown>> }
}

export type Reply = { readonly result: unknown } | { readonly error: unknown } | undefined

export function refusal(code: string, message = 'no'): Reply {
  return { error: { code: -32000, message, data: { code } } }
}

const HELLO = { protocol: 1, node: 'n1', swarm: 's1', version: '0' }

/**
 * The daemon's end of the socket, told by a test what to say. Says hello by itself, and attaches agents as `a1`, `a2` …
 * unless `answer` does it otherwise. A reply of undefined leaves a request unanswered.
 */
export class ScriptedDaemon {
  readonly path: string
  readonly said: Said[] = []
  /** Chunks in which they arrived. */
  chunkCount = 0
  connectionCount = 0
  /** What it says that it can do. */
  features: readonly string[] = []
  answer: (said: Said) => Reply | 'default' = () => 'default'
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #attachedCount = 0

  constructor(path: string) {
    this.path = path
    this.#server = createServer((socket) => this.#accept(socket))
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.path, resolve))
    return this
  }

  get openCount(): number {
    return this.#sockets.size
  }

  /** As when its process ends. */
  async stop(): Promise<void> {
    this.drop()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Cuts all connections and goes on listening. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  send(...messages: readonly object[]): void {
    const lines = messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('')
    for (const socket of this.#sockets) socket.write(lines)
  }

  run(id: string, params: Readonly<Record<string, unknown>> = {}): void {
    const task = { agent: `a${this.#attachedCount}`, task: `t-${id}`, attempt: 1, skill: 'echo', input: null }
    this.send({ id, method: 'task.run', params: { ...task, tenant: 'default', leaseMs: 10_000, ...params } })
  }

  of(method: string): readonly Said[] {
    return this.said.filter((said) => said.method === method)
  }

  /** The answers to this request of ours. */
  answersTo(id: string): readonly Said[] {
    return this.said.filter((said) => said.id === id && said.method === undefined)
  }

  async heard(method: string, count = 1): Promise<readonly Said[]> {
    return eventually(`${count} × ${method}`, () => (this.of(method).length >= count ? this.of(method) : undefined))
  }

  async answered(id: string): Promise<Said> {
    return eventually(`an answer to ${id}`, () => this.answersTo(id)[0])
  }

  #accept(socket: Socket): void {
    this.connectionCount += 1
    this.#sockets.add(socket)
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.chunkCount += 1
      const lines = (text + chunk).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) this.#take(socket, JSON.parse(line))
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }

  #take(socket: Socket, said: Said): void {
    this.said.push(said)
    if (said.id === undefined || said.method === undefined) return
    const given = this.answer(said)
    const reply = given === 'default' ? this.#default(said) : given
    if (reply !== undefined) socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: said.id, ...reply })}\n`)
  }

  #default({ method }: Said): Reply {
    if (method === 'hello') return { result: { ...HELLO, features: this.features } }
    if (method !== 'agent.attach') return { result: {} }
    this.#attachedCount += 1
    return { result: { agent: `a${this.#attachedCount}` } }
  }
}
