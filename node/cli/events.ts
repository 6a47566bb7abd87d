import type { Command } from 'commander'
import type { NodeEvent } from '../../src/index.ts'
import { action, withDaemon } from './command.ts'
import type { Terminal } from './terminal.ts'
import { collect, parseCount } from './values.ts'

interface EventsOptions {
  readonly follow?: boolean
  readonly kind?: readonly string[]
  readonly limit: number
}

export function registerEvents(program: Command): void {
  program
    .command('events')
    .description('what happened lately on this node; with --follow, what happens from now on')
    .option('-f, --follow', 'go on until interrupted, one event per line')
    .option('--kind <kind>', 'only events of this kind; several times', collect)
    .option('--limit <n>', 'how many past events', parseCount(1, 1000), 100)
    .action(
      action<EventsOptions>(async (context, options) => {
        if (options.kind !== undefined) await demandKnown(options.kind)
        const filter = options.kind === undefined ? {} : { kinds: [...options.kind] }
        if (options.follow === true) return follow(context, filter)
        const { events } = await withDaemon(context, (client) =>
          client.call('node.events', { ...filter, limit: options.limit }),
        )
        context.terminal.result(
          { events },
          (shown) =>
            shown.events.map((event, i) => describeEvent(event, events[i] ?? event, context.terminal)).join('\n') ||
            'nothing yet',
        )
        return 0
      }),
    )
}

/** News of tasks, which no observation tells. */
const TASK_KINDS = ['task-changed', 'task-progress']

/** A misspelt kind would be waited for in vain. @throws SwarmError BAD_USAGE */
async function demandKnown(kinds: readonly string[]): Promise<void> {
  const { OBSERVATIONS, SwarmError } = await import('../../src/index.ts')
  const told = Object.entries(OBSERVATIONS).flatMap(([kind, { event }]) => (event ? [kind] : []))
  const known = [...TASK_KINDS, ...told].sort()
  const unknown = kinds.filter((kind) => !known.includes(kind))
  if (unknown.length === 0) return
  throw new SwarmError('BAD_USAGE', `there are no events of kind ${unknown.join(', ')}; there are ${known.join(', ')}`)
}

/** Until the person has seen enough, or the daemon goes. */
function follow(
  context: Parameters<typeof withDaemon>[0] & { readonly terminal: Terminal },
  filter: { readonly kinds?: string[] },
): Promise<number> {
  return withDaemon(context, async (client) => {
    let enough = false
    const stop = () => {
      enough = true
      client.close()
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    const { stringify } = await import('../../src/index.ts')
    await client.subscribe(filter, (event) =>
      context.terminal.result(event, (shown) => describeEvent(shown, event, context.terminal, stringify), stringify),
    )
    await client.closed
    if (enough) return 0
    const { SwarmError } = await import('../../src/index.ts')
    throw new SwarmError('NO_DAEMON', 'the daemon closed the connection; see whether it still runs: swarm-node status')
  })
}

/**
 * The sentence of an event; of news of tasks, and where there is none, its fields. What is no text is
 * shown as JSON, which spells out what is in it by itself.
 */
function describeEvent(
  { kind, at, ...fields }: NodeEvent,
  raw: NodeEvent,
  { colours }: Terminal,
  write: (value: unknown) => string = JSON.stringify,
): string {
  const isNews = TASK_KINDS.includes(kind)
  if (!isNews && typeof fields.message === 'string')
    return [colours.dim(at), colours.cyan(kind), fields.message].join(' ')
  const words = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : write(raw[name])}`,
  )
  return [colours.dim(at), colours.cyan(kind), ...words].join(' ')
}
