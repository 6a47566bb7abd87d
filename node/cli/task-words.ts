import type {
  AgentReport,
  HistoryReport,
  JsonText,
  PlacementReport,
  TaskRecord,
  TaskState,
  WhyReport,
} from '../../src/index.ts'
import type { Context } from './command.ts'
import { free, table } from './table.ts'
import type { Colours, Terminal } from './terminal.ts'
import { formatSeconds } from './values.ts'

/** Tasks and agents in words for people; payloads are as the socket has them (`exactPayloads`). */

/** Narrow enough for 80 columns: `PRI` is the priority, `TRY` counts attempts. */
const TASK_COLUMNS = ['TASK', 'STATE', free('SKILL'), free('TENANT'), 'PRI', 'TRY']

const AGENT_COLUMNS = ['AGENT', free('NAME'), 'KIND', free('SKILLS'), 'RUNNING', free('RESOURCES'), 'PRICE']

export function describeTask(record: TaskRecord, { colours }: Terminal): string {
  const { task, state, tenant, priority, attempts, executions, guarantee, executor, coordinator, error } = record
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['task', colours.bold(task)],
    ['state', paintState(state, colours)],
    ['skill', skillsOf(record)],
    ['tenant', `${tenant}, priority ${priority}`],
    ['attempts', `${attempts}, begun ${executions}${record.executionsUncertain ? ' or more' : ''}`],
    ['guarantee', guarantee],
    ['submitted', record.submittedAt],
    ['started', record.startedAt],
    ['ended', record.endedAt],
    ['kept by', coordinator],
    ['run by', executor === undefined ? undefined : placeOf(executor)],
    ['error', error === undefined ? undefined : `${error.message} [${error.code}]`],
    ['output', (record.output as JsonText | undefined)?.text],
  ]
  return rows
    .flatMap(([name, value]) => (value === undefined ? [] : [`${colours.dim(name.padEnd(10))} ${value}`]))
    .join('\n')
}

export function describeTasks(tasks: readonly TaskRecord[], { colours, columns }: Terminal, wallNowMs: number): string {
  if (tasks.length === 0) return 'no such tasks are kept by this node'
  const rows = tasks.map((task) => [
    task.task,
    paintState(task.state, colours),
    skillsOf(task),
    task.tenant,
    String(task.priority),
    String(task.attempts),
    timeOf(task.submittedAt, columns, wallNowMs),
    task.executor?.agent ?? task.executor?.node ?? '-',
  ])
  return table([...TASK_COLUMNS, timeHeading('SUBMITTED', columns), free('RUN BY')], rows, columns)
}

export function describeWhy({ state, reasons, placement }: WhyReport, terminal: Terminal): string {
  const { colours } = terminal
  const said = reasons.map(({ code, message }) => `  ${message} ${colours.dim(`[${code}]`)}`)
  const placed = placement === undefined ? [] : ['', ...placementLines(placement, terminal)]
  return [paintState(state, colours), ...said, ...placed].join('\n')
}

const PLACED: Readonly<Record<PlacementReport['kind'], string>> = {
  local: 'an idle agent of the node that keeps it',
  round: 'the best bid of its round',
  claim: 'the first of those that kept a place for it to have it free',
}

function placementLines(placement: PlacementReport, { columns }: Terminal): readonly string[] {
  const { kind, candidates, bids } = placement
  const head = `placed at ${placeOf(placement)}: ${PLACED[kind]}`
  if (bids.length === 0) return [head]
  const rows = bids.map(({ node, score, runMs, waitMs, price, answer }) => [
    node,
    answer,
    score.toFixed(3),
    `${Math.round(runMs)} ms`,
    `${Math.round(waitMs)} ms`,
    String(price),
  ])
  const count = `${candidates} ${candidates === 1 ? 'node' : 'nodes'} could do it`
  return [`${head}; ${count}`, table(['NODE', 'ANSWER', 'SCORE', 'RUN', 'WAIT', 'PRICE'], rows, columns)]
}

export function describeHistory({ entries }: HistoryReport, { colours }: Terminal): string {
  return entries
    .map(({ at, kind, node, agent, attempt, text }) => {
      const where = node === undefined ? [] : [`at ${placeOf({ node, ...(agent === undefined ? {} : { agent }) })}`]
      const which = attempt === undefined ? [] : [`attempt ${attempt}`]
      return [colours.dim(at), colours.cyan(kind), ...which, ...where, ...(text === undefined ? [] : [text])].join(' ')
    })
    .join('\n')
}

export function describeAgents(
  agents: readonly AgentReport[],
  { terminal: { columns }, sameDaemon }: Pick<Context, 'terminal' | 'sameDaemon'>,
  wallNowMs: number,
): string {
  if (agents.length === 0) {
    return `no agents are attached to this node\nto attach a command: swarm-node agent${sameDaemon} --skill shout -- tr a-z A-Z`
  }
  const rows = agents.map((agent) => [
    agent.agent,
    agent.name,
    agent.kind,
    agent.skills.map(({ name, proficiency }) => (proficiency === 1 ? name : `${name}=${proficiency}`)).join(','),
    `${agent.running}/${agent.slots}${agent.stuck > 0 ? ` (${agent.stuck} stuck)` : ''}`,
    Object.entries(agent.resources)
      .map(([unit, amount]) => `${unit}=${amount}`)
      .join(',') || '-',
    String(agent.price),
    timeOf(agent.attachedAt, columns, wallNowMs),
  ])
  return table([...AGENT_COLUMNS, timeHeading('SINCE', columns)], rows, columns)
}

export function paintState(state: TaskState, colours: Colours): string {
  if (state === 'completed') return colours.green(state)
  if (state === 'failed' || state === 'dead-lettered') return colours.red(state)
  if (state === 'cancelled') return colours.dim(state)
  return state === 'running' ? colours.cyan(state) : colours.yellow(state)
}

/** On a terminal how long ago, in one unit, which is short; for a program, when. */
function timeOf(at: string, columns: number, wallNowMs: number): string {
  if (!Number.isFinite(columns)) return at
  return formatSeconds(Math.max(0, wallNowMs - Date.parse(at)) / 1000).replace(/ .*/, '')
}

function timeHeading(heading: string, columns: number): string {
  return Number.isFinite(columns) ? 'AGE' : heading
}

function skillsOf({ skill, skills }: TaskRecord): string {
  return skills === undefined ? skill : skills.join('+')
}

function placeOf({ node, agent }: { readonly node: string; readonly agent?: string }): string {
  return agent === undefined ? node : `${agent} at ${node}`
}
