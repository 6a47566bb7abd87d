import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'
import { LineReader, line } from './work-lines.ts'

const WORKER = fileURLToPath(new URL('./work-child.ts', import.meta.url))
const START_MS = 30_000

/** A real daemon of the sources as they are now, bundled as it ships, in a process of its own. */
export class BenchDaemon {
  readonly socket: string
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #workers: ChildProcess[] = []

  /** `nodeArgs` are for the runtime, such as `--cpu-prof`. */
  static async start(
    nodeArgs: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<BenchDaemon> {
    const directory = mkdtempSync(join(tmpdir(), 'snb-'))
    const input = fileURLToPath(new URL('../../node/bin.ts', import.meta.url))
    await build({
      input,
      platform: 'node',
      logLevel: 'warn',
      output: { dir: directory, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs' },
    })
    const data = join(directory, 'data')
    const args = [...nodeArgs, join(directory, 'bin.mjs'), 'start', '--data', data, '--profile', 'local']
    const stdio: 'ignore'[] = ['ignore', 'ignore', 'ignore']
    const child = spawn(process.execPath, args, { stdio, env: { ...process.env, ...env } })
    const daemon = new BenchDaemon(child, directory, join(data, 'swarm.sock'))
    const until = performance.now() + START_MS
    while (!(await daemon.#answers())) {
      if (performance.now() > until || child.exitCode !== null) throw new Error('the daemon did not start')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return daemon
  }

  private constructor(child: ChildProcess, directory: string, socket: string) {
    this.#child = child
    this.#directory = directory
    this.socket = socket
  }

  async worker(skill: string, slots: number): Promise<void> {
    const worker = fork(WORKER, [this.socket, skill, String(slots)], { execArgv: [] })
    this.#workers.push(worker)
    await once(worker, 'message')
  }

  /** Resident set in bytes. */
  rss(): number {
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1]
    return Number(kib) * 1024
  }

  /** Processor time used so far, in seconds. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await gone
    for (const worker of this.#workers) worker.kill('SIGKILL')
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #answers(): Promise<boolean> {
    const client = await BenchClient.connect(this.socket).catch(() => undefined)
    client?.close()
    return client !== undefined
  }
}

/** A client that pipelines, with one write per turn of the loop. */
export class BenchClient {
  readonly #socket: Socket
  readonly #waiting = new Map<number, (result: Record<string, unknown>) => void>()
  #count = 0
  #out = ''

  static async connect(path: string): Promise<BenchClient> {
    const socket = connect(path)
    await once(socket, 'connect')
    const client = new BenchClient(socket)
    await client.call('hello', { protocol: 1, client: 'bench/1' })
    return client
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    const reader = new LineReader((text) => this.#receive(text))
    socket.on('data', (bytes) => reader.push(bytes))
    socket.on('error', () => {})
  }

  /** Called with the result; an error ends the bench. */
  send(method: string, params: unknown, done: (result: Record<string, unknown>) => void): void {
    this.#count += 1
    this.#waiting.set(this.#count, done)
    if (this.#out === '') setImmediate(() => this.#flush())
    this.#out += line(this.#count, method, params)
  }

  call(method: string, params: unknown): Promise<Record<string, unknown>> {
    return new Promise((resolve) => this.send(method, params, resolve))
  }

  close(): void {
    this.#socket.destroy()
  }

  #flush(): void {
    this.#socket.write(this.#out)
    this.#out = ''
  }

  #receive(text: string): void {
    const { id, result, error } = JSON.parse(text)
    if (error !== undefined) throw new Error(`${error.data?.code}: ${error.message}`)
    this.#waiting.get(id)?.(result)
    this.#waiting.delete(id)
  }
}
