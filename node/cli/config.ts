import type { Command } from 'commander'
import type { ConfigReport } from '../../src/index.ts'
import { action, type Context, withDaemon } from './command.ts'
import { free, table } from './table.ts'
import type { Terminal } from './terminal.ts'

export function registerConfig(program: Command): void {
  const config = program.command('config').description('the configuration')
  config
    .command('show')
    .description('print each value and where it came from')
    .option('--running', 'of the daemon that runs, instead of the next one to start')
    .action(
      action<{ readonly running?: boolean }>(async (context, { running }) => {
        const report =
          running === true
            ? await withDaemon(context, (client) => client.call('config.show', {}))
            : await resolvedHere(context)
        context.terminal.result(report, (shown) => describeConfiguration(shown, context.terminal))
        return 0
      }),
    )
  config
    .command('check')
    .description('tell every problem of the configuration, without starting anything')
    .action(
      action(async (context) => {
        const { values } = await resolvedHere(context)
        const setCount = values.filter(({ origin }) => origin !== 'default').length
        const document = { ok: true, values: values.length, set: setCount }
        context.terminal.result(document, () => `fine: ${values.length} values, ${setCount} of them set`)
        return 0
      }),
    )
}

/** @throws SwarmError BAD_CONFIGURATION with every problem */
async function resolvedHere({ config, given, env }: Context): Promise<ConfigReport> {
  const { resolveSettings } = await import('../settings.ts')
  return resolveSettings({ config, ...given, listen: [], labels: {} }, env).report
}

function describeConfiguration({ values }: ConfigReport, { columns }: Terminal): string {
  const rows = values.map(({ path, value, origin }) => [path, textOf(value), origin])
  return table(['KEY', free('VALUE'), free('FROM')], rows, columns)
}

function textOf(value: unknown): string {
  if (value === null) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
