import { flushCompileCache } from 'node:module'
import {
  EXIT_INVARIANT,
  InvariantError,
  type NodeStatus,
  realClock,
  SwarmError,
  writeCrashReport,
} from '../src/index.ts'
import { wantsColours } from './cli/terminal.ts'
import { optimiseAsUsual } from './code-tiers.ts'
import { Daemon } from './daemon.ts'
import { openLog } from './log.ts'
import { openNode } from './open-node.ts'
import { resolveSettings } from './settings.ts'
import type { StartOptions } from './start-options.ts'
import { boundYoungGeneration } from './young-generation.ts'

/**
 * Runs a daemon in this process until it is told to stop (SIGTERM, SIGINT, `node.stop`). Ends the process itself: with 0
 * after an orderly stop, with 1 when a part did not stop.
 *
 * @param onRunning called once, when everything answers
 * @throws SwarmError when it cannot start
 */
export async function runDaemon(options: StartOptions, onRunning: (status: NodeStatus) => void): Promise<never> {
  const settings = resolveSettings(options, process.env)
  const { log: logging, http, token, socketAccess, limits } = settings.config
  const log = openLog({
    level: logging.level,
    modules: logging.modules,
    to: logging.file === undefined ? 'stderr' : { file: logging.file },
    pretty: logging.pretty === 'on' || (logging.pretty === 'auto' && process.stderr.isTTY === true),
    colours: wantsColours(process.stderr, process.env),
  })
  const fatal = (cause: unknown) => {
    crash(cause, settings.start.data, () => daemon?.status())
  }
  let daemon: Daemon | undefined
  process.on('uncaughtException', fatal)
  process.on('unhandledRejection', fatal)
  const starting = new AbortController()
  const stop = (signal: 'SIGTERM' | 'SIGINT') => {
    if (daemon === undefined) starting.abort(new SwarmError('SHUTTING_DOWN', `${signal} before this node was running`))
    else daemon.requestStop(signal)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const opened = Daemon.start({
    socket: settings.start.socket,
    http: http.listen,
    token,
    access: socketAccess,
    stopDrainMs: limits.stopDrainMs,
    connectionsMax: limits.ipcConnectionsMax,
    log,
    open: () => openNode({ settings, log, fatal, giveUp: starting.signal }),
    fatal,
  })
  daemon = await opened.catch((cause: unknown) => {
    if (cause !== starting.signal.reason) throw cause
    // What was open has been closed again, in reverse: an orderly stop like any other.
    log.module('daemon').info(`stopped: ${starting.signal.reason.message}`)
    process.exit(0)
  })
  optimiseAsUsual()
  boundYoungGeneration()
  // It came while the last part opened, and nothing looked any more.
  if (starting.signal.aborted) daemon.requestStop('a signal before this node was running')
  else onRunning(daemon.status())
  // Now rather than at the end: those who are started next have use for it, and a killed process leaves none.
  flushCompileCache()
  const problems = await daemon.ended
  for (const problem of problems) log.module('daemon').error(`did not stop in order: ${problem}`)
  // Everything that matters has stopped; timers that libp2p leaves behind would only hold the process for another second.
  process.exit(problems.length === 0 ? 0 : 1)
}

/** Ends the process at once: after this nothing that it holds in memory can be believed (U-4, U-5). */
function crash(cause: unknown, data: string, state: () => unknown): never {
  if (cause instanceof SwarmError) {
    // The disk or another part of the host failed, and not this program: no report, but the word for it.
    process.stderr.write(`swarm-node: ${cause.message} [${cause.code}]\n`)
    process.exit(cause.exitCode)
  }
  const report = writeCrashReport(data, realClock, cause, state)
  const invariant = cause instanceof InvariantError
  const what = cause instanceof Error ? cause.message : String(cause)
  const where = report === undefined ? '' : `; what is known is in ${report}, please report it`
  process.stderr.write(`swarm-node: ${what}${where} [${invariant ? 'INVARIANT' : 'INTERNAL'}]\n`)
  process.exit(invariant ? EXIT_INVARIANT : 1)
}
