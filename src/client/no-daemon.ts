import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SwarmError } from '../kernel/index.ts'
import { dataDirectory, LOCAL_SWARM, socketPath } from './place.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Nobody answers there: how to start what would, and where else a daemon may be. */
export function noDaemon(path: string, cause: unknown, env: Environment = process.env): SwarmError {
  const message = `no daemon answers on ${path}; ${adviceFor(path, env)}`
  return new SwarmError('NO_DAEMON', message, { cause, data: { socket: path } })
}

function adviceFor(path: string, env: Environment): string {
  const data = dirname(path)
  const isPlain = path === socketPath(undefined, env, dataDirectory(undefined, env))
  const isInData = basename(path) === 'swarm.sock'
  const around = dirname(data)
  const holder = isInData ? holderOf(data) : undefined
  if (holder !== undefined) {
    return `process ${holder} has ${data} and does not answer here: it starts or tries to join, as its log says, or it has another --socket`
  }
  if (isInData && existsSync(join(around, LOCAL_SWARM.file))) {
    return `start its local swarm with: swarm-node up --data ${quoted(dirname(around))}`
  }
  const flag = isPlain ? '' : isInData ? ` --data ${quoted(data)}` : ` --socket ${quoted(path)}`
  const start = `start one with: swarm-node start${flag}`
  const local = join(data, LOCAL_SWARM.directory)
  if (isInData && existsSync(join(local, LOCAL_SWARM.file))) {
    return `${start}. There is a local swarm (up) in ${local}: give --data ${quoted(join(local, 'node-1'))} for its first node`
  }
  return isPlain ? `${start}, or say where yours is: --data DIR, or SWARM_NODE_DATA` : start
}

/** The daemon that has a data directory, if it is still there. */
function holderOf(data: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(data, 'pid'), 'utf8'), 10)
    if (pid <= 0) return undefined
    process.kill(pid, 0)
    return pid
  } catch {
    return undefined
  }
}

/** As a shell reads it. */
function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
