import {
  type AgentReport,
  type AttachedAgent,
  type ClaimsAnswer,
  type ClaimsReport,
  type HistoryReport,
  JsonText,
  type ParamsOf,
  type PlacementReport,
  type RunOrder,
  type RunParams,
  type Submission,
  type TaskRecord,
  type WhyReason,
  type WhyReport,
} from '../src/index.ts'

/*
 * Between the words of the socket (spec/interfaces.md) and those of the claims: times, defaults, and payloads, which are
 * opaque bytes inside and JSON outside.
 */

const PRIORITY_DEFAULT = 5
const TENANT_DEFAULT = 'default'
const NO_INPUT = JsonText.of(null)

/** A submission in which everything is decided. */
export function submissionOf(params: ParamsOf<'task.submit'>): Submission {
  const { skill, skills, input, priority, tenant, guarantee, durable, resources, require, prefer, objective } = params
  const { key, deadlineMs, queueTimeoutMs, runTimeoutMs, retries, budget, trace } = params
  return {
    skills: skills ?? (skill === undefined ? [] : [skill]),
    input: payloadOf(input).bytes,
    tenant: tenant ?? TENANT_DEFAULT,
    priority: priority ?? PRIORITY_DEFAULT,
    guarantee: guarantee ?? 'exactly-once',
    durable: durable ?? true,
    resources: resources ?? {},
    require: require ?? [],
    prefer: prefer ?? [],
    objective: objective === undefined ? undefined : objectiveOf(objective),
    key,
    deadlineMs,
    queueTimeoutMs,
    runTimeoutMs,
    retries,
    budget,
    trace,
  }
}

/** What is not named does not count. */
function objectiveOf(given: NonNullable<ParamsOf<'task.submit'>['objective']>): NonNullable<Submission['objective']> {
  const { throughput = 0, latency = 0, quality = 0, cost = 0 } = given
  return { throughput, latency, quality, cost }
}

function payloadOf(input: unknown): JsonText {
  if (input instanceof JsonText) return input
  return input === undefined ? NO_INPUT : JsonText.of(input)
}

export function runParamsOf(agent: string, order: RunOrder): RunParams {
  const { task, attempt, skills, input, tenant, deadlineMs, runTimeoutMs, leaseMs, trace } = order
  return {
    agent,
    task,
    attempt,
    skill: skills[0] ?? '',
    ...(skills.length > 1 ? { skills } : {}),
    input: new JsonText(input),
    tenant,
    ...(deadlineMs === undefined ? {} : { deadlineMs: Math.ceil(deadlineMs) }),
    ...(runTimeoutMs === undefined ? {} : { runTimeoutMs }),
    leaseMs,
    ...(trace === undefined ? {} : { trace }),
  }
}

/** Without `output` when the task has none, or when it is not asked for. */
export function taskRecordOf(report: ClaimsReport): TaskRecord {
  const { task, tenant, skills, state, priority, attempts, startedAt, endedAt, coordinator, executor } = report
  const { output, error, guarantee, executions, executionsUncertain } = report
  return {
    task,
    tenant,
    skill: skills[0] ?? '',
    ...(skills.length > 1 ? { skills } : {}),
    state,
    priority,
    attempts,
    submittedAt: isoOf(report.submittedAt),
    ...(startedAt === undefined ? {} : { startedAt: isoOf(startedAt) }),
    ...(endedAt === undefined ? {} : { endedAt: isoOf(endedAt) }),
    coordinator,
    ...(executor === undefined ? {} : { executor: executorOf(executor) }),
    ...(output === undefined ? {} : { output: new JsonText(output) }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    guarantee,
    executions,
    ...(executionsUncertain ? { executionsUncertain } : {}),
  }
}

export function executorOf({ node, agent }: { readonly node: string; readonly agent: string }): {
  readonly node: string
  readonly agent?: string
} {
  return agent === '' ? { node } : { node, agent }
}

type Answer<K extends ClaimsAnswer['kind']> = Extract<ClaimsAnswer, { readonly kind: K }>

export function whyReportOf({ state, reasons, placement }: Answer<'why'>): WhyReport {
  return {
    state,
    reasons: reasons.map(({ code, message, data }) => ({ ...factsOf(data), code, message })),
    ...(placement === undefined ? {} : { placement: placementOf(placement) }),
  }
}

/** Names, which stay texts even when they look like numbers. */
const NAMES = new Set(['node', 'agent', 'skills'])

function factsOf(data: Readonly<Record<string, string>>): Omit<WhyReason, 'code' | 'message'> {
  const facts = Object.entries(data).map(([name, text]): [string, string | number] => {
    return [name, !NAMES.has(name) && /^\d{1,15}$/.test(text) ? Number(text) : text]
  })
  return Object.fromEntries(facts)
}

function placementOf({
  kind,
  node,
  agent,
  candidates,
  bids,
}: NonNullable<Answer<'why'>['placement']>): PlacementReport {
  return { kind, ...executorOf({ node, agent }), candidates, bids }
}

export function historyReportOf({ entries }: Answer<'history'>): HistoryReport {
  return {
    entries: entries.map(({ at, kind, node, agent, attempt, text }) => ({
      at: isoOf(at),
      kind,
      ...(node === '' ? {} : { node }),
      ...(agent === '' ? {} : { agent }),
      ...(attempt === 0 ? {} : { attempt }),
      ...(text === '' ? {} : { text }),
    })),
  }
}

/** The label in which an agent's kind travels, so that expressions can name it. */
export const KIND_LABEL = 'kind'

export function agentReportOf({ agent, facts, slotsUsed, slotsStuck }: AttachedAgent, attachedAt: number): AgentReport {
  const { name, skills, slots, resources, labels, price, tenants } = facts
  const { [KIND_LABEL]: kind, ...others } = labels
  return {
    agent,
    name,
    kind: (kind ?? 'specialised') as AgentReport['kind'],
    skills,
    slots,
    running: slotsUsed,
    stuck: slotsStuck,
    resources,
    labels: others,
    price,
    ...(tenants === undefined ? {} : { tenants }),
    attachedAt: isoOf(attachedAt),
  }
}

/** Rows of a list unless told otherwise. */
export const ROWS_DEFAULT = 100
/** Characters of the rows of one answer: what is around them, and letters of up to three bytes, still fit a line. */
const ROWS_CHARS_MAX = 300 * 1024

/** ISO 8601 UTC with milliseconds. Most times asked for lie in the same second: its text is kept. */
export function isoOf(wallMs: number): string {
  // Some times are a peer's word.
  const within = Math.min(TIME_MS_MAX, Math.max(0, wallMs))
  const ms = within % 1000
  const second = within - ms
  if (second !== isoSecond.at) {
    isoSecond.at = second
    isoSecond.text = new Date(second).toISOString().slice(0, -4)
  }
  return `${isoSecond.text}${String(Math.floor(ms)).padStart(3, '0')}Z`
}

/** The last time that there is a date for, to the second. */
const TIME_MS_MAX = 8_640_000_000_000_000 - 1_000

const isoSecond = { at: Number.NaN, text: '' }

/** As many of the rows, from the first, as fit an answer; at least one. */
export function fittingRows<T>(rows: readonly T[]): readonly T[] {
  let chars = 0
  for (const [i, row] of rows.entries()) {
    chars += JSON.stringify(row).length
    if (chars > ROWS_CHARS_MAX && i > 0) return rows.slice(0, i)
  }
  return rows
}
