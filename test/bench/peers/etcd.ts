import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Latency, latencyOf } from '../figures.ts'
import { EtcdClient } from './etcd-client.ts'
import { findProgram, freePorts, Program } from './program.ts'

const MEMBERS_COUNT = 3
const VALUE_BYTES = 200

/** How often one looks whether a leader is there, or a put goes through again. */
const POLL_MS = 10
const LEADER_TIMEOUT_MS = 20_000

/** Puts that a killed leader swallowed end at this time; the next one may then succeed. */
const PUT_TIMEOUT_MS = 500

interface Member {
  readonly args: readonly string[]
  readonly port: number
  program: Program | undefined
  client: EtcdClient
}

/** Three members of etcd on this machine, fsync on as it comes, each with a directory of its own. */
export class EtcdCluster {
  readonly #directory: string
  readonly #path: string
  readonly #members: readonly Member[]

  /**
   * @param directory where they keep their data: on a real disk, or fsync is worth nothing
   * @throws MissingPeer
   */
  static async start(directory: string): Promise<EtcdCluster> {
    const path = findProgram('etcd', 'etcd-server')
    const cluster = new EtcdCluster(path, directory, await freePorts(MEMBERS_COUNT * 2))
    try {
      await Promise.all(cluster.#members.map((member) => cluster.#start(member)))
      await cluster.#leader()
    } catch (cause) {
      await cluster.stop()
      throw cause
    }
    return cluster
  }

  private constructor(path: string, directory: string, ports: readonly number[]) {
    this.#path = path
    this.#directory = directory
    mkdirSync(directory, { recursive: true })
    const url = (port: number | undefined) => `http://127.0.0.1:${port}`
    const peerPorts = ports.slice(MEMBERS_COUNT)
    const all = peerPorts.map((port, i) => `m${i}=${url(port)}`).join(',')
    this.#members = ports.slice(0, MEMBERS_COUNT).map((port, i) => ({
      port,
      args: [
        ...['--name', `m${i}`, '--data-dir', join(directory, `m${i}`)],
        ...['--listen-client-urls', url(port), '--advertise-client-urls', url(port)],
        ...['--listen-peer-urls', url(peerPorts[i]), '--initial-advertise-peer-urls', url(peerPorts[i])],
        ...['--initial-cluster', all, '--logger', 'zap', '--log-level', 'error'],
      ],
      program: undefined,
      client: new EtcdClient(port),
    }))
  }

  /** One client, one put after the other, to the leader: no hop between members but those of the protocol. */
  async sequential(putsCount: number): Promise<Latency> {
    const { client } = await this.#leader()
    const times: number[] = []
    for (let i = 0; i < putsCount; i++) {
      const startedAt = performance.now()
      await client.put(putNumber(i))
      times.push(performance.now() - startedAt)
    }
    return latencyOf(times)
  }

  /**
   * Puts per second with so many clients that each have one put in flight, spread over all members, as etcd's own
   * benchmark has them: faster here than with all of them at the leader.
   */
  async throughput(clientsCount: number, seconds: number): Promise<number> {
    const startedAt = performance.now()
    const until = startedAt + seconds * 1000
    let puts = 0
    const client = async (i: number) => {
      const member = this.#members[i % MEMBERS_COUNT]
      while (performance.now() < until) {
        await member?.client.put(putNumber(i))
        puts += 1
      }
    }
    await Promise.all(Array.from({ length: clientsCount }, (_, i) => client(i)))
    return puts / ((performance.now() - startedAt) / 1000)
  }

  /**
   * Kills the leader, and starts it again once that is over.
   *
   * @returns milliseconds from SIGKILL until a put that was sent after it has succeeded
   */
  async failover(): Promise<number> {
    const leader = await this.#leader()
    const others = this.#members.filter((member) => member !== leader)
    leader.program?.kill()
    const killedAt = performance.now()
    const tookMs = await new Promise<number>((resolve) => {
      const timer = setInterval(() => {
        for (const { client } of others) client.put(putNumber(0)).then(succeeded, () => undefined)
      }, POLL_MS)
      const succeeded = () => {
        clearInterval(timer)
        resolve(performance.now() - killedAt)
      }
    })
    await leader.program?.stop()
    await this.#start(leader)
    return tookMs
  }

  async stop(): Promise<void> {
    for (const { client } of this.#members) client.close()
    await Promise.all(this.#members.map(({ program }) => program?.stop()))
  }

  async #start(member: Member): Promise<void> {
    member.client.close()
    const { args, port } = member
    const isReady = async (): Promise<boolean> => {
      member.client.close()
      member.client = new EtcdClient(port)
      return (await within(member.client.status())) !== undefined
    }
    member.program = await Program.start({ path: this.#path, args, cwd: this.#directory, isReady })
  }

  /** The leader on which all agree that run. */
  async #leader(): Promise<Member> {
    const until = performance.now() + LEADER_TIMEOUT_MS
    for (;;) {
      const said = await Promise.all(this.#members.map(({ client }) => within(client.status())))
      const leaders = new Set(said.map((status) => status?.leader ?? 0n))
      const leader = this.#members.find((_, i) => said[i]?.member === said[i]?.leader)
      if (leaders.size === 1 && !leaders.has(0n) && leader !== undefined) return leader
      if (performance.now() > until) throw new Error('etcd found no leader')
      await delay(POLL_MS)
    }
  }
}

const value = new Uint8Array(VALUE_BYTES).fill(120)
const KEYS_COUNT = 1_000
const puts = Array.from({ length: KEYS_COUNT }, (_, i) =>
  EtcdClient.putOf(new TextEncoder().encode(`bench/${String(i).padStart(6, '0')}`), value),
)

function putNumber(i: number): Buffer {
  return puts[i % KEYS_COUNT] ?? Buffer.alloc(0)
}

/** What was asked for, or undefined when it failed or takes long. */
async function within<T>(asked: Promise<T>): Promise<T | undefined> {
  const late = new AbortController()
  const timeout = delay(PUT_TIMEOUT_MS, undefined, { signal: late.signal, ref: false }).catch(() => undefined)
  try {
    return await Promise.race([asked.catch(() => undefined), timeout])
  } finally {
    late.abort()
  }
}
