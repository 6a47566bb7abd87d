import { stripVTControlCharacters } from 'node:util'
import type { AgentReport, NodeEvent, NodeStatus, TaskRecord, TaskState } from '../../src/index.ts'
import { visibleDocument } from '../visible-text.ts'
import { type Column, free, table } from './table.ts'
import { paintState } from './task-words.ts'
import type { Terminal } from './terminal.ts'
import { formatSeconds } from './values.ts'

/** `swarm-node top --json`. */
export interface Snapshot {
  readonly status: NodeStatus
  readonly agents: readonly AgentReport[]
  /** Those that run or wait. */
  readonly tasks: readonly TaskRecord[]
}

export interface TopView {
  readonly snapshot: Snapshot
  /** What just ended, latest first. */
  readonly recent: readonly NodeEvent[]
  /** Tasks that ended, lately; undefined while that is not known. */
  readonly perSecond: number | undefined
}

/** Rows of the head, the headings and the gaps between them. */
const FIXED_ROWS = 12
const PART_ROWS_MIN = 3

const BAR_CELLS = 10

export function topText({ snapshot, recent, perSecond }: TopView, terminal: Terminal): string {
  const { status, agents, tasks } = snapshot
  const { colours, columns, rows } = terminal
  const partRows = Math.max(PART_ROWS_MIN, Math.floor((rows - FIXED_ROWS) / 3))
  const counts = Object.entries(status.tasks).filter(([, count]) => count > 0)
  const ended = recent.map((event) => [
    event.at,
    paintState(String(event.state) as TaskState, colours),
    String(event.task),
    executorText(event.executor),
  ])
  return [
    `${colours.bold(status.node)}  ${status.state}  up ${formatSeconds(status.uptimeSeconds)}`,
    [
      `memory ${Math.round(status.memoryBytes / 1024 / 1024)} MiB`,
      `lag ${status.eventLoopLagMs.toFixed(1)} ms`,
      `agents ${status.agents}`,
      ...counts.map(([state, count]) => `${state} ${count}`),
      ...(perSecond === undefined ? [] : [`${perSecond.toFixed(1)} tasks/s`]),
    ].join('  '),
    ...part('AGENTS', agents, partRows, agentRow, ['AGENT', free('NAME'), free('SKILLS'), 'BUSY', 'RUNNING'], columns),
    ...part('TASKS', tasks, partRows, taskRow, ['TASK', 'STATE', free('SKILL'), 'PRIORITY', 'ATTEMPT'], columns),
    ...part('JUST ENDED', ended, partRows, (row) => row, ['AT', 'STATE', 'TASK', free('RUN BY')], columns),
  ].join('\n')

  function agentRow({ agent, name, skills, running, slots }: AgentReport): readonly string[] {
    // More run than there are slots when it has said that it has fewer now.
    const filled = Math.min(BAR_CELLS, Math.round((running / slots) * BAR_CELLS))
    const bar = `${colours.green('█'.repeat(filled))}${colours.dim('░'.repeat(BAR_CELLS - filled))}`
    return [agent, name, skills.map((skill) => skill.name).join(','), bar, `${running}/${slots}`]
  }

  function taskRow({ task, state, skill, priority, attempts }: TaskRecord): readonly string[] {
    return [task, paintState(state, colours), skill, String(priority), String(attempts)]
  }
}

function part<T>(
  name: string,
  items: readonly T[],
  rowsMax: number,
  rowOf: (item: T) => readonly string[],
  headings: readonly Column[],
  columns: number,
): readonly string[] {
  if (items.length === 0) return ['', `${name}: none`]
  const more = items.length > rowsMax ? [`… ${items.length - rowsMax} more`] : []
  return ['', name, table(headings, items.slice(0, rowsMax).map(rowOf), columns), ...more]
}

function executorText(executor: unknown): string {
  if (typeof executor !== 'object' || executor === null) return '-'
  const { node = '', agent = '' } = executor as { readonly node?: string; readonly agent?: string }
  return agent === '' ? node : `${agent} at ${node}`
}

/** Another screen, without a cursor, while the view is open; then what was there before. */
const OPEN = '\u001b[?1049h\u001b[?25l'
const CLOSE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const CLEAR_LINE_END = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** A line that wraps would push the others down. Its colours go with what is cut. */
function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line)
  return plain.length <= columns ? line : `${plain.slice(0, columns - 1)}…`
}

/** Draws the view again and again in the same place. */
export class Screen {
  readonly #terminal: Terminal
  readonly #stream: Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows'>
  #recent: readonly NodeEvent[] = []
  #before: { readonly ended: number; readonly at: number } | undefined

  constructor(terminal: Terminal, stream: Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows'>) {
    this.#terminal = terminal
    this.#stream = stream
  }

  open(): void {
    this.#stream.write(OPEN)
  }

  close(): void {
    this.#stream.write(CLOSE)
  }

  note(event: NodeEvent, recentMax: number): void {
    this.#recent = [event, ...this.#recent].slice(0, recentMax)
  }

  draw(snapshot: Snapshot): void {
    const { columns, rows } = this.#stream
    const terminal = {
      ...this.#terminal,
      columns: columns ?? this.#terminal.columns,
      rows: rows ?? this.#terminal.rows,
    }
    const view = { snapshot, recent: this.#recent, perSecond: this.#rate(snapshot.status) }
    const text = topText(visibleDocument(view), terminal)
    const shown = text.split('\n').slice(0, terminal.rows - 1)
    const lines = [...shown.map((line) => cut(line, terminal.columns)), this.#terminal.colours.dim('q ends this')]
    this.#stream.write(`${HOME}${lines.join(`${CLEAR_LINE_END}\n`)}${CLEAR_LINE_END}${CLEAR_BELOW}`)
  }

  #rate({ tasks }: NodeStatus): number | undefined {
    const at = performance.now()
    const ended = ['completed', 'failed', 'cancelled', 'dead-lettered']
      .map((state) => tasks[state] ?? 0)
      .reduce((sum, count) => sum + count, 0)
    const before = this.#before
    this.#before = { ended, at }
    return before === undefined ? undefined : Math.max(0, ((ended - before.ended) * 1000) / (at - before.at))
  }
}
