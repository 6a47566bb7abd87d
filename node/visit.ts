import {
  type AgentFacts,
  type AgentId,
  type AgentNotice,
  type AgentNotices,
  type AgentOutcome,
  type AttachResult,
  type CancelResult,
  type ClaimsAnswer,
  type ClaimsRequest,
  type ClaimsRequestId,
  HEARTBEATS_MISSED_MAX,
  type HistoryReport,
  type JsonText,
  type Order,
  type ParamsOf,
  type ProgressReport,
  type RunParams,
  type SubmitResult,
  SwarmError,
  type TaskRecord,
  type TasksReport,
  type WhyReport,
} from '../src/index.ts'
import {
  fittingRows,
  historyReportOf,
  KIND_LABEL,
  ROWS_DEFAULT,
  submissionOf,
  taskRecordOf,
  whyReportOf,
} from './task-records.ts'
import type { WorkDesk } from './work-desk.ts'

/** What the desk can say to a connection. Nothing of it calls back at once. */
export interface AgentLine {
  /** It takes what it is sent. */
  readonly keepsUp: boolean
  /** Hands over a task; the answer comes as {@link Visit.onOutcome}. */
  run(order: Order, params: RunParams): void
  notify<N extends AgentNotice>(method: N, params: AgentNotices[N]): void
  /** Closes the connection; {@link Visit.end} follows. */
  hangUp(reason: string): void
}

/** Agents of one connection. */
const AGENTS_MAX = 1024

/** How often connections are looked at that have not said hello, or whose agents promised to be heard of. */
export const LOOK_MS = 1_000

interface Described {
  readonly heartbeatMs: number | undefined
  isSilent: boolean
  labels: Readonly<Record<string, string>>
  kind: ParamsOf<'agent.attach'>['kind']
}

/** What one connection does here: its agents, and what it asks. Ends with the connection. */
export class Visit {
  readonly line: AgentLine
  readonly #desk: WorkDesk
  /** With what each says of itself, of which an update may change a part. */
  readonly #agents = new Map<AgentId, Described>()
  readonly #asked = new Set<ClaimsRequestId>()
  #isOver = false
  /** Agents that promised to be heard of, and those of them that are not. */
  #promisesCount = 0
  #silentCount = 0
  /** Looks since the connection last said something: not a time, because in one in which nobody listened nobody was silent. */
  #quietLooks = 0

  constructor(desk: WorkDesk, line: AgentLine) {
    this.#desk = desk
    this.line = line
  }

  get hasAgents(): boolean {
    return this.#agents.size > 0
  }

  /** @throws SwarmError SHUTTING_DOWN, QUOTA_EXCEEDED */
  attach(params: ParamsOf<'agent.attach'>): AttachResult {
    const { name, skills, slots, resources, labels, price, kind, tenants, heartbeatMs } = params
    if (this.#agents.size >= AGENTS_MAX) {
      throw new SwarmError('QUOTA_EXCEEDED', `a connection has at most ${AGENTS_MAX} agents; open another one`)
    }
    const agent = this.#desk.attach(this)
    const described: Described = { labels: labels ?? {}, kind, heartbeatMs, isSilent: false }
    this.#agents.set(agent, described)
    if (heartbeatMs !== undefined) this.#promisesCount += 1
    const facts: AgentFacts = {
      name,
      skills: skillsOf(skills),
      slots: slots ?? 1,
      resources: resources ?? {},
      labels: labelsOf(described),
      price: price ?? 0,
      tenants,
    }
    this.#desk.tell({ kind: 'agent-attach', agent, facts })
    return { agent }
  }

  /** @throws SwarmError NOT_ATTACHED */
  update(params: ParamsOf<'agent.update'>): Record<string, never> {
    const { agent, skills, slots, resources, labels, price, kind, tenants } = params
    const [id, described] = this.#own(agent)
    if (labels !== undefined) described.labels = labels
    if (kind !== undefined) described.kind = kind
    const facts: Partial<AgentFacts> = {
      ...(skills === undefined ? {} : { skills: skillsOf(skills) }),
      ...(slots === undefined ? {} : { slots }),
      ...(resources === undefined ? {} : { resources }),
      ...(price === undefined ? {} : { price }),
      ...(tenants === undefined ? {} : { tenants }),
      labels: labelsOf(described),
    }
    this.#desk.tell({ kind: 'agent-update', agent: id, facts })
    return {}
  }

  /** No more tasks come; those that run may end. @throws SwarmError NOT_ATTACHED */
  detach({ agent }: ParamsOf<'agent.detach'>): Record<string, never> {
    this.#desk.detach(this.#own(agent)[0])
    return {}
  }

  /** The desk has seen the last of it. */
  forget(agent: AgentId): void {
    const { heartbeatMs, isSilent } = this.#agents.get(agent) ?? {}
    this.#agents.delete(agent)
    if (heartbeatMs !== undefined) this.#promisesCount -= 1
    if (isSilent === true) this.#silentCount -= 1
  }

  /** Whether anybody here promised to be heard of. */
  get isAwaited(): boolean {
    return this.#promisesCount > 0
  }

  /** The connection said something, whatever it was. */
  heard(): void {
    this.#quietLooks = 0
    if (this.#silentCount === 0) return
    this.#silentCount = 0
    for (const [agent, described] of this.#agents) {
      if (!described.isSilent) continue
      described.isSilent = false
      this.#desk.tell({ kind: 'agent-heard', agent })
    }
  }

  /** Called every {@link LOOK_MS}. */
  look(): void {
    // The first look may have come at once after what was heard last.
    const quietMs = this.#quietLooks * LOOK_MS
    this.#quietLooks += 1
    for (const [agent, described] of this.#agents) {
      const { heartbeatMs, isSilent } = described
      if (isSilent || heartbeatMs === undefined || quietMs < heartbeatMs * HEARTBEATS_MISSED_MAX) continue
      described.isSilent = true
      this.#silentCount += 1
      this.#desk.tell({ kind: 'agent-silent', agent })
    }
  }

  onOutcome({ agent, task, attempt }: Order, outcome: AgentOutcome): void {
    const id = agent as AgentId
    if (outcome.kind === 'completed') {
      this.#desk.tell({ kind: 'agent-result', agent: id, task, attempt, output: outcome.output.bytes })
    } else this.#desk.tell({ kind: 'agent-failed', agent: id, task, attempt, error: outcome.error })
    this.#desk.answered(id, task, attempt)
  }

  onProgress({ order, fraction, message, partial }: ProgressReport): void {
    const { task, attempt } = order
    const agent = order.agent as AgentId
    this.#desk.tell({ kind: 'agent-progress', agent, task, attempt, fraction, message, partial: partial?.bytes })
  }

  submit(params: ParamsOf<'task.submit'>): Promise<SubmitResult> {
    const asked = this.#ask({ kind: 'submit', submission: submissionOf(params) }, 'accepted')
    return asked.then(({ task, duplicate }) => ({ task, state: 'accepted', duplicate }))
  }

  call(params: ParamsOf<'task.call'>): Promise<TaskRecord> {
    const { timeoutMs } = params
    const asked = this.#ask({ kind: 'call', submission: submissionOf(params), timeoutMs }, 'report')
    return asked.then(({ report }) => taskRecordOf(report))
  }

  async get({ task }: ParamsOf<'task.get'>): Promise<TaskRecord> {
    return taskRecordOf((await this.#ask({ kind: 'get', task }, 'report')).report)
  }

  async wait({ task, timeoutMs }: ParamsOf<'task.wait'>): Promise<TaskRecord> {
    return taskRecordOf((await this.#ask({ kind: 'wait', task, timeoutMs }, 'report')).report)
  }

  async cancel({ task, reason = '' }: ParamsOf<'task.cancel'>): Promise<CancelResult> {
    const { state } = await this.#ask({ kind: 'cancel', task, reason }, 'cancelled')
    return { state }
  }

  async steer({ task, input }: ParamsOf<'task.steer'>): Promise<Record<string, never>> {
    // The session has cut it out of the line (I-12).
    await this.#ask({ kind: 'steer', task, input: (input as JsonText).bytes }, 'steered')
    return {}
  }

  async why({ task }: ParamsOf<'task.why'>): Promise<WhyReport> {
    return whyReportOf(await this.#ask({ kind: 'why', task }, 'why'))
  }

  async history({ task }: ParamsOf<'task.history'>): Promise<HistoryReport> {
    return historyReportOf(await this.#ask({ kind: 'history', task }, 'history'))
  }

  async list({ limit = ROWS_DEFAULT, ...rest }: ParamsOf<'task.list'>): Promise<TasksReport> {
    const { tasks: reports, next } = await this.#ask({ kind: 'list', limit, ...rest }, 'list')
    const rows = reports.map(taskRecordOf)
    const tasks = fittingRows(rows)
    const last = tasks.length < rows.length ? tasks.at(-1)?.task : next
    return last === undefined ? { tasks } : { tasks, next: last }
  }

  /** The connection is gone: its agents are lost, and nobody waits for its answers. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#desk.ended(this)
    this.loseAgents()
    for (const request of this.#asked) this.#desk.abandon(request)
    this.#asked.clear()
  }

  /** They answer no more: what they have is offered again. */
  loseAgents(): void {
    for (const agent of this.#agents.keys()) {
      this.#desk.gone(agent)
      this.#desk.tell({ kind: 'agent-lost', agent })
    }
    this.#agents.clear()
    this.#promisesCount = 0
    this.#silentCount = 0
  }

  /** @throws SwarmError with the code of the refusal */
  #ask<K extends ClaimsAnswer['kind']>(
    ask: ClaimsRequest,
    kind: K,
  ): Promise<Extract<ClaimsAnswer, { readonly kind: K }>> {
    return new Promise((resolve, reject) => {
      let request: ClaimsRequestId | undefined
      let isOpen = true
      const asked = this.#desk.ask(ask, (outcome) => {
        isOpen = false
        if (request !== undefined) this.#asked.delete(request)
        if (!outcome.ok) {
          const { code, message, data = {} } = outcome.error
          reject(new SwarmError(code, message, { data }))
        } else if (outcome.value.kind === kind) {
          resolve(outcome.value as Extract<ClaimsAnswer, { readonly kind: K }>)
        } else
          reject(new SwarmError('INTERNAL', `the answer to ${ask.kind} was ${outcome.value.kind}; please report it`))
      })
      if (!isOpen) return
      request = asked
      this.#asked.add(asked)
    })
  }

  #own(agent: string): readonly [AgentId, Described] {
    const described = this.#agents.get(agent as AgentId)
    if (described !== undefined) return [agent as AgentId, described]
    const message = `this connection has no agent ${JSON.stringify(agent)}; attach it first with agent.attach`
    throw new SwarmError('NOT_ATTACHED', message)
  }
}

function labelsOf({ labels, kind }: Described): Readonly<Record<string, string>> {
  return kind === undefined ? labels : { ...labels, [KIND_LABEL]: kind }
}

function skillsOf(skills: ParamsOf<'agent.attach'>['skills']): AgentFacts['skills'] {
  return skills.map(({ name, proficiency = 1 }) => ({ name, proficiency }))
}
