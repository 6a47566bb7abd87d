import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, vi } from 'vitest'
import { isRunning } from '../../node/processes.ts'
import { statusOf } from '../../node/spawn-daemon.ts'
import { ControlClient, type NodeEvent, type PeerReport } from '../../src/index.ts'
import { type Ran, type Running, runCommand, startCommand } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'

/** Real daemons in processes of their own. Every process that a test starts is ended after it, by its number. */

/** A busy machine with two cores starts a daemon in a few seconds. */
const READY_MS = 30_000
/** A test waits several times for as long: the wait that is in vain fails, and says what for, before the test does. */
vi.setConfig({ testTimeout: 10 * READY_MS })

export interface DaemonOptions {
  /** A new one unless given: give it to start again under the same identity. */
  readonly data?: string
  readonly join?: string
  readonly listen?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A daemon process that runs. */
export class TestDaemon {
  readonly data: string
  readonly node: string
  readonly pid: number
  readonly running: Running
  readonly #clients: ControlClient[] = []

  private constructor(data: string, node: string, pid: number, running: Running) {
    this.data = data
    this.node = node
    this.pid = pid
    this.running = running
  }

  /** Starts it and waits until it answers. Fails with what it wrote when it ends instead. */
  static async start(options: DaemonOptions = {}): Promise<TestDaemon> {
    const data = options.data ?? scratchDirectory()
    const running = startDaemonCommand({ ...options, data })
    let ended: Ran | undefined
    void running.ended.then((ran) => {
      ended = ran
    })
    const status = await eventually(
      'the daemon to run',
      async () => {
        if (ended !== undefined) throw new Error(`the daemon ended with ${ended.code}: ${ended.stderr}`)
        const seen = await statusOf(join(data, 'swarm.sock'))
        return seen?.state === 'running' && seen.pid === running.child.pid ? seen : undefined
      },
      READY_MS,
    )
    const daemon = new TestDaemon(data, status.node, status.pid, running)
    daemons.add(daemon)
    return daemon
  }

  get socket(): string {
    return join(this.data, 'swarm.sock')
  }

  /** A control connection, closed after the test. */
  async client(): Promise<ControlClient> {
    const client = await ControlClient.connect({ socket: this.socket, client: 'e2e/1' })
    this.#clients.push(client)
    return client
  }

  /** Runs a command against this daemon. */
  command(...args: readonly string[]): Promise<Ran> {
    return runCommand([...args, '--data', this.data])
  }

  async ticket(uses = 10, ttlMs?: number): Promise<string> {
    const client = await this.client()
    const made = await client.call('ticket.create', { uses, ...(ttlMs === undefined ? {} : { ttlMs }) })
    return made.ticket
  }

  async peers(): Promise<readonly PeerReport[]> {
    const client = await this.client()
    const { peers } = await client.call('node.peers', {})
    client.close()
    return peers.filter((peer) => peer.node !== this.node)
  }

  /** Collects this daemon's events from now on. */
  async events(): Promise<readonly NodeEvent[]> {
    const events: NodeEvent[] = []
    const client = await this.client()
    await client.subscribe({}, (event) => events.push(event))
    return events
  }

  /** Waits until this daemon sees exactly these others alive. */
  async sees(others: readonly TestDaemon[], boundMs = READY_MS): Promise<void> {
    const wanted = others.map((other) => other.node).sort()
    await eventually(
      `${this.node} to see ${wanted.length} others`,
      async () => {
        const alive = (await this.peers()).filter((peer) => peer.state === 'alive').map((peer) => peer.node)
        return alive.sort().join() === wanted.join()
      },
      boundMs,
    )
  }

  /** SIGTERM, and how it ended. */
  async stop(): Promise<Ran> {
    this.running.child.kill('SIGTERM')
    return this.running.ended
  }

  /** SIGKILL: no good-bye. */
  async kill(): Promise<void> {
    this.running.child.kill('SIGKILL')
    await this.running.ended
  }

  /** Ends what is left of it. */
  release(): void {
    for (const client of this.#clients) client.close()
    if (isRunning(this.pid)) process.kill(this.pid, 'SIGKILL')
  }

  /** Files of its data directory as text, for tests that damage them. */
  read(file: string): string {
    return readFileSync(join(this.data, file), 'utf8')
  }
}

/** `swarm-node start` as a child, for tests in which it must not come up. */
export function startDaemonCommand(options: DaemonOptions & { readonly data: string }): Running {
  const { data, join: ticket, listen = '/ip4/127.0.0.1/tcp/0', args = [], env = {} } = options
  const joining = ticket === undefined ? [] : ['--join', ticket]
  return startCommand(['start', '--data', data, '--profile', 'local', '--listen', listen, ...joining, ...args], env)
}

/** A swarm of this many processes that all see each other. */
export async function startSwarm(nodeCount: number): Promise<readonly TestDaemon[]> {
  const founder = await TestDaemon.start()
  const ticket = await founder.ticket(nodeCount)
  const newcomers = Array.from({ length: nodeCount - 1 }, () => TestDaemon.start({ join: ticket }))
  const all = [founder, ...(await Promise.all(newcomers))]
  await Promise.all(all.map((daemon) => daemon.sees(all.filter((other) => other !== daemon))))
  return all
}

/** A port of loopback that is taken until the returned function is called. */
export async function takePort(): Promise<{ readonly port: number; release(): Promise<void> }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { port, release: () => new Promise((resolve) => server.close(() => resolve())) }
}

const daemons = new Set<TestDaemon>()

afterEach(() => {
  for (const daemon of daemons) daemon.release()
  daemons.clear()
})
