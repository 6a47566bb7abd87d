import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

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

/** The log of a detached daemon, in its data directory. */
export function logPath(data: string): string {
  return join(data, 'swarm-node.log')
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
