import {
  EXIT_INVARIANT,
  InvariantError,
  type NodeStatus,
  realClock,
  SwarmError,
  writeCrashReport,
} from '../src/index.ts'
import { wantsColours } from './cli/terminal.ts'
import { Daemon } from './daemon.ts'
import { openLog } from './log.ts'
import { openNode } from './open-node.ts'
import { resolveSettings } from './settings.ts'
import type { StartOptions } from './start-options.ts'

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
  daemon = await Daemon.start({
    socket: settings.start.socket,
    http: http.listen,
    token,
    access: socketAccess,
    stopDrainMs: limits.stopDrainMs,
    connectionsMax: limits.ipcConnectionsMax,
    log,
    open: () => openNode({ settings, log, fatal }),
    fatal,
  })
  process.on('SIGTERM', () => daemon.requestStop('SIGTERM'))
  process.on('SIGINT', () => daemon.requestStop('SIGINT'))
  onRunning(daemon.status())
  const problems = await daemon.ended
  for (const problem of problems) log.module('daemon').error(`did not stop in order: ${problem}`)
  log.flush()
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
