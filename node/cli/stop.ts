import type { Command } from 'commander'
import { action, type Context, withDaemon } from './command.ts'

/** Handing over and closing takes a second or two; this is for a disk that is slow. */
const STOP_TIMEOUT_MS = 20_000

export function registerStop(program: Command): void {
  program
    .command('stop')
    .description('stop the daemon, and wait until it has gone')
    .action(
      action(async (context) => {
        const pid = await stopDaemon(context)
        context.terminal.result({ stopped: true, pid }, () => `stopped (process ${pid})`)
        return 0
      }),
    )
}

/**
 * Asks the daemon on this socket to stop and waits until its process has ended.
 *
 * @returns its process number
 * @throws SwarmError NO_DAEMON, or TIMEOUT when it is still there
 */
export async function stopDaemon(context: Pick<Context, 'socket' | 'token'>): Promise<number> {
  const { pid } = await withDaemon(context, (client) => client.call('node.stop', {}))
  await demandExit(pid)
  return pid
}

/** @throws SwarmError TIMEOUT when a process that was asked to stop is still there */
export async function demandExit(pid: number): Promise<void> {
  const { waitForExit } = await import('../processes.ts')
  if (await waitForExit(pid, STOP_TIMEOUT_MS)) return
  const { SwarmError } = await import('../../src/index.ts')
  throw new SwarmError('TIMEOUT', `process ${pid} is still stopping after ${STOP_TIMEOUT_MS / 1000} s; see its log`)
}
