import type { Command } from 'commander'
import { action, withDaemon } from './command.ts'
import { table } from './table.ts'

export function registerConfig(program: Command): void {
  const config = program.command('config').description('the configuration')
  config
    .command('show')
    .description('print each value the daemon goes by, and where it came from')
    .option('--running', 'of the daemon that runs, instead of the next one to start')
    .action(
      action(async (context) => {
        const { terminal } = context
        const report = await withDaemon(context, (client) => client.call('config.show', {}))
        const rows = report.values.map(({ path, value, origin }) => [path, JSON.stringify(value), origin])
        terminal.result(report, () => table(['PATH', 'VALUE', 'FROM'], rows, terminal.columns))
        return 0
      }),
    )
}
