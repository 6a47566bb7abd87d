import type { Command } from 'commander'
import { dataDirectory, socketPath } from '../paths.ts'
import { CLIENT_NAME } from '../version.ts'
import { openTerminal, type Terminal } from './terminal.ts'

/** Options every command takes. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly data?: string
  readonly socket?: string
  readonly config?: string
}

/** What a command works with. */
export interface Context {
  readonly terminal: Terminal
  /** The data directory. */
  readonly data: string
  readonly socket: string
  /** The configuration file, if one was named. */
  readonly config: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** The script this process runs, for starting others of its kind. */
  readonly program: string
  /** The options that lead another command to the same daemon, as a person would type them after it; empty for defaults. */
  readonly sameDaemon: string
}

/** What a command is: returns its exit code, or nothing for 0. */
export type Run<Options> = (context: Context, options: Options, args: readonly string[]) => Promise<number | undefined>

/** Wraps a command for commander: resolves what all share, and sets the exit code. */
export function action<Options>(run: Run<Options>): (...handed: unknown[]) => Promise<void> {
  return async (...handed) => {
    // commander hands over the arguments, the options and the command itself, in this order.
    const command = handed.at(-1) as Command
    const options = command.optsWithGlobals() as Options & GlobalOptions
    const code = await run(contextOf(options), options, command.args)
    if (code !== undefined) process.exitCode = code
  }
}

export function contextOf(options: GlobalOptions, env = process.env): Context {
  const data = dataDirectory(options.data, env)
  return {
    terminal: openTerminal(options.json === true, env),
    data,
    socket: socketPath(options.socket, env, data),
    config: options.config,
    env,
    program: process.argv[1] ?? 'swarm-node',
    sameDaemon: [
      ...(options.data === undefined ? [] : [` --data ${quoted(options.data)}`]),
      ...(options.socket === undefined ? [] : [` --socket ${quoted(options.socket)}`]),
    ].join(''),
  }
}

/** Runs with a connection to the daemon and closes it. Loaded only now: `--help` needs none of it. */
export async function withDaemon<T>(
  context: Pick<Context, 'socket' | 'env'>,
  run: (client: import('../client.ts').ControlClient) => Promise<T>,
): Promise<T> {
  const { ControlClient } = await import('../client.ts')
  const token = context.env.SWARM_NODE_TOKEN
  const client = await ControlClient.connect({ socket: context.socket, client: CLIENT_NAME, token })
  try {
    return await run(client)
  } finally {
    client.close()
  }
}

/** As a shell reads it. */
export function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
