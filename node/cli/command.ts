import { type Command, Option } from 'commander'
import type { ControlClient } from '../../src/index.ts'
import { CLIENT_NAME } from '../version.ts'
import { openTerminal, type Terminal } from './terminal.ts'

/** Options every command takes. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly data?: string
  readonly socket?: string
  readonly config?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** What a command works with. */
export interface Context {
  readonly terminal: Terminal
  /** The data directory. */
  readonly data: string
  readonly socket: string
  /** What the socket asks for when it is shared. */
  readonly token: string | undefined
  /** The configuration file, if one was named. */
  readonly config: string | undefined
  /** Those of the two that were given as flags. */
  readonly given: Pick<GlobalOptions, 'data' | 'socket'>
  readonly env: Environment
  /** The script this process runs, for starting others of its kind. */
  readonly program: string
  /** The options that lead another command to the same daemon, as a person would type them after it; empty for defaults. */
  readonly sameDaemon: string
}

/** What a command is: returns its exit code. */
export type Run<Options> = (context: Context, options: Options) => Promise<number>

/**
 * An option that must be given. commander's own names only the first that is missing, and before it has looked at
 * options that it does not know, so that a typing error in one passes for its absence.
 */
class NeededOption extends Option {}

/** @param parse as commander's own: of a text and of what was given before */
export function needed<T>(flags: string, description: string, parse?: (text: string, before: T) => T): Option {
  const option = new NeededOption(flags, description)
  return parse === undefined ? option : option.argParser(parse)
}

function demandNeeded(command: Command): void {
  const missing = command.options
    .filter((option) => option instanceof NeededOption && command.getOptionValue(option.attributeName()) === undefined)
    .map(({ flags }) => `'${flags}'`)
  if (missing.length === 0) return
  command.error(`error: required ${missing.length === 1 ? 'option' : 'options'} ${missing.join(', ')} not specified`)
}

/** Wraps a command for commander: resolves what all share, and sets the exit code. */
export function action<Options>(run: Run<Options>): (...handed: unknown[]) => Promise<void> {
  return async (...handed) => {
    // commander hands over the arguments, the options and the command itself, in this order.
    const command = handed.at(-1) as Command
    demandNeeded(command)
    const options = command.optsWithGlobals() as Options & GlobalOptions
    try {
      process.exitCode = await run(await contextOf(options, process.env), options)
    } catch (cause) {
      const { inWordsOf } = await import('./usage-problems.ts')
      throw inWordsOf(command, cause)
    }
  }
}

async function contextOf(options: GlobalOptions, env: Environment): Promise<Context> {
  const { data, socket, json } = options
  const config = options.config ?? (env.SWARM_NODE_CONFIG || undefined)
  const given = { ...(data === undefined ? {} : { data }), ...(socket === undefined ? {} : { socket }) }
  const place = config === undefined ? await plainPlace(options, env) : await configuredPlace(config, given, env)
  const flags = Object.entries({ ...given, ...(options.config === undefined ? {} : { config }) })
  return {
    ...place,
    terminal: openTerminal(json === true, env),
    config,
    given,
    env,
    program: process.argv[1] ?? 'swarm-node',
    sameDaemon: flags.map(([name, value]) => ` --${name} ${quoted(value ?? '')}`).join(''),
  }
}

type Place = Pick<Context, 'data' | 'socket' | 'token'>

/** Without a file, where things are follows from flags and environment alone. */
async function plainPlace({ data: flag, socket }: GlobalOptions, env: Environment): Promise<Place> {
  const { dataDirectory, socketPath, socketToken } = await import('../../src/index.ts')
  const data = dataDirectory(flag, env)
  return { data, socket: socketPath(socket, env, data), token: socketToken(env) }
}

async function configuredPlace(config: string, given: Context['given'], env: Environment): Promise<Place> {
  const { resolveSettings } = await import('../settings.ts')
  const { start, config: resolved } = resolveSettings({ config, ...given, listen: [], labels: {} }, env)
  return { data: start.data, socket: start.socket, token: resolved.token }
}

/** Runs with a connection to the daemon and closes it. Loaded only now: `--help` needs none of it. */
export async function withDaemon<T>(
  { socket, token }: Pick<Context, 'socket' | 'token'>,
  run: (client: ControlClient) => Promise<T>,
): Promise<T> {
  const { ControlClient } = await import('../../src/index.ts')
  const client = await ControlClient.connect({ socket, client: CLIENT_NAME, token, exactPayloads: true })
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
