import { execFile } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024
const BOUND_MS = 60_000
/** Enough of what a failed command said to see why. */
const WORDS_MAX = 1_500

export interface CommandOptions {
  /** Killed after so many milliseconds. */
  readonly boundMs?: number
  readonly signal?: AbortSignal | undefined
  readonly env?: Readonly<Record<string, string>>
}

export interface Said {
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program to its end.
 *
 * @throws Error with the end of what it said when it fails, is too slow, or was interrupted
 */
export function command(file: string, args: readonly string[], options: CommandOptions = {}): Promise<Said> {
  const { boundMs = BOUND_MS, signal, env = {} } = options
  return new Promise((resolve, reject) => {
    execFile(
      file,
      [...args],
      {
        timeout: boundMs,
        killSignal: 'SIGKILL',
        maxBuffer: OUTPUT_BYTES_MAX,
        env: { ...process.env, ...env },
        ...(signal === undefined ? {} : { signal }),
      },
      (cause, stdout, stderr) => {
        if (cause === null) return resolve({ stdout, stderr })
        const why =
          cause.killed === true
            ? `not done after ${boundMs / 1000} s`
            : stripVTControlCharacters(`${stdout}\n${stderr}`).trim()
        const call = [file, ...args.slice(0, 2)].join(' ')
        reject(new Error(`${call}: ${why.slice(-WORDS_MAX) || cause.message}`, { cause }))
      },
    )
  })
}

/** The docker command line, speaking to one engine. */
export class Docker {
  readonly #host: string | undefined
  readonly #signal: AbortSignal | undefined

  /** @param host where the engine listens; undefined for where the command line looks by itself */
  constructor(host: string | undefined, signal: AbortSignal | undefined) {
    this.#host = host
    this.#signal = signal
  }

  /** @returns what it wrote on standard output, without the last newline */
  async run(args: readonly string[], boundMs?: number): Promise<string> {
    return (await this.said(args, boundMs)).stdout.trimEnd()
  }

  said(args: readonly string[], boundMs?: number): Promise<Said> {
    // The builder that every engine has: the other one is a plugin.
    const env = { DOCKER_BUILDKIT: '0', ...(this.#host === undefined ? {} : { DOCKER_HOST: this.#host }) }
    return command('docker', args, { env, signal: this.#signal, ...(boundMs === undefined ? {} : { boundMs }) })
  }

  /** Whether the command succeeds. */
  async does(args: readonly string[], boundMs?: number): Promise<boolean> {
    try {
      await this.run(args, boundMs)
      return true
    } catch {
      this.#signal?.throwIfAborted()
      return false
    }
  }

  /** The same engine for cleaning up, which an interruption does not interrupt. */
  uninterrupted(): Docker {
    return new Docker(this.#host, undefined)
  }
}
