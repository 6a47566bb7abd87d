import type { TraceRequest } from './trace.ts'

/** What the demonstration takes from a task's record. */
export interface Ending {
  readonly state: string
  readonly attempts: number
  /** How many times it is known to have been started. */
  readonly executions: number
  readonly submittedAt: string
  readonly startedAt?: string | undefined
  readonly executor?: { readonly node: string; readonly agent?: string } | undefined
  readonly output?: unknown
}

/** One request, from its submission to what the swarm says of it in the end. */
export interface Served {
  readonly request: TraceRequest
  readonly task: string
  /** From the submission until its answer was here. */
  readonly responseMs: number
  /** The record that came with the answer. */
  readonly answer: Ending
  /** The record that its coordinator gives at the very end: the same result, if it was accepted once. */
  readonly final: Ending
}

/** Milliseconds below which half, 95 and 99 of a hundred lie. */
export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface Share {
  readonly name: string
  readonly count: number
}

export interface Tally {
  readonly submitted: number
  readonly completed: number
  /** Submitted and not completed: must be none. */
  readonly lost: number
  /** Completed with two results: must be none. */
  readonly acceptedTwice: number
  /** Carried to their end by two agents, by the agents' own books: allowed, for results are accepted once, but counted. */
  readonly doubleExecutions: number
  readonly retries: number
  readonly awardMs: Percentiles
  readonly responseMs: Percentiles
  readonly byNode: readonly Share[]
  readonly byAgent: readonly Share[]
}

/**
 * Counts what became of `submitted` requests. `finished` names a task as often as an agent brought it to its end, by the
 * books that the agents keep themselves.
 */
export function tallyOf(submitted: number, served: readonly Served[], finished: readonly string[]): Tally {
  const completed = served.filter(({ final }) => final.state === 'completed')
  return {
    submitted,
    completed: completed.length,
    lost: submitted - completed.length,
    acceptedTwice: completed.filter(({ answer, final }) => !sameOutput(answer, final)).length,
    doubleExecutions: finished.length - new Set(finished).size,
    retries: served.reduce((sum, { final }) => sum + Math.max(0, final.attempts - 1), 0),
    awardMs: percentilesOf(completed.flatMap(({ final }) => awardMs(final))),
    responseMs: percentilesOf(completed.map(({ responseMs }) => responseMs)),
    byNode: sharesOf(completed.flatMap(({ final }) => final.executor?.node ?? [])),
    byAgent: sharesOf(completed.flatMap(({ final }) => final.executor?.agent ?? [])),
  }
}

/** Every execution writes its own stamp into its output, so two accepted results would differ. */
function sameOutput(one: Ending, other: Ending): boolean {
  return JSON.stringify(one.output) === JSON.stringify(other.output)
}

/** From acceptance until an agent had it, by the coordinator's clock. */
function awardMs({ submittedAt, startedAt }: Ending): readonly number[] {
  return startedAt === undefined ? [] : [Date.parse(startedAt) - Date.parse(submittedAt)]
}

/** Nearest rank; zeros of nothing. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

/** How often each name stands there, by name. */
function sharesOf(names: readonly string[]): readonly Share[] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => (a.name < b.name ? -1 : 1))
}
