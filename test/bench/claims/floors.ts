import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { LineReader } from '../work-lines.ts'

/** Of a submitted task, of its way to an agent, and of the agent's answer, on our own sockets. */
const LINE = { id: 1, method: 'echo', params: { text: 'x'.repeat(154) } }
const SUBMITTED_BYTES = 309
const ANSWERED_BYTES = 56
/** What the submitter is told of one task: that it was taken, and how it ended. */
const TOLD_COUNT = 2
const NEWLINE = 10

/** The floor: a line of 200 bytes of JSON to another process and back, written and read by both (design/quality.md). */
export class Echo {
  readonly #child: FloorProcess

  static async start(): Promise<Echo> {
    return new Echo(await FloorProcess.start('echo'))
  }

  private constructor(child: FloorProcess) {
    this.#child = child
  }

  /** Milliseconds of each round trip. */
  async sequential(count: number): Promise<readonly number[]> {
    const socket = await this.#child.connect()
    const times: number[] = []
    let arrived: (value: unknown) => void = () => undefined
    const reader = new LineReader((text) => arrived(JSON.parse(text)))
    socket.on('data', (bytes) => reader.push(bytes))
    for (let i = 0; i < count; i++) {
      const startedAt = performance.now()
      const back = new Promise((resolve) => {
        arrived = resolve
      })
      socket.write(`${JSON.stringify(LINE)}\n`)
      await back
      times.push(performance.now() - startedAt)
    }
    socket.destroy()
    return times
  }

  get pid(): number {
    return this.#child.pid
  }

  stop(): void {
    this.#child.stop()
  }
}

/** The floor of a node's work: another process that writes whatever a node writes for a task, and does nothing else. */
export class Relay {
  readonly #child: FloorProcess

  static async start(): Promise<Relay> {
    return new Relay(await FloorProcess.start('relay'))
  }

  private constructor(child: FloorProcess) {
    this.#child = child
  }

  /** Milliseconds from the submitter's write to what the agent reads, both in this process as with our claims. */
  async sequential(count: number): Promise<readonly number[]> {
    const submitter = await this.#child.connect()
    const agent = await this.#child.connect()
    const times: number[] = []
    let startedAt = 0
    agent.on('data', () => {
      times.push(performance.now() - startedAt)
      setImmediate(() => agent.write(lineOf(ANSWERED_BYTES)))
    })
    for (let i = 0; i < count; i++) {
      const told = linesOf(submitter, TOLD_COUNT)
      startedAt = performance.now()
      submitter.write(lineOf(SUBMITTED_BYTES))
      await told
    }
    submitter.destroy()
    agent.destroy()
    return times
  }

  get pid(): number {
    return this.#child.pid
  }

  stop(): void {
    this.#child.stop()
  }
}

function lineOf(bytes: number): string {
  return `${'x'.repeat(bytes - 1)}\n`
}

function linesOf(socket: Socket, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0
    const onData = (bytes: Buffer): void => {
      seen += bytes.filter((byte) => byte === NEWLINE).length
      if (seen < count) return
      socket.off('data', onData)
      resolve()
    }
    socket.on('data', onData)
  })
}

class FloorProcess {
  readonly #path: string
  readonly pid: number
  readonly stop: () => void

  static async start(kind: 'echo' | 'relay'): Promise<FloorProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'snb-'))
    const path = join(directory, kind)
    const child = fork(new URL('../ipc-child.ts', import.meta.url), [kind, path], { execArgv: [] })
    await once(child, 'message')
    return new FloorProcess(path, child.pid ?? 0, () => {
      child.kill('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    })
  }

  private constructor(path: string, pid: number, stop: () => void) {
    this.#path = path
    this.pid = pid
    this.stop = stop
  }

  async connect(): Promise<Socket> {
    const socket = connect(this.#path)
    await once(socket, 'connect')
    return socket
  }
}
