import { connect, type Socket } from 'node:net'
import { afterEach } from 'vitest'
import { ClientCodec, type Outcome, type ParamsOf, type RunOutcome, type RunParams } from '../../src/index.ts'
import { eventually } from './eventually.ts'

/** A task that an agent was handed, to be answered when the test likes. */
export interface Handed {
  readonly id: string | number
  readonly params: RunParams
}

/** An agent or a client on the other end of a daemon's socket that does exactly what a test says. */
export class WireAgent {
  readonly #socket: Socket
  readonly #codec = new ClientCodec()
  readonly #waiting = new Map<number, (outcome: Outcome) => void>()
  /** Everything it was asked to run, in order. */
  readonly handed: Handed[] = []
  readonly notices: { readonly method: string; readonly params: Readonly<Record<string, unknown>> }[] = []
  isClosed = false

  /** Connects, says hello, and attaches unless there are no facts. */
  static async connect(path: string, facts?: ParamsOf<'agent.attach'>): Promise<WireAgent> {
    const agent = new WireAgent(path)
    await agent.call('hello', { protocol: 1, client: 'test-agent/1' })
    if (facts !== undefined) await agent.call('agent.attach', facts)
    return agent
  }

  private constructor(path: string) {
    this.#socket = connect(path)
    open.add(this.#socket)
    this.#socket.on('data', (bytes) => this.#receive(bytes))
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.isClosed = true
    })
  }

  /** The result of a call that must succeed. */
  async call<T = Record<string, unknown>>(method: string, params: unknown): Promise<T> {
    const outcome = await this.ask(method, params)
    if (!outcome.ok) throw new Error(`${method}: ${outcome.error.code}: ${outcome.error.message}`)
    return outcome.result as T
  }

  /** Whatever the daemon answers. */
  ask(method: string, params: unknown): Promise<Outcome> {
    const { id, bytes } = this.#codec.request(method, params)
    this.#socket.write(bytes)
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }

  answer({ id }: Handed, outcome: RunOutcome): void {
    this.#socket.write(this.#codec.respond(id, outcome))
  }

  complete(handed: Handed, output: unknown): void {
    this.answer(handed, { kind: 'completed', output })
  }

  say(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  progress(params: ParamsOfProgress): void {
    this.#socket.write(this.#codec.notify('task.progress', params))
  }

  /** The n-th task it is handed, from 1. */
  nth(n: number): Promise<Handed> {
    return eventually(`task ${n} to be handed over`, () => this.handed[n - 1], 30_000)
  }

  noticed(method: string): Promise<Readonly<Record<string, unknown>>> {
    return eventually(`the notice ${method}`, () => this.notices.find((each) => each.method === method)?.params, 30_000)
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(bytes: Uint8Array): void {
    for (const event of this.#codec.receive(bytes)) {
      if (event.kind === 'request') this.handed.push({ id: event.id, params: event.params as unknown as RunParams })
      else if (event.kind === 'notification') this.notices.push(event)
      else if (event.kind === 'answer') {
        this.#waiting.get(event.id)?.(event.outcome)
        this.#waiting.delete(event.id)
      }
    }
  }
}

interface ParamsOfProgress {
  readonly task: string
  readonly attempt: number
  readonly fraction?: number
  readonly message?: string
  readonly partial?: unknown
}

const open = new Set<Socket>()

afterEach(() => {
  for (const socket of open) socket.destroy()
  open.clear()
})
