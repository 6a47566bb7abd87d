import { type Command, Option } from 'commander'
import {
  COUNCIL_SECTIONS,
  type CouncilDecision,
  type CouncilLogReport,
  type CouncilMemberState,
  type CouncilShowReport,
  type CouncilStatusReport,
  type ParamsOf,
} from '../../src/index.ts'
import { action, type Context, withDaemon } from './command.ts'
import { registerPropose } from './council-propose.ts'
import { registerVerify } from './council-verify.ts'
import { outcomeWords, wordsOf } from './council-words.ts'
import { free, table } from './table.ts'
import type { Colours, Terminal } from './terminal.ts'
import { parseCount } from './values.ts'

const HEIGHT_MAX = Number.MAX_SAFE_INTEGER

interface LogOptions {
  readonly limit?: number
  readonly since?: number
  readonly proof?: number
}

export function registerCouncil(program: Command): void {
  const council = program.command('council').description('the group that decides for the whole swarm')
  council
    .command('status')
    .description('members, view, height, and who lags')
    .option('--cell', "of this node's cell instead: the custodians of its tasks")
    .action(
      action<{ readonly cell?: boolean }>(async (context, { cell }) => {
        const asked = cell === true ? { cell } : {}
        const status = await withDaemon(context, (client) => client.call('council.status', asked))
        context.terminal.result(status, (shown) => describeCouncil(shown, context.terminal))
        return 0
      }),
    )
  council
    .command('log')
    .description('what was decided, by whom it was proposed, and who signed')
    .option('--limit <n>', 'how many', parseCount(1, 1000))
    .option('--since <height>', 'from this height on', parseCount(1, HEIGHT_MAX))
    .option(
      '--proof <height>',
      'print the proof of one decision instead, for council verify',
      parseCount(1, HEIGHT_MAX),
    )
    .action(action<LogOptions>(log))
  council
    .command('show')
    .description(`what stands decided: ${COUNCIL_SECTIONS.join(', ')}`)
    .argument('<section>', 'one of these')
    .addOption(new Option('--after <key>', 'the page after this key'))
    .option('--limit <n>', 'how many', parseCount(1, 1000))
    .action((section: string, ...rest) => action<ShowOptions>(show(section))(...rest))
  registerPropose(council)
  registerVerify(council)
}

async function log(context: Context, { limit, since, proof }: LogOptions): Promise<number> {
  const { terminal } = context
  if (proof !== undefined) {
    const file = await withDaemon(context, (client) => client.call('council.proof', { height: proof }))
    terminal.result(file, () => JSON.stringify(file))
    return 0
  }
  const asked = { ...(limit === undefined ? {} : { limit }), ...(since === undefined ? {} : { since }) }
  const report = await withDaemon(context, (client) => client.call('council.log', asked))
  terminal.result(report, (shown) => describeDecisions(shown, since, terminal))
  return 0
}

interface ShowOptions {
  readonly limit?: number
  readonly after?: string
}

function show(section: string) {
  return async (context: Context, { limit, after }: ShowOptions): Promise<number> => {
    const asked = {
      // The daemon judges the word, and names those that there are.
      section: section as ParamsOf<'council.show'>['section'],
      ...(limit === undefined ? {} : { limit }),
      ...(after === undefined ? {} : { after }),
    }
    const report = await withDaemon(context, (client) => client.call('council.show', asked))
    context.terminal.result(report, (shown) => describeRows(shown, context.terminal))
    return 0
  }
}

function describeCouncil(status: CouncilStatusReport, terminal: Terminal): string {
  const { colours } = terminal
  const rows: readonly (readonly [string, string])[] = [
    ['epoch', `${status.epoch}, view ${status.view}`],
    ['height', `${status.height}, revision ${status.revision}`],
    ['primary', status.primary],
    ['tolerates', `${status.f} of ${status.members.length} lying; ${status.quorum} decide`],
    ['checkpoint', status.checkpoint === null ? 'none yet' : `${status.checkpoint.height}  ${status.checkpoint.root}`],
    ['this node', status.role],
    ['pending', String(status.pending)],
  ]
  const facts = rows.map(([name, value]) => `${colours.dim(name.padEnd(10))} ${value}`)
  const members = status.members.map(({ node, org, state, height }) => [
    node,
    org,
    paint(state, colours),
    height === null ? '-' : String(height),
  ])
  return [...facts, '', table(['MEMBER', free('ORGANISATION'), 'STATE', 'HEIGHT'], members, terminal.columns)].join(
    '\n',
  )
}

function paint(state: CouncilMemberState, colours: Colours): string {
  if (state === 'voting') return colours.green(state)
  return state === 'convicted' || state === 'silent' ? colours.red(state) : colours.yellow(state)
}

function describeDecisions(
  { decisions, complete }: CouncilLogReport,
  since: number | undefined,
  { colours }: Terminal,
): string {
  const gap = complete === undefined ? [] : [colours.dim(gapWords(complete))]
  if (decisions.length === 0 && since !== undefined)
    return [...gap, `nothing was decided from height ${since} on`].join('\n')
  if (decisions.length === 0 && gap.length === 0) return 'nothing was decided yet: swarm-node council propose --help'
  const rows = decisions.map((decision) => {
    const { proposer, at, signers } = decision
    const what = `${colours.bold(wordsOf(decision))}  (${outcomeWords(decision)})`
    const by = decision.kind === 'conviction' ? 'shown' : 'proposed'
    return `${at}  ${what}\n  ${by} by ${proposer}\n  signed by ${signers.join(' ')}`
  })
  return [...gap, ...rows].join('\n')
}

function gapWords({ from, why }: NonNullable<CouncilLogReport['complete']>): string {
  return why === 'snapshot'
    ? `complete from height ${from} on: this node took over the state below; one that was there has the decisions`
    : `complete from height ${from} on: older decisions made room for these`
}

function describeRows({ section, rows, next }: CouncilShowReport, { columns }: Terminal): string {
  const [first] = rows
  if (first === undefined) return `no ${section}`
  const headings = Object.keys(first)
  const cells = rows.map((row) => headings.map((name) => cellOf(name, row[name as keyof typeof row])))
  const more = next === undefined ? [] : [`more: --after '${next}'`]
  return [
    table(
      headings.map((name) => name.replace(/Ms$/, '').toUpperCase()),
      cells,
      columns,
    ),
    ...more,
  ].join('\n')
}

/** A field as people read it; times of blocks end in `Ms`. */
function cellOf(name: string, value: unknown): string {
  if (typeof value === 'number' && name.endsWith('Ms')) return value === 0 ? 'founding' : new Date(value).toISOString()
  if (typeof value !== 'object' || value === null) return String(value ?? '-')
  if (Array.isArray(value)) return value.join(' ')
  if ('kind' in value) return wordsOf(value as CouncilDecision)
  return (
    Object.entries(value)
      .map(([key, amount]) => `${key}=${amount}`)
      .join(' ') || '-'
  )
}
