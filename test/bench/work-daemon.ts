import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../../node/bundle.ts'
import { LineReader, line } from './work-lines.ts'

const WORKER = fileURLToPath(new URL('./work-child.ts', import.meta.url))
const START_MS = 30_000

let program: Promise<string> | undefined

/** The command line as it ships, of the sources as they are now; bundled once, and gone with this process. */
export function bundledProgram(): Promise<string> {
  program ??= makeProgram()
  return program
}

async function makeProgram(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'snb-program-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  await bundle(directory)
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}\n')
  return join(directory, 'bin.js')
}

export interface BenchDaemonOptions {
  /** For the runtime, such as `--cpu-prof`. */
  readonly nodeArgs?: readonly string[]
  /** For `swarm-node start`, such as `--join`. */
  readonly startArgs?: readonly string[]
}

/** A real daemon in a process of its own. */
export class BenchDaemon {
  readonly socket: string
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #workers: ChildProcess[] = []

  static async start({ nodeArgs = [], startArgs = [] }: BenchDaemonOptions = {}): Promise<BenchDaemon> {
    const program = await bundledProgram()
    const directory = mkdtempSync(join(tmpdir(), 'snb-'))
    const data = join(directory, 'data')
    const args = [...nodeArgs, program, 'start', '--data', data, '--profile', 'local', ...startArgs]
    const child = spawn(process.execPath, args, { stdio: 'ignore' })
    process.once('exit', () => child.kill('SIGKILL'))
    const daemon = new BenchDaemon(child, directory, join(data, 'swarm.sock'))
    // However the bench ends, its daemon ends with it.
    process.once('exit', () => daemon.#kill())
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
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

  get pid(): number {
    return this.#child.pid ?? 0
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
    this.#kill()
  }

  #kill(): void {
    for (const child of [this.#child, ...this.#workers]) child.kill('SIGKILL')
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
    if (this.#out === '') queueMicrotask(() => this.#flush())
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

/** An agent in this process: tells of each task as it comes, and answers it at once. */
export class BenchAgent {
  /** @param onRun gets the input */
  static async attach(path: string, facts: object, onRun: (input: unknown) => void): Promise<BenchAgent> {
    const socket = connect(path)
    await once(socket, 'connect')
    const agent = new BenchAgent(socket)
    await new Promise<void>((resolve) => {
      let out = ''
      const reader = new LineReader((text) => {
        const { id, params, error } = JSON.parse(text)
        if (error !== undefined) throw new Error(`${error.data?.code}: ${error.message}`)
        if (id === 2) resolve()
        if (params?.input === undefined) return
        onRun(params.input)
        if (out === '') {
          setImmediate(() => {
            socket.write(out)
            out = ''
          })
        }
        out += `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"output":null}}\n`
      })
      socket.on('data', (bytes) => reader.push(bytes))
      socket.write(line(1, 'hello', { protocol: 1, client: 'bench-agent/1' }) + line(2, 'agent.attach', facts))
    })
    return agent
  }

  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('error', () => {})
  }

  close(): void {
    this.#socket.destroy()
  }
}
