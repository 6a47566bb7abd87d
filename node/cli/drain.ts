import { type Command, Option } from 'commander'
import { action, withDaemon } from './command.ts'
import { parseDuration } from './values.ts'

const TIMEOUT_DEFAULT = '60s'

/** The daemon answers at the time-out; this is for the way. */
const ANSWER_SLACK_MS = 10_000

export function registerDrain(program: Command): void {
  program
    .command('drain')
    .description('take nothing new, and wait until what runs here has ended; then: swarm-node stop')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for it')
        .argParser(parseDuration)
        .default(parseDuration(TIMEOUT_DEFAULT), TIMEOUT_DEFAULT),
    )
    .action(
      action<{ readonly timeout: number }>(async (context, { timeout }) => {
        const report = await withDaemon(context, (client) =>
          client.call('node.drain', { timeoutMs: timeout }, timeout + ANSWER_SLACK_MS),
        )
        const { drained, running, open } = report
        if (!drained) {
          const { SwarmError } = await import('../../src/index.ts')
          const message = `${running} tasks still run after ${timeout} ms; the node drains on: ask again, or stop it (they are tried again elsewhere)`
          throw new SwarmError('TIMEOUT', message, { data: { ...report } })
        }
        context.terminal.result(report, () => {
          const kept = open === 0 ? '' : `; ${open} tasks are kept and go on when it is started again`
          return `drained: nothing runs here${kept}\nstop it with: swarm-node stop${context.sameDaemon}`
        })
        return 0
      }),
    )
}
