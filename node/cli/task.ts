import type { Command } from 'commander'
import { action, type Context, type Run, withDaemon } from './command.ts'
import { parseDuration } from './values.ts'

export function registerTask(program: Command): void {
  const task = program.command('task').description('one task, from any node')
  const about = (name: string, description: string) => {
    return task.command(name).description(description).argument('<id>', 'the task, as submit printed it')
  }
  about('get', 'its record').action(withId(get))
  about('wait', 'wait until it has ended, and print its output')
    .option('--timeout <duration>', 'how long', parseDuration)
    .action(withId<{ readonly timeout?: number }>(wait))
  about('cancel', 'stop it, wherever it is')
    .option('--reason <text>', 'for its record')
    .action(withId<{ readonly reason?: string }>(cancel))
  about('why', 'why it waits, or why it ran where it ran').action(withId(why))
  about('history', 'what happened to it').action(withId(history))
}

type RunWithId<Options> = (id: string, context: Context, options: Options) => Promise<number>

function withId<Options>(run: RunWithId<Options>) {
  return (id: string, ...rest: unknown[]) => {
    const bound: Run<Options> = (context, options) => run(id, context, options)
    return action(bound)(...rest)
  }
}

async function get(id: string, context: Context): Promise<number> {
  const { stringify } = await import('../../src/index.ts')
  const { describeTask } = await import('./task-words.ts')
  const record = await withDaemon(context, (client) => client.call('task.get', { task: id }))
  const text = (shown: typeof record): string => {
    // The output is shown as JSON, which spells out what is in it by itself.
    return describeTask('output' in record ? { ...shown, output: record.output } : shown, context.terminal)
  }
  context.terminal.result(record, text, stringify)
  return 0
}

async function wait(id: string, context: Context, { timeout }: { readonly timeout?: number }): Promise<number> {
  const { printOutcome, withSwarm } = await import('./awaited.ts')
  return withSwarm(context, (swarm) => printOutcome(context, swarm, id, timeout))
}

async function cancel(id: string, context: Context, { reason }: { readonly reason?: string }): Promise<number> {
  const params = { task: id, ...(reason === undefined ? {} : { reason }) }
  const result = await withDaemon(context, (client) => client.call('task.cancel', params))
  const { state } = result
  context.terminal.result(result, () => (state === 'cancelled' ? 'cancelled' : `it had ended before: ${state}`))
  return 0
}

async function why(id: string, context: Context): Promise<number> {
  const { describeWhy } = await import('./task-words.ts')
  const report = await withDaemon(context, (client) => client.call('task.why', { task: id }))
  context.terminal.result(report, (shown) => describeWhy(shown, context.terminal))
  return 0
}

async function history(id: string, context: Context): Promise<number> {
  const { describeHistory } = await import('./task-words.ts')
  const report = await withDaemon(context, (client) => client.call('task.history', { task: id }))
  context.terminal.result(report, (shown) => describeHistory(shown, context.terminal))
  return 0
}
