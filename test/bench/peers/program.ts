import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { connect, createServer, type NetConnectOpts } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Debian puts servers where the path of a user may not lead. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/bin']

const READY_TIMEOUT_MS = 20_000
const POLL_MS = 25
const OUTPUT_CHARS_MAX = 4_000

/** A peer that this machine does not have; the message says how to get it. */
export class MissingPeer extends Error {}

/** @throws MissingPeer */
export function findProgram(name: string, debianPackage: string): string {
  for (const folder of FOLDERS) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // The next one.
    }
  }
  throw new MissingPeer(`${name} is not installed; on Debian: apt-get install ${debianPackage}`)
}

export interface ProgramOptions {
  readonly path: string
  readonly args: readonly string[]
  readonly cwd: string
  /** Whether it serves by now; asked again and again until it does, or its time is over. */
  isReady(): Promise<boolean>
}

const running = new Set<Program>()
process.once('exit', () => {
  for (const program of running) program.kill()
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/** A server of someone else, on loopback, which ends with this process at the latest. */
export class Program {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #output = ''

  /** @throws Error with its last words when it ends, or does not serve in time */
  static async start(options: ProgramOptions): Promise<Program> {
    const program = new Program(options)
    const until = performance.now() + READY_TIMEOUT_MS
    while (!(await options.isReady())) {
      if (performance.now() < until && running.has(program)) {
        await delay(POLL_MS)
        continue
      }
      await program.stop()
      throw new Error(`${options.path} did not start to serve:\n${program.#output}`)
    }
    return program
  }

  private constructor({ path, args, cwd }: ProgramOptions) {
    this.#child = spawn(path, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(this)
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = `${this.#output}${chunk}`.slice(-OUTPUT_CHARS_MAX)
      })
    }
    this.#child.on('error', () => running.delete(this))
    this.#ended = once(this.#child, 'exit').finally(() => running.delete(this))
    this.#ended.catch(() => undefined)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** As a crash would, and without waiting for it. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async stop(): Promise<void> {
    if (!running.has(this)) return
    this.kill()
    await this.#ended
  }
}

/** Ports on loopback that nobody has at this moment. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** Whether somebody listens there. */
export function accepts(address: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = connect(address)
    attempt.once('error', () => resolve(false))
    attempt.once('connect', () => {
      attempt.destroy()
      resolve(true)
    })
  })
}
