import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { action } from './command.ts'
import { demandExit, stopDaemon } from './stop.ts'

export function registerDown(program: Command): void {
  program
    .command('down')
    .description('stop the local swarm; its data stays for the next `up`')
    .action(
      action(async ({ terminal, data, token, program: script }) => {
        const { LocalSwarm } = await import('../local-swarm.ts')
        const directory = LocalSwarm.directoryOf(data)
        const nodes = await new LocalSwarm({ directory, program: script, detached: true }).members()
        const meter = terminal.meter('stopping', nodes.length)
        const stopped: string[] = []
        const problems: string[] = []
        let doneCount = 0
        await Promise.all(
          nodes.map(async ({ name, socket, data: place }) => {
            try {
              if (await stopNode(socket, place, token)) stopped.push(name)
            } catch (cause) {
              problems.push(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`)
            }
            doneCount += 1
            meter.update(doneCount, name)
          }),
        )
        meter.end()
        if (problems.length > 0) {
          const { SwarmError } = await import('../../src/index.ts')
          const message = `${problems.length} of ${nodes.length} nodes did not stop; their logs may say why`
          throw new SwarmError('TIMEOUT', message, { data: { problems, stopped } })
        }
        terminal.result({ stopped: stopped.sort() }, () =>
          nodes.length === 0
            ? `there is no local swarm in ${directory}`
            : `stopped ${stopped.length} of ${nodes.length} nodes`,
        )
        return 0
      }),
    )
}

/**
 * Stops a node, one that does not answer yet included: it starts, or tries to join.
 *
 * @returns false when there is none, which is what was asked for
 * @throws SwarmError TIMEOUT, UNAUTHORISED, DATA_DIRECTORY_UNREADABLE
 */
async function stopNode(socket: string, data: string, token: string | undefined): Promise<boolean> {
  const { SwarmError } = await import('../../src/index.ts')
  try {
    await stopDaemon({ socket, token })
    return true
  } catch (cause) {
    if (!(cause instanceof SwarmError) || cause.code !== 'NO_DAEMON') throw cause
  }
  const pid = await holderOf(data)
  if (pid === undefined) return false
  process.kill(pid, 'SIGTERM')
  await demandExit(pid)
  return true
}

/** The process that has a data directory, by its lock: a number that was left behind may be anybody's by now. */
async function holderOf(data: string): Promise<number | undefined> {
  if (!existsSync(join(data, 'pid'))) return undefined
  const { openDataDirectory, SwarmError } = await import('../../src/index.ts')
  try {
    openDataDirectory(data).release()
    return undefined
  } catch (cause) {
    if (!(cause instanceof SwarmError) || cause.code !== 'DATA_DIRECTORY_IN_USE') throw cause
    return cause.data.pid as number | undefined
  }
}
