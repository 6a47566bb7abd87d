import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endProcess, isRunning } from '../../node/processes.ts'
import { eventually } from '../support/eventually.ts'
import { command, Docker } from './command.ts'

const START_MS = 60_000
const GRACE_MS = 20_000
/** The bridge of another engine in the same network. One that is told to have no bridge removes it. */
const DEFAULT_BRIDGE = '/sys/class/net/docker0'

/** Why there is no Docker here: a property of the machine, not a failure of what is tested. */
export class DockerMissing extends Error {}

/** An engine to run containers on. */
export interface Engine {
  readonly docker: Docker
  readonly name: string
  /** From here on no network but Docker's own is needed. */
  isolate(): Promise<void>
  end(): Promise<void>
}

/**
 * The engine that runs already, or one of our own under `directory`.
 *
 * @throws DockerMissing
 */
export async function findEngine(directory: string, signal: AbortSignal): Promise<Engine> {
  if (!(await exists('docker', signal))) throw new DockerMissing('there is no docker command on this machine')
  const docker = new Docker(undefined, signal)
  try {
    const version = await docker.run(['version', '--format', '{{.Server.Version}}'])
    const isolate = async (): Promise<void> => {}
    return { docker, name: `Docker ${version}, which was running`, isolate, end: isolate }
  } catch (cause) {
    signal.throwIfAborted()
    const why = cause instanceof Error ? (cause.message.split('\n').at(-1) ?? '') : ''
    if (process.getuid?.() !== 0) throw new DockerMissing(`no engine answers (${why}), and only root can start one`)
    for (const program of ['dockerd', 'unshare']) {
      if (!(await exists(program, signal))) {
        throw new DockerMissing(`no engine answers (${why}), and there is no ${program} to start one with`)
      }
    }
  }
  const engine = new OwnEngine(directory, signal)
  try {
    await engine.start('build', [])
  } catch (cause) {
    await engine.end()
    signal.throwIfAborted()
    throw new DockerMissing(`no engine answers, and one of our own does not start: ${engine.lastWords(cause)}`)
  }
  return engine
}

/**
 * A dockerd with its own socket and files, in its own mount namespace: what it mounts is gone when it is. It builds in
 * the host's network but changes nothing there; to run containers it starts again in a network namespace of its own,
 * where it may have its bridges and firewall.
 */
class OwnEngine implements Engine {
  readonly docker: Docker
  readonly name = 'a dockerd of our own'
  readonly #directory: string
  readonly #socket: string
  readonly #signal: AbortSignal
  #process: ChildProcess | undefined
  #log = ''

  constructor(directory: string, signal: AbortSignal) {
    this.#directory = directory
    this.#signal = signal
    this.#socket = `unix://${join(directory, 'docker.sock')}`
    this.docker = new Docker(this.#socket, signal)
  }

  /** @param stage names its transient files, so that nothing of an earlier start is taken for its own */
  async start(stage: string, namespaces: readonly string[]): Promise<void> {
    const at = (name: string): string => join(this.#directory, name)
    const untouched = ['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false']
    const isShared = namespaces.length === 0
    const bridge = isShared && existsSync(DEFAULT_BRIDGE) ? [] : ['--bridge', 'none']
    const dockerd = [
      ...['--host', this.#socket, '--data-root', at('data'), '--exec-root', at(stage), '--pidfile', at(`${stage}.pid`)],
      ...[...bridge, ...(isShared ? untouched : [])],
    ]
    this.#log = at(`${stage}.log`)
    const log = openSync(this.#log, 'a')
    // Detached: what the terminal tells us to stop, we stop in order.
    const args = ['--mount', ...namespaces, 'dockerd', ...dockerd]
    const child = spawn('unshare', args, { detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    this.#process = child
    writeFileSync(at('engine.pid'), `${child.pid}\n`)
    await eventually(
      'dockerd to answer',
      () => {
        if (child.exitCode !== null || child.pid === undefined) throw new Error('dockerd has ended')
        return this.docker.does(['version'])
      },
      START_MS,
    )
  }

  async isolate(): Promise<void> {
    await this.end()
    this.#signal.throwIfAborted()
    await this.start('run', ['--net'])
  }

  async end(): Promise<void> {
    const pid = this.#process?.pid
    this.#process = undefined
    if (pid === undefined) return
    await endProcess(pid, GRACE_MS)
    if (isRunning(pid)) throw new Error(`dockerd (process ${pid}) does not end`)
  }

  lastWords(cause: unknown): string {
    const lines = readFileSync(this.#log, 'utf8').trim().split('\n')
    return lines.at(-1) || String(cause)
  }
}

async function exists(program: string, signal: AbortSignal): Promise<boolean> {
  try {
    await command('sh', ['-c', 'command -v "$0"', program], { signal })
    return true
  } catch {
    return false
  }
}
