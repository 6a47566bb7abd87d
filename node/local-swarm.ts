import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ControlClient,
  LOCAL_SWARM,
  makeDataDirectory,
  type NodeStatus,
  type PeerReport,
  SwarmError,
  writeSecretFile,
} from '../src/index.ts'
import { isShutOut } from './shut-out.ts'
import { spawnDaemon, statusOf } from './spawn-daemon.ts'
import { CLIENT_NAME } from './version.ts'

/** Starting a process takes a core for half a second: more at once would only make all of them slow. */
const STARTS_AT_ONCE = 4
/** Which nodes there are, and on which ports. */
const PLAN_FILE = LOCAL_SWARM.file

/** How long the members may take to find each other once all run: at least, and for each of them. */
const CONVERGE_TIMEOUT_MS = 60_000
const CONVERGE_TIMEOUT_PER_NODE_MS = 1_000
const POLL_MS = 100
/** A node may find out that its membership has ended only when the others turn it away. */
const SHUT_OUT_LOOK_MS = 2_000

/** What is remembered between `up` and the next `up`: the same nodes come back on the same ports. */
interface Plan {
  readonly nodes: readonly { readonly port: number; readonly joined: boolean }[]
}

export interface LocalNode {
  /** `node-1` and so on. */
  readonly name: string
  readonly data: string
  readonly socket: string
}

export interface RunningNode extends LocalNode {
  readonly status: NodeStatus
}

/** What `up` tells while it works. */
export interface Progress {
  started(node: RunningNode, count: number): void
  /** How many nodes see all others. */
  seen(count: number): void
}

export interface LocalSwarmOptions {
  /** Holds one data directory per node. */
  readonly directory: string
  /** The command line's script, with which the processes are started. */
  readonly program: string
  /** Whether the processes outlive this one. */
  readonly detached: boolean
  /** A configuration file for each of them; where each is and listens, and the profile, stay the swarm's own. */
  readonly config?: string | undefined
  /** What their sockets ask for. */
  readonly token?: string | undefined
  /** Whether memory counts for more than speed, as it does for many on one machine; it does unless this says otherwise. */
  readonly frugal?: boolean
  /** Where each node is said to be, in turn; all in the same place without. */
  readonly regions?: readonly string[]
  onSpawned?(pid: number): void
}

/** A swarm of separate processes on this machine, one data directory each, for development and demonstration. */
export class LocalSwarm {
  readonly #options: LocalSwarmOptions

  constructor(options: LocalSwarmOptions) {
    this.#options = options
  }

  get directory(): string {
    return this.#options.directory
  }

  /**
   * Where the local swarm of a data directory is. Whoever looks around in one of its nodes (SWARM_NODE_DATA) means that
   * swarm, and not another one inside the node.
   */
  static directoryOf(data: string): string {
    const around = dirname(resolve(data))
    return existsSync(join(around, PLAN_FILE)) ? around : join(data, LOCAL_SWARM.directory)
  }

  /**
   * Brings `nodeCount` nodes up and returns when each sees all others. Nodes that run already are left as they are. Those
   * whose membership has ended run and are returned as such; nobody sees them.
   *
   * @throws SwarmError with the first reason why a node did not start, or TIMEOUT when they did not find each other
   */
  async up(nodeCount: number, progress: Progress): Promise<readonly RunningNode[]> {
    makeDataDirectory(this.#options.directory)
    const plan = await this.#plan(nodeCount)
    const founder = await this.#start(0, plan, undefined)
    progress.started(founder, 1)
    const newcomers = range(1, nodeCount).filter((index) => !this.#hasJoined(index, plan)).length
    const ticket = newcomers === 0 ? undefined : await this.#ticketFrom(founder, newcomers)
    const nodes = [founder]
    const waiting = [...range(1, nodeCount)]
    const starter = async () => {
      for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
        const node = await this.#start(index, plan, ticket)
        nodes.push(node)
        progress.started(node, nodes.length)
      }
    }
    // All are waited for even when one fails: none may be left half started and unknown.
    const starters = await Promise.allSettled(range(0, STARTS_AT_ONCE).map(starter))
    const failed = starters.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    await this.#writePlan({ nodes: plan.nodes.map((node, i) => (i < nodeCount ? { ...node, joined: true } : node)) })
    const converged = await this.#converge(nodes, progress)
    return converged.toSorted((a, b) => indexOf(a) - indexOf(b))
  }

  /** Every node that was ever brought up here. */
  async members(): Promise<readonly LocalNode[]> {
    const plan = await this.#readPlan()
    return plan.nodes.map((_, index) => this.#node(index))
  }

  /** Of one whose data was removed nothing is left, whatever the plan says: it joins again, as another node. */
  #hasJoined(index: number, { nodes }: Plan): boolean {
    return nodes[index]?.joined === true && existsSync(this.#node(index).data)
  }

  #node(index: number): LocalNode {
    const data = join(this.#options.directory, `node-${index + 1}`)
    return { name: `node-${index + 1}`, data, socket: join(data, 'swarm.sock') }
  }

  async #start(index: number, plan: Plan, ticket: string | undefined): Promise<RunningNode> {
    const node = this.#node(index)
    const { token } = this.#options
    const running = await statusOf(node.socket, token)
    if (running !== undefined) return { ...node, status: running }
    const entry = plan.nodes[index]
    const { program, detached, config, regions, onSpawned, frugal = true } = this.#options
    const status = await spawnDaemon({
      program,
      data: node.data,
      socket: node.socket,
      token,
      start: {
        data: node.data,
        socket: node.socket,
        config,
        profile: 'local',
        join: this.#hasJoined(index, plan) ? undefined : ticket,
        region: regions?.[index % regions.length],
        listen: [`/ip4/127.0.0.1/tcp/${entry?.port ?? 0}`],
        labels: {},
      },
      codeCache: join(this.#options.directory, 'code-cache'),
      detached,
      frugal,
      ...(onSpawned === undefined ? {} : { onSpawned }),
    })
    return { ...node, status }
  }

  #ticketFrom(node: LocalNode, uses: number): Promise<string> {
    return withClient(
      node,
      this.#options.token,
      async (client) => (await client.call('ticket.create', { uses })).ticket,
    )
  }

  /**
   * Waits until every node sees all others alive. Who is asked has less time for what it is asked about, so the others are
   * asked once the one that came last, or the first of those that were not done, sees everyone. For those whose
   * membership has ended nobody waits.
   *
   * @returns the nodes as they are then
   */
  async #converge(nodes: readonly RunningNode[], progress: Progress): Promise<readonly RunningNode[]> {
    const timeoutMs = Math.max(CONVERGE_TIMEOUT_MS, nodes.length * CONVERGE_TIMEOUT_PER_NODE_MS)
    const startedAt = performance.now()
    let current = nodes
    let waiting = nodes.filter(isWelcome).toReversed()
    let lookedAt = startedAt
    for (;;) {
      const askedAt = performance.now()
      const others = current.filter(isWelcome).length - 1
      const [first, ...rest] = waiting
      if (first === undefined) return current
      if (await this.#seesOthers(first, others)) {
        const seen = await Promise.all(rest.map((node) => this.#seesOthers(node, others)))
        waiting = rest.filter((_, i) => seen[i] === false)
        progress.seen(current.length - waiting.length)
      }
      if (waiting.length === 0) return current
      if (askedAt - startedAt > timeoutMs) {
        const names = waiting.map((node) => node.name).join(', ')
        throw new SwarmError('TIMEOUT', `${names} did not see all others within ${timeoutMs / 1000} s; see their logs`)
      }
      if (askedAt - lookedAt > SHUT_OUT_LOOK_MS) {
        lookedAt = askedAt
        current = await Promise.all(
          current.map(async (node) => ({
            ...node,
            status: (await statusOf(node.socket, this.#options.token)) ?? node.status,
          })),
        )
        const members = new Set(current.filter(isWelcome).map(({ name }) => name))
        waiting = waiting.filter(({ name }) => members.has(name))
      }
      // At most half of its time.
      await delay(Math.max(POLL_MS, performance.now() - askedAt))
    }
  }

  /** A node too busy to answer in time does not see them yet, as far as anyone knows. */
  async #seesOthers(node: RunningNode, count: number): Promise<boolean> {
    try {
      return aliveOthers(node, await peersOf(node, this.#options.token)) >= count
    } catch (cause) {
      if (cause instanceof SwarmError && cause.code === 'TIMEOUT') return false
      throw cause
    }
  }

  /** The plan so far, with new nodes on free ports. */
  async #plan(nodeCount: number): Promise<Plan> {
    const before = await this.#readPlan()
    const added = Math.max(0, nodeCount - before.nodes.length)
    const ports = await freePorts(added)
    const plan = { nodes: [...before.nodes, ...ports.map((port) => ({ port, joined: false }))] }
    await this.#writePlan(plan)
    return plan
  }

  async #readPlan(): Promise<Plan> {
    const path = this.#planPath()
    try {
      return JSON.parse(await readFile(path, 'utf8')) as Plan
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return { nodes: [] }
      const why = cause instanceof Error ? cause.message : String(cause)
      // Only what is damaged is of no more use; a swarm of another user's may be running.
      const message =
        cause instanceof SyntaxError
          ? `${path} is damaged: ${why}; remove ${this.#options.directory} to begin anew`
          : `${path} cannot be read: ${why}; run as the user that brought this swarm up`
      throw new SwarmError('DATA_DIRECTORY_UNREADABLE', message, { cause })
    }
  }

  /** Whole or as it was, also on a full disk: without it nobody finds the nodes again. */
  async #writePlan(plan: Plan): Promise<void> {
    writeSecretFile(this.#planPath(), Buffer.from(`${JSON.stringify(plan)}\n`))
  }

  #planPath(): string {
    return join(this.#options.directory, PLAN_FILE)
  }
}

/** Everything a node says of the others. */
export async function peersOf(node: LocalNode, token?: string): Promise<readonly PeerReport[]> {
  return withClient(node, token, async (client) => (await client.call('node.peers', {})).peers)
}

function isWelcome({ status }: RunningNode): boolean {
  return !isShutOut(status.state)
}

function aliveOthers(node: RunningNode, peers: readonly PeerReport[]): number {
  return peers.filter((peer) => peer.state === 'alive' && peer.node !== node.status.node).length
}

async function withClient<T>(
  node: LocalNode,
  token: string | undefined,
  run: (client: ControlClient) => Promise<T>,
): Promise<T> {
  const client = await ControlClient.connect({ socket: node.socket, client: CLIENT_NAME, token })
  try {
    return await run(client)
  } finally {
    client.close()
  }
}

/** Ports that are free now; held together until all are known, so that no two are the same. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    range(0, count).map(
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  return Promise.all(
    servers.map((server) => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      return new Promise<number>((resolve) => server.close(() => resolve(port)))
    }),
  )
}

function range(from: number, below: number): readonly number[] {
  return Array.from({ length: Math.max(0, below - from) }, (_, i) => from + i)
}

function indexOf(node: LocalNode): number {
  return Number(node.name.slice('node-'.length))
}
