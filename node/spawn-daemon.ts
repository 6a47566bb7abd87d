import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ControlClient,
  ERROR_CODES,
  type ErrorCode,
  makeDataDirectory,
  type NodeStatus,
  SwarmError,
} from '../src/index.ts'
import { FRUGAL_FLAGS } from './code-tiers.ts'
import { type StartOptions, startArguments } from './start-options.ts'
import { CLIENT_NAME } from './version.ts'

/** Making keys, a store and a connection takes about a second; a busy machine that starts many may need many. */
const START_TIMEOUT_MS = 60_000
const POLL_MS = 50

/** Bytes of the log that are looked at to explain a daemon that did not start. */
const EXPLANATION_BYTES_MAX = 4_096

export interface SpawnOptions {
  /** The command line's script, with which the process is started. */
  readonly program: string
  readonly start: StartOptions
  /** Where its log goes, and where it will answer. */
  readonly data: string
  readonly socket: string
  /** What the socket asks for when it is shared. */
  readonly token?: string | undefined
  /** Where Node keeps compiled code of a program that runs from its sources; the shipped one brings its own. */
  readonly codeCache?: string
  /** Whether it outlives this process. */
  readonly detached: boolean
  /** Whether it is one of many on this machine, so that memory counts for more than speed. */
  readonly frugal?: boolean
  /** Called as soon as there is a process, so that whoever has to clean up knows it. */
  onSpawned?(pid: number): void
}

/**
 * Starts a daemon in a process of its own, its log in its data directory, and waits until it is running.
 *
 * @returns its status
 * @throws SwarmError with the reason for which it did not start
 */
export async function spawnDaemon(options: SpawnOptions): Promise<NodeStatus> {
  const { start, data, socket, token } = options
  makeDataDirectory(data)
  const log = openSync(logPath(data), 'a+', 0o600)
  try {
    const logStart = fstatSync(log).size
    const child = spawn(
      process.execPath,
      [
        ...process.execArgv,
        ...(options.frugal === true ? FRUGAL_FLAGS : []),
        options.program,
        ...startArguments(start),
      ],
      {
        detached: options.detached,
        stdio: ['ignore', 'ignore', log],
        env: options.codeCache === undefined ? process.env : { NODE_COMPILE_CACHE: options.codeCache, ...process.env },
      },
    )
    if (child.pid !== undefined) options.onSpawned?.(child.pid)
    // However this ends: whoever starts it is done when it is told.
    if (options.detached) child.unref()
    const status = await ready(child, data, socket, token)
    if (status === undefined) throw explained(child, readFrom(log, logStart), logPath(data))
    return status
  } finally {
    closeSync(log)
  }
}

/** The log of a detached daemon, in its data directory. */
function logPath(data: string): string {
  return join(data, 'swarm-node.log')
}

/** The daemon's status once it has started, revoked or not; undefined when its process has ended before. */
async function ready(
  child: ChildProcess,
  data: string,
  socket: string,
  token: string | undefined,
): Promise<NodeStatus | undefined> {
  let spawnError: Error | undefined
  child.once('error', (cause) => {
    spawnError = cause
  })
  const until = performance.now() + START_TIMEOUT_MS
  while (performance.now() < until) {
    if (spawnError !== undefined) throw new SwarmError('INTERNAL', `no process could be started: ${spawnError.message}`)
    if (child.exitCode !== null || child.signalCode !== null) return undefined
    // A look costs nothing beside a call that fails, and thirty that start are asked twenty times a second.
    const status = existsSync(socket) ? await statusOf(socket, token) : undefined
    // Another daemon may still answer there: ours will end with the reason.
    if (status !== undefined && status.pid === child.pid && status.state !== 'starting') return status
    await delay(POLL_MS)
  }
  throw new SwarmError('TIMEOUT', `the daemon is not ready after ${START_TIMEOUT_MS / 1000} s; see ${logPath(data)}`)
}

/** The status of the daemon on this socket, or undefined when none answers. */
export async function statusOf(socket: string, token = process.env.SWARM_NODE_TOKEN): Promise<NodeStatus | undefined> {
  try {
    const client = await ControlClient.connect({ socket, client: CLIENT_NAME, token })
    try {
      return await client.call('node.status', {})
    } finally {
      client.close()
    }
  } catch (cause) {
    if (cause instanceof SwarmError && (cause.code === 'NO_DAEMON' || cause.code === 'TIMEOUT')) return undefined
    throw cause
  }
}

/** A daemon says why it ends in lines that are not JSON: `swarm-node: … [CODE]`, and details indented below. */
function explained(child: ChildProcess, output: string, log: string): SwarmError {
  const lines = output.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
  const at = lines.findIndex((line) => line.startsWith('swarm-node: '))
  const [, sentence, word] = /^swarm-node: (.*) \[([A-Z_]+)\]$/.exec(lines[at] ?? '') ?? []
  if (sentence === undefined || word === undefined || !Object.hasOwn(ERROR_CODES, word)) {
    const how = child.signalCode ?? `exit code ${child.exitCode}`
    return new SwarmError('INTERNAL', `the daemon ended at once (${how}); see ${log}`)
  }
  const below = lines.slice(at + 1).filter((line) => line.startsWith('  '))
  return new SwarmError(word as ErrorCode, [sentence, ...below].join('\n'))
}

function readFrom(file: number, position: number): string {
  const bytes = Buffer.alloc(EXPLANATION_BYTES_MAX)
  const from = Math.max(position, fstatSync(file).size - EXPLANATION_BYTES_MAX)
  return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, from))
}
