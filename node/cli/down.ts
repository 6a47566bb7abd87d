import type { Command } from 'commander'
import { action } from './command.ts'
import { stopDaemon } from './stop.ts'

export function registerDown(program: Command): void {
  program
    .command('down')
    .description('stop the local swarm; its data stays for the next `up`')
    .action(
      action(async ({ terminal, data, token, program: script }) => {
        const { LocalSwarm } = await import('../local-swarm.ts')
        const { SwarmError } = await import('../../src/index.ts')
        const directory = LocalSwarm.directoryOf(data)
        const nodes = await new LocalSwarm({ directory, program: script, detached: true }).members()
        const meter = terminal.meter('stopping', nodes.length)
        const stopped: string[] = []
        const problems: string[] = []
        let doneCount = 0
        await Promise.all(
          nodes.map(async ({ name, socket }) => {
            try {
              await stopDaemon({ socket, token })
              stopped.push(name)
            } catch (cause) {
              // Not running is what was asked for.
              const fine = cause instanceof SwarmError && cause.code === 'NO_DAEMON'
              if (!fine) problems.push(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`)
            }
            doneCount += 1
            meter.update(doneCount, name)
          }),
        )
        meter.end()
        if (problems.length > 0) {
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
