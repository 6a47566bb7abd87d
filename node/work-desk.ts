import {
  type AgentId,
  type AgentReport,
  type AgentsReport,
  type AttachedAgent,
  type ClaimsAnswer,
  type ClaimsHostEffect,
  type ClaimsHostInput,
  type ClaimsRequest,
  type ClaimsRequestId,
  type ClaimsView,
  type DrainReport,
  JsonText,
  type NodeEvent,
  type ParamsOf,
  type Refusal,
  type Result,
  SwarmError,
} from '../src/index.ts'
import { agentReportOf, executorOf, fittingRows, isoOf, ROWS_DEFAULT, runParamsOf } from './task-records.ts'
import { type AgentLine, Visit } from './visit.ts'

export interface WorkDeskOptions {
  /** What agents and clients say, for the claims. May be called from inside {@link WorkDesk.perform}. */
  tell(input: ClaimsHostInput): void
  /** Why no request is taken now, or none that writes. */
  refusal(writes: boolean): 'OVERLOADED' | 'DISK_FULL' | 'STORE_FAILED' | undefined
  claims(): ClaimsView
  /** Agents at once. */
  readonly agentsMax: number
  wallNow(): number
  /** News for subscribers; nobody need be listening. */
  announce(news: () => NodeEvent): void
}

interface Agent {
  readonly visit: Visit
  readonly attachedAt: number
  /** What it is to do, with the attempt. */
  readonly running: Map<string, number>
  /** Orders that it owes an answer, those that it was told to stop included. */
  unanswered: number
  /** Gone once it has answered for everything. */
  isLeaving: boolean
}

/** Hint to whoever is refused for want of room. */
const RETRY_AFTER_MS = 1_000

const REFUSALS = {
  OVERLOADED: 'the disk of this node is behind; try again a little later, or at another node',
  DISK_FULL: 'the disk of this node is full; make room there, or use another node',
  STORE_FAILED: 'the store of this node has failed and it is stopping; use another node',
} as const

/**
 * Between connections and the claims: hands tasks to agents, gives answers to those who asked, tells of changes. Each
 * connection that works is one {@link Visit}. Makes no decisions of its own.
 */
export class WorkDesk {
  readonly #options: WorkDeskOptions
  readonly #agents = new Map<AgentId, Agent>()
  readonly #open = new Map<ClaimsRequestId, (outcome: Result<ClaimsAnswer, Refusal>) => void>()
  readonly #visits = new Set<Visit>()
  #requests = 0
  #attachments = 0
  /** Who runs it here, by task. */
  readonly #running = new Map<string, AgentId>()
  #isDraining = false
  #idle: (() => void)[] = []

  constructor(options: WorkDeskOptions) {
    this.#options = options
  }

  get agentCount(): number {
    return this.#agents.size
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  visit(line: AgentLine): Visit {
    const visit = new Visit(this, line)
    this.#visits.add(visit)
    return visit
  }

  /** What the claims ask of their host. */
  perform(effect: ClaimsHostEffect): void {
    switch (effect.kind) {
      case 'run':
        this.#run(effect)
        return
      case 'stop':
        this.#stop(effect)
        return
      case 'steer':
        this.#steer(effect)
        return
      case 'expel':
        this.#expel(effect.agent, effect.reason)
        return
      case 'reply': {
        const answer = this.#open.get(effect.request)
        this.#open.delete(effect.request)
        answer?.(effect.outcome)
        return
      }
      case 'task-changed':
        this.#options.announce(() => this.#changeOf(effect))
        return
      case 'task-progress':
        this.#options.announce(() => this.#progressOf(effect))
    }
  }

  /**
   * For visits: a question, and the number under which it can be abandoned.
   *
   * @throws SwarmError OVERLOADED, DISK_FULL, STORE_FAILED when nothing is asked now
   */
  ask(ask: ClaimsRequest, answer: (outcome: Result<ClaimsAnswer, Refusal>) => void): ClaimsRequestId {
    const refusal = this.#options.refusal(ask.kind === 'submit' || ask.kind === 'call')
    if (refusal !== undefined)
      throw new SwarmError(refusal, REFUSALS[refusal], { data: { retryAfterMs: RETRY_AFTER_MS } })
    return this.#put(ask, answer)
  }

  abandon(request: ClaimsRequestId): void {
    if (this.#open.delete(request)) this.tell({ kind: 'abandon', request })
  }

  tell(input: ClaimsHostInput): void {
    this.#options.tell(input)
  }

  /**
   * A name for an agent of that visit.
   *
   * @throws SwarmError SHUTTING_DOWN, OVERLOADED
   */
  attach(visit: Visit): AgentId {
    const { agentsMax } = this.#options
    if (this.#agents.size >= agentsMax) {
      const message = `${agentsMax} agents are attached to this node; attach to another one`
      throw new SwarmError('OVERLOADED', message, { data: { retryAfterMs: RETRY_AFTER_MS } })
    }
    if (this.#isDraining) {
      throw new SwarmError('SHUTTING_DOWN', 'this node drains and takes no agents; attach to another one')
    }
    this.#attachments += 1
    const agent = `a${this.#attachments}` as AgentId
    const attachedAt = this.#options.wallNow()
    this.#agents.set(agent, { visit, attachedAt, running: new Map(), unanswered: 0, isLeaving: false })
    return agent
  }

  /** No more tasks come to it; it is gone with the last of those it has. */
  detach(agent: AgentId): void {
    const attached = this.#agents.get(agent)
    if (attached === undefined) return
    attached.isLeaving = true
    this.tell({ kind: 'agent-detach', agent })
    this.#departIfDone(agent, attached)
  }

  /** The agent has answered for a task, and the claims know. */
  answered(agent: AgentId, task: string, attempt: number): void {
    const attached = this.#agents.get(agent)
    if (attached === undefined) return
    attached.unanswered -= 1
    this.#release(agent, attached, task, attempt)
    this.#departIfDone(agent, attached)
  }

  /** The agent is no more; the claims are told by whoever says so. */
  gone(agent: AgentId): void {
    const attached = this.#agents.get(agent)
    if (attached === undefined) return
    this.#agents.delete(agent)
    for (const [task, attempt] of attached.running) this.#release(agent, attached, task, attempt)
  }

  ended(visit: Visit): void {
    this.#visits.delete(visit)
  }

  agents({ limit = ROWS_DEFAULT, after }: ParamsOf<'node.agents'>): AgentsReport {
    const rows: AgentReport[] = []
    let isPast = after === undefined
    let hasMore = false
    for (const agent of this.#options.claims().agents()) {
      if (!isPast) isPast = agent.agent === after
      else if (rows.length < limit) rows.push(this.#report(agent))
      else {
        hasMore = true
        break
      }
    }
    const agents = fittingRows(rows)
    const last = agents.at(-1)
    const isCut = hasMore || agents.length < rows.length
    return isCut && last !== undefined ? { agents, next: last.agent } : { agents }
  }

  /** Takes nothing new, tells the agents, and waits until what runs has ended, or for so long. */
  async drain(timeoutMs: number): Promise<DrainReport> {
    if (!this.#isDraining) {
      this.#isDraining = true
      this.tell({ kind: 'drain' })
      for (const visit of this.#visits) if (visit.hasAgents) visit.line.notify('drain', { deadlineMs: timeoutMs })
    }
    await within(timeoutMs, this.#settled())
    const { waiting, offered, running } = this.#options.claims().counts
    const here = this.#running.size
    return { drained: here === 0, running: here, open: waiting + offered + running }
  }

  /** Nobody is answered any more by the claims: whoever waits is told so. */
  close(): void {
    const message = 'this node is stopping; ask another one, or this one when it is back'
    const answers = [...this.#open.values()]
    this.#open.clear()
    for (const answer of answers) answer({ ok: false, error: { code: 'SHUTTING_DOWN', message } })
  }

  #put(ask: ClaimsRequest, answer: (outcome: Result<ClaimsAnswer, Refusal>) => void): ClaimsRequestId {
    this.#requests += 1
    const request = this.#requests as ClaimsRequestId
    this.#open.set(request, answer)
    this.tell({ kind: 'request', request, ask })
    return request
  }

  #run({ agent, order }: Extract<ClaimsHostEffect, { kind: 'run' }>): void {
    const attached = this.#agents.get(agent)
    if (attached === undefined) {
      // Its connection has just closed, and the claims hear it twice; or it owed nothing when it said that it goes, because
      // this order waited for the disk, and nobody else would tell them.
      this.tell({ kind: 'agent-lost', agent })
      return
    }
    const { task, attempt } = order
    attached.unanswered += 1
    attached.running.set(task, attempt)
    this.#running.set(task, agent)
    attached.visit.line.run({ agent, task, attempt }, runParamsOf(agent, order))
  }

  /** Nobody waits for it any more, a drain neither; its answer is still owed. */
  #stop({ agent, task, attempt, reason }: Extract<ClaimsHostEffect, { kind: 'stop' }>): void {
    const attached = this.#agents.get(agent)
    if (attached === undefined) return
    attached.visit.line.notify('task.cancel', { task, attempt, reason })
    this.#release(agent, attached, task, attempt)
  }

  /** CL-13: what the agent's connection does not take now is not queued, and whoever asked is told so. */
  #steer({ steering, agent, task, attempt, input }: Extract<ClaimsHostEffect, { kind: 'steer' }>): void {
    const line = this.#agents.get(agent)?.visit.line
    const isTaken = line?.keepsUp === true
    if (isTaken) line.notify('task.steer', { task, attempt, input: new JsonText(input) })
    this.tell({ kind: 'steered', steering, isTaken })
  }

  #expel(agent: AgentId, reason: string): void {
    this.#agents.get(agent)?.visit.line.hangUp(`agent ${agent} is sent away: ${reason}; attach again`)
  }

  #release(agent: AgentId, { running }: Agent, task: string, attempt: number): void {
    // The same agent may have a later attempt by now.
    if (running.get(task) !== attempt) return
    running.delete(task)
    // So may another one.
    if (this.#running.get(task) === agent) this.#running.delete(task)
    if (this.#running.size > 0 || this.#idle.length === 0) return
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }

  /** Nothing runs, and what is owed by then has been answered: answers keep their order, also behind the disk. */
  async #settled(): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    await new Promise<void>((resolve) => void this.#put({ kind: 'list', limit: 1 }, () => resolve()))
  }

  #departIfDone(agent: AgentId, { visit, unanswered, isLeaving }: Agent): void {
    if (!isLeaving || unanswered > 0) return
    this.#agents.delete(agent)
    visit.forget(agent)
  }

  #report(agent: AttachedAgent): AgentReport {
    return agentReportOf(agent, this.#agents.get(agent.agent)?.attachedAt ?? this.#options.wallNow())
  }

  #changeOf({ kind, task, tenant, state, executor }: Extract<ClaimsHostEffect, { kind: 'task-changed' }>): NodeEvent {
    const by = executor === undefined ? {} : { executor: executorOf(executor) }
    return { kind, at: isoOf(this.#options.wallNow()), task, tenant, state, ...by }
  }

  #progressOf(effect: Extract<ClaimsHostEffect, { kind: 'task-progress' }>): NodeEvent {
    const { kind, task, attempt, fraction, message, partial } = effect
    const said = partial === undefined ? {} : { partial: new JsonText(partial) }
    return { kind, at: isoOf(this.#options.wallNow()), task, attempt, fraction, message, ...said }
  }
}

/** Longest time a timer of this runtime can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1

function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.min(timeoutMs, TIMER_MS_MAX))
    void work.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
