import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { SwarmError } from '../kernel/index.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Bytes of `sun_path` less its closing zero. */
const PATH_BYTES_MAX = process.platform === 'darwin' ? 103 : 107

/** Where `up` keeps the local swarm of a data directory, and by which file it is known. */
export const LOCAL_SWARM = { directory: 'up', file: 'swarm.json' } as const

/** Where the key, the store, the socket and the log are (spec/interfaces.md, "Where things are"). */
export function dataDirectory(flag: string | undefined, env: Environment): string {
  const given = flag ?? nonEmpty(env.SWARM_NODE_DATA)
  if (given !== undefined) return resolve(given)
  const state = nonEmpty(env.XDG_STATE_HOME)
  return state === undefined ? join(homedir(), '.local', 'state', 'swarm-node') : join(resolve(state), 'swarm-node')
}

/** Where the socket is: a flag, the environment, else in the data directory. */
export function socketPath(flag: string | undefined, env: Environment, data: string): string {
  const given = flag ?? nonEmpty(env.SWARM_NODE_SOCKET)
  return given === undefined ? join(data, 'swarm.sock') : resolve(given)
}

/** What a shared socket asks for. */
export function socketToken(env: Environment): string | undefined {
  return nonEmpty(env.SWARM_NODE_TOKEN)
}

/** @throws SwarmError BAD_USAGE when the operating system could not hold this path */
export function assertPathFits(path: string): void {
  const pathBytes = Buffer.byteLength(path)
  if (pathBytes <= PATH_BYTES_MAX) return
  const message = `the socket path ${path} has ${pathBytes} bytes and at most ${PATH_BYTES_MAX} are possible; use a shorter one with --socket`
  throw new SwarmError('BAD_USAGE', message)
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
