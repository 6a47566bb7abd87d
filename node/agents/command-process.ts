import { type ChildProcess, spawn } from 'node:child_process'
import { TaskError } from '../../src/index.ts'

/** As the protocol bounds an output. */
export const OUTPUT_BYTES_MAX = 1024 * 1024

/** Of what a command writes to standard error, its end is its message. */
const MESSAGE_BYTES_MAX = 2_048

/** Between the request to stop and the end by force. */
const STOP_GRACE_MS = 2_000

/** What still holds the output open after the command has ended, in a group of its own, is not waited for. */
const CLOSE_GRACE_MS = 1_000

/** Exit code with which a command asks to be tried again (`EX_TEMPFAIL` of sysexits.h). */
const EXIT_RETRY = 75

export interface CommandLine {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** For its standard input. */
  readonly input: Uint8Array | string
  /** When it aborts, the command and whatever it has started are ended. */
  readonly signal: AbortSignal
  /** What it writes to standard error, as it comes. */
  onError(bytes: Uint8Array): void
}

/** Groups of commands that run. However this process ends, unless by force, nothing of them is left. */
const running = new Set<ProcessGroup>()
process.on('exit', () => {
  for (const group of running) group.kill()
})

/**
 * Runs a command to its end, in a process group of its own, of which nothing is left afterwards.
 *
 * @returns what it has written to standard output
 * @throws TaskError EXIT_n, retryable for 75; SIGNAL_name; TOO_LARGE; CANCELLED; NOT_STARTED (retryable)
 */
export function runCommand({ command, args, env, input, signal, onError }: CommandLine): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'], env })
    child.on('error', (cause) => {
      if (child.pid !== undefined) return
      const message = `${command} could not be started: ${cause.message}`
      reject(new TaskError(message, { code: 'NOT_STARTED', retryable: true }))
    })
    // Without a number there is no process: 'close' need not follow, and there may be no streams.
    if (child.pid === undefined) return
    const group = new ProcessGroup(child)
    running.add(group)
    const output = new Gathered(OUTPUT_BYTES_MAX)
    const errors = new Tail(MESSAGE_BYTES_MAX)
    const onAbort = () => group.stop()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    // A command need not read its input.
    child.stdin.on('error', () => {}).end(input)
    child.stdout.on('data', (bytes: Buffer) => {
      if (!output.add(bytes)) group.kill()
    })
    child.stderr.on('data', (bytes: Buffer) => {
      errors.add(bytes)
      onError(bytes)
    })
    child.once('exit', () => {
      running.delete(group)
      group.end()
      setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, CLOSE_GRACE_MS).unref()
    })
    child.once('close', (code, signalName) => {
      signal.removeEventListener('abort', onAbort)
      const problem = problemOf({ code, signalName, isCancelled: signal.aborted, isTooLarge: output.isFull, errors })
      if (problem === undefined) resolve(output.bytes)
      else reject(problem)
    })
  })
}

interface Ending {
  readonly code: number | null
  readonly signalName: string | null
  readonly isCancelled: boolean
  readonly isTooLarge: boolean
  readonly errors: Tail
}

function problemOf({ code, signalName, isCancelled, isTooLarge, errors }: Ending): TaskError | undefined {
  if (isCancelled) return new TaskError('the command was stopped', { code: 'CANCELLED' })
  if (isTooLarge) {
    const message = `the command wrote more than ${OUTPUT_BYTES_MAX} bytes to standard output`
    return new TaskError(message, { code: 'TOO_LARGE' })
  }
  if (code === 0) return undefined
  const how = code === null ? `SIGNAL_${signalName}` : `EXIT_${code}`
  const said = errors.text.trim()
  const message = said === '' ? `the command ended with ${how} and wrote nothing to standard error` : said
  return new TaskError(message, { code: how, retryable: code === EXIT_RETRY })
}

/** A command and what it has started, unless that went into a group of its own. */
class ProcessGroup {
  readonly #child: ChildProcess
  #timer: NodeJS.Timeout | undefined

  constructor(child: ChildProcess) {
    this.#child = child
  }

  /** SIGTERM, and SIGKILL to what is still there after a while. */
  stop(): void {
    this.#send('SIGTERM')
    this.#timer = setTimeout(() => this.kill(), STOP_GRACE_MS)
  }

  kill(): void {
    this.#send('SIGKILL')
  }

  /** The command has ended: what it has left behind ends too. */
  end(): void {
    clearTimeout(this.#timer)
    this.kill()
  }

  #send(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // Nobody is left in the group.
    }
  }
}

/** Bytes up to a bound. */
class Gathered {
  readonly #bytesMax: number
  #chunks: Buffer[] = []
  #size = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isFull(): boolean {
    return this.#size > this.#bytesMax
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }

  /** False when it is more than there is room for; then nothing is kept any more. */
  add(chunk: Buffer): boolean {
    this.#size += chunk.length
    if (!this.isFull) this.#chunks.push(chunk)
    else this.#chunks = []
    return !this.isFull
  }
}

/** The last bytes of a stream. */
class Tail {
  readonly #bytesMax: number
  #bytes = Buffer.alloc(0)
  #isCut = false

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get text(): string {
    // From the first whole letter on.
    const text = this.#bytes.toString('utf8').replace(/^\uFFFD+/, '')
    return this.#isCut ? `…${text}` : text
  }

  add(chunk: Buffer): void {
    const all = Buffer.concat([this.#bytes, chunk])
    this.#isCut ||= all.length > this.#bytesMax
    this.#bytes = all.subarray(Math.max(0, all.length - this.#bytesMax))
  }
}
