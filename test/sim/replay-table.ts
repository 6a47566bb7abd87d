import { commandArguments } from '../support/arguments.ts'
import { omniscientWaitsMs } from './omniscient.ts'
import { type Replay, replay } from './replay.ts'
import { total } from './traffic.ts'
import { arrivals, SWARMPLUS_SETS, type SwarmplusSet, spread, swarmplus, type Workload } from './workloads.ts'

export const REPLAYS = ['swarmplus', 'arrivals', 'spread'] as const

/** Lines of a help text. */
export const REPLAY_HELP = `  ${'swarmplus'.padEnd(12)} SWARM+'s jobs on its fleet (--set ${SWARMPLUS_SETS.join('|')}, --service flat|wall|none, --slots N)
  ${'arrivals'.padEnd(12)} a day of an LLM service (--count N, --compress TIMES)
  ${'spread'.padEnd(12)} tasks where nobody has their skill (--nodes N, --rate PER_SECOND, --count N)
  ${''.padEnd(12)} these three: --seed S, --wan, --kill NODES, --json`

const NUMBERS = ['slots', 'nodes', 'rate', 'count', 'compress', 'kill'] as const

/** `npm run sim -- swarmplus|arrivals|spread …`: prints one table. Returns the exit code. */
export function runReplay(name: string, args: readonly string[]): number {
  const { values } = commandArguments({
    args: [...args],
    options: {
      set: { type: 'string', default: 'mesh-10-100' },
      service: { type: 'string', default: 'flat' },
      slots: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '60' },
      rate: { type: 'string', default: '100' },
      count: { type: 'string' },
      compress: { type: 'string', default: '1' },
      kill: { type: 'string', default: '0' },
      wan: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    console.log(REPLAY_HELP)
    return 0
  }
  const wrong = NUMBERS.find((name) => values[name] !== undefined && !(Number(values[name]) >= 0))
  if (wrong !== undefined) {
    console.error(`--${wrong} wants a number: ${values[wrong]}`)
    return 2
  }
  const { seed } = values
  const count = values.count === undefined ? undefined : Number(values.count)
  let workload: Workload
  if (name === 'swarmplus') {
    if (!SWARMPLUS_SETS.includes(values.set as SwarmplusSet)) {
      console.error(`there is no set ${values.set}: ${SWARMPLUS_SETS.join(', ')}`)
      return 2
    }
    const service = values.service === 'wall' || values.service === 'none' ? values.service : 'flat'
    workload = swarmplus({ set: values.set as SwarmplusSet, slots: Number(values.slots), service, seed })
  } else if (name === 'arrivals') {
    workload = arrivals({ compress: Number(values.compress), count: count ?? Number.POSITIVE_INFINITY, seed })
  } else {
    workload = spread({ nodes: Number(values.nodes), perSecond: Number(values.rate), count: count ?? 3_000, seed })
  }
  const startedAt = performance.now()
  const result = replay({ workload, seed, latency: values.wan ? 'wan' : 'lan', kill: Number(values.kill) })
  const figures = figuresOf(result)
  if (values.json) console.log(JSON.stringify({ workload: workload.name, ...figures }))
  else console.log(tableOf(workload, result, figures, performance.now() - startedAt))
  return result.violations.length > 0 || figures.completed < figures.jobs ? 1 : 0
}

export interface Spread {
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

interface Figures {
  readonly jobs: number
  readonly completed: number
  readonly jobsPerSecond: number
  readonly executedTwice: number
  /** Submission to its coordinator's decision, and to the agent's receipt: milliseconds. */
  readonly selectionMs: Spread
  readonly schedulingMs: Spread
  readonly messagesPerTask: { readonly negotiation: number; readonly gossip: number; readonly all: number }
}

function figuresOf({ logs, messages, idlePerSecond, spanMs }: Replay): Figures {
  const seconds = spanMs / 1000
  const perTask = (isCounted: (kind: string) => boolean): number => total(messages, isCounted) / logs.length
  const idle = (isCounted: (kind: string) => boolean): number =>
    (total(idlePerSecond, isCounted) * seconds) / logs.length
  const negotiation = perTask(isClaims)
  return {
    jobs: logs.length,
    completed: logs.filter(({ state }) => state === 'completed').length,
    jobsPerSecond: logs.length / seconds,
    executedTwice: logs.filter(({ work }) => work.executions.length > 1).length,
    selectionMs: spreadOf(logs.map(({ submittedAt, selectedAt }) => between(submittedAt, selectedAt))),
    schedulingMs: spreadOf(logs.map(({ submittedAt, startedAt }) => between(submittedAt, startedAt))),
    messagesPerTask: {
      negotiation,
      gossip: Math.max(0, perTask(isHint) - idle(isHint)),
      all: perTask(() => true),
    },
  }
}

function isClaims(kind: string): boolean {
  return kind.startsWith('claims.')
}

function isHint(kind: string): boolean {
  return kind.startsWith('directory.')
}

function between(from: number | undefined, to: number | undefined): number {
  return from === undefined || to === undefined ? Number.NaN : to - from
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  const mean = sorted.reduce((sum, value) => sum + value, 0) / Math.max(1, sorted.length)
  return { mean, p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

function tableOf(workload: Workload, result: Replay, figures: Figures, tookMs: number): string {
  const { messages, idlePerSecond, spanMs, logs } = result
  const { selectionMs, schedulingMs, messagesPerTask: perTask } = figures
  const kinds = [...messages].sort(([, a], [, b]) => b - a).filter(([, count]) => count > 0)
  const lines = kinds.map(([kind, count]) => {
    const idle = ((idlePerSecond.get(kind) ?? 0) * spanMs) / 1000
    return `  ${kind.padEnd(26)} ${(count / logs.length).toFixed(2).padStart(8)}  ${(idle / logs.length).toFixed(2).padStart(8)}`
  })
  return [
    workload.name,
    ...workload.notes.map((note) => `  ${note}`),
    '',
    `completed                 ${((100 * figures.completed) / figures.jobs).toFixed(1)}% of ${figures.jobs}, ${figures.jobsPerSecond.toFixed(1)} a second; executed twice: ${figures.executedTwice}`,
    `selection (award), ms     ${textOf(selectionMs)}`,
    `scheduling (agent), ms    ${textOf(schedulingMs)}`,
    `  if all were known, ms    ${textOf(spreadOf(omniscientWaitsMs(workload)))}`,
    `messages per task         ${(perTask.negotiation + perTask.gossip).toFixed(1)}: ${perTask.negotiation.toFixed(1)} of its own, ${perTask.gossip.toFixed(1)} its share of gossip (what an idle swarm sends is not a task's: with it ${perTask.all.toFixed(1)})`,
    ...result.violations.map(({ clause, text }) => `VIOLATED                  ${clause}: ${text}`),
    '',
    '  kind                       per task  if idle',
    ...lines,
    '',
    `${(spanMs / 1000).toFixed(1)} s of virtual time in ${(tookMs / 1000).toFixed(1)} s`,
  ].join('\n')
}

export function textOf({ mean, p50, p95, p99 }: Spread): string {
  return `mean ${mean.toFixed(1)}  p50 ${p50.toFixed(1)}  p95 ${p95.toFixed(1)}  p99 ${p99.toFixed(1)}`
}
