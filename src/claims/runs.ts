import { after, earliest, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import type { Agent } from './agent.ts'
import type { Alarm } from './alarms.ts'
import { clamp } from './clamp.ts'
import type { Demand } from './demand.ts'
import type { Tracks } from './estimates.ts'
import type { Ground } from './ground.ts'
import type { AgentId, TaskId, Token } from './ids.ts'
import { MESSAGE_TEXT_BYTES_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, type ReleaseReason } from './messages.ts'
import type { Freed, Roster } from './roster.ts'
import { RunTable } from './run-table.ts'
import type { Guarantee, RunOrder, StopReason, TaskError } from './types.ts'

/** How an attempt ended at its executor. */
export type RunOutcome =
  | { readonly kind: 'completed'; readonly output: Uint8Array }
  | { readonly kind: 'failed'; readonly error: TaskError }
  | { readonly kind: 'released'; readonly reason: ReleaseReason }

/** One attempt at one agent of this node. */
export interface Run {
  readonly task: TaskId
  readonly token: Token
  /** Who awarded it: this node or another. */
  readonly coordinator: NodeId
  /** That of the award, to be said again with every word about it (CL-20); 0 for this node's own tasks. */
  readonly seal: number
  readonly agent: Agent
  readonly demand: Demand
  readonly guarantee: Guarantee
  startedAt: Millis
  /** End of the lease, this node's clock and margin included; `NEVER` for this node's own tasks. */
  endsAt: Millis
  /**
   * `arriving`: its slot is taken, and its input on its way; `stopping`: the agent was told to stop and has not let go;
   * `reported`: its outcome waits to be acknowledged.
   */
  state: 'arriving' | 'running' | 'stopping' | 'reported' | 'over'
  timeout: Alarm | undefined
  /** Of its lease's end. */
  lease: Alarm | undefined
}

export interface RunTerms {
  readonly task: TaskId
  readonly token: Token
  readonly coordinator: NodeId
  readonly seal: number
  readonly demand: Demand
  readonly guarantee: Guarantee
  readonly endsAt: Millis
  readonly runTimeoutMs: number
  readonly deadlineMs: number
  readonly trace: string
}

/** Task and token in one text. */
export function attemptKey(task: string, { epoch, attempt }: Token): string {
  return `${task}/${epoch}/${attempt}`
}

export type Reported = (run: Run, outcome: RunOutcome, runMs: number) => void

/** What runs at the agents of this node, whoever coordinates it. A slot is free again when its agent has let go (T-7). */
export class Runs {
  readonly #ground: Ground
  readonly #roster: Roster
  readonly #tracks: Tracks
  readonly #reported: Reported
  readonly #freed: Freed
  readonly #runs = new RunTable()
  readonly #byAgent = new Map<Agent, Set<Run>>()

  constructor(
    ground: Ground,
    parts: { readonly roster: Roster; readonly tracks: Tracks; readonly reported: Reported; readonly freed: Freed },
  ) {
    this.#ground = ground
    this.#roster = parts.roster
    this.#tracks = parts.tracks
    this.#reported = parts.reported
    this.#freed = parts.freed
  }

  get size(): number {
    return this.#runs.size
  }

  values(): Iterable<Run> {
    return this.#runs.values()
  }

  has(task: string, attempt: number): boolean {
    return this.#runs.get(task, attempt) !== undefined
  }

  /** What runs under that token for that coordinator. */
  find(task: string, token: Token, coordinator: NodeId): Run | undefined {
    const run = this.#runs.get(task, token.attempt)
    const isIt = run?.coordinator === coordinator && run.token.epoch === token.epoch && run.state === 'running'
    return isIt ? run : undefined
  }

  of(agent: Agent): Iterable<Run> {
    return this.#byAgent.get(agent) ?? []
  }

  /** The agent's slot is taken already. */
  start(agent: Agent, terms: RunTerms, input: Uint8Array): void {
    this.begin(this.expect(agent, terms), terms, input)
  }

  /** The same, while the input is on its way. */
  expect(agent: Agent, terms: RunTerms): Run {
    const { task, token, coordinator, seal, demand, guarantee, endsAt } = terms
    const run: Run = {
      task,
      token,
      coordinator,
      seal,
      agent,
      demand,
      guarantee,
      startedAt: this.#ground.now,
      endsAt,
      state: 'arriving',
      timeout: undefined,
      lease: undefined,
    }
    this.#runs.set(run)
    const own = this.#byAgent.get(agent)
    if (own === undefined) this.#byAgent.set(agent, new Set([run]))
    else own.add(run)
    return run
  }

  /** The input is there: the agent gets its order. */
  begin(run: Run, terms: RunTerms, input: Uint8Array): void {
    run.state = 'running'
    run.startedAt = this.#ground.now
    this.#watch(run, terms)
    this.#ground.emit({ kind: 'run', agent: run.agent.id, order: this.#orderOf(terms, input) })
  }

  /** The answer of an agent. Whatever it is that it answers to, it has let go of it. */
  onAnswer(id: AgentId, task: string, attempt: number, outcome: RunOutcome): void {
    const run = this.#runs.get(task, attempt)
    const isHeld = run !== undefined && run.state !== 'arriving'
    if (!isHeld || run.agent.id !== id || run.state === 'reported' || run.state === 'over') {
      const reason = !isHeld ? 'not held' : run.agent.id !== id ? 'held by another agent' : 'answered before'
      this.#ignore(id, task, attempt, reason)
      return
    }
    if (run.state === 'stopping') {
      this.#ignore(id, task, attempt, 'told to stop')
      this.forget(run)
      this.#release(run)
      return
    }
    this.#finish(run, judged(outcome))
  }

  /** The run may still go on: for progress. */
  running(id: AgentId, task: string, attempt: number): Run | undefined {
    const run = this.#runs.get(task, attempt)
    return run?.agent.id === id && run.state === 'running' ? run : undefined
  }

  /** Nobody wants the answer any more. The slot stays taken until the agent lets go. */
  stop(run: Run, reason: StopReason): void {
    this.#ground.alarms.cancel(run.timeout)
    if (run.state === 'reported' || run.state === 'over') {
      this.forget(run)
      return
    }
    if (run.state === 'stopping') return
    this.#tracks.find(run.agent.executor, run.demand.skill)?.released()
    if (run.state === 'arriving') {
      // Its agent knows nothing of it.
      run.state = 'over'
      this.forget(run)
      this.#release(run)
      return
    }
    run.state = 'stopping'
    run.agent.stuck += 1
    this.#ground.emit({ kind: 'stop', agent: run.agent.id, task: run.task, attempt: run.token.attempt, reason })
    this.#ground.in(this.#ground.params.stopGraceMs, () => this.#expelIfStuck(run))
  }

  /** The agent is gone: its runs are over, reported ones wait on. */
  lose(agent: Agent): readonly Run[] {
    const lost: Run[] = []
    for (const run of [...(this.#byAgent.get(agent) ?? [])]) {
      if (run.state === 'reported') continue
      const wasRunning = run.state === 'running'
      this.#ground.alarms.cancel(run.timeout)
      this.forget(run)
      this.#letGo(run)
      // Whether it would have succeeded nobody knows: whoever comes under that name may try again.
      this.#tracks.find(agent.executor, run.demand.skill)?.released()
      if (wasRunning) lost.push(run)
    }
    return lost
  }

  /** The outcome is where it belongs. */
  forget(run: Run): void {
    this.#runs.delete(run)
  }

  #watch(run: Run, { runTimeoutMs, deadlineMs }: RunTerms): void {
    const { now } = this.#ground
    const timeoutAt = runTimeoutMs > 0 ? after(now, runTimeoutMs) : NEVER
    const deadlineAt = deadlineMs > 0 ? after(now, deadlineMs) : NEVER
    const at = earliest(timeoutAt, deadlineAt)
    if (at === NEVER) return
    run.timeout = this.#ground.alarms.set(at, () => this.#timeOut(run, deadlineAt <= timeoutAt, runTimeoutMs))
  }

  #timeOut(run: Run, isDeadline: boolean, runTimeoutMs: number): void {
    if (run.state !== 'running') return
    const message = isDeadline ? 'the deadline came while it ran' : `it ran for longer than ${runTimeoutMs} ms`
    this.stop(run, isDeadline ? 'deadline' : 'run-timeout')
    const error: TaskError = { code: 'TIMEOUT', message, retryable: !isDeadline }
    if (!isDeadline) this.#learnFailure(run)
    this.#reported(run, { kind: 'failed', error }, this.#ground.now - run.startedAt)
  }

  #finish(run: Run, outcome: RunOutcome): void {
    const runMs = this.#ground.now - run.startedAt
    this.#ground.alarms.cancel(run.timeout)
    if (outcome.kind === 'completed') this.#learnSuccess(run, runMs)
    else if (outcome.kind === 'failed') this.#learnFailure(run)
    run.state = 'reported'
    this.#letGo(run)
    this.#reported(run, outcome, runMs)
    this.#freed(run.agent)
  }

  #release(run: Run): void {
    this.#letGo(run)
    this.#freed(run.agent)
  }

  #letGo(run: Run): void {
    if (run.state === 'stopping') {
      run.agent.stuck -= 1
      run.state = 'over'
    }
    const own = this.#byAgent.get(run.agent)
    own?.delete(run)
    if (own?.size === 0) this.#byAgent.delete(run.agent)
    this.#roster.give(run.agent, run.demand)
  }

  #learnSuccess(run: Run, runMs: number): void {
    const { executor } = run.agent
    const { skill } = run.demand
    this.#tracks.measured(skill, runMs)
    if (this.#tracks.of(executor, skill).succeeded(runMs, 0)) {
      this.#ground.observe({ kind: 'executor-trusted', executor, skill })
    }
  }

  /** T-12. */
  #learnFailure(run: Run): void {
    const { now, params } = this.#ground
    const { executor } = run.agent
    const { skill } = run.demand
    const track = this.#tracks.of(executor, skill)
    const openMs = track.failed(now, run.demand.excluded.size > 0, params)
    if (openMs === 0) return
    const failures = track.failures
    this.#ground.observe({ kind: 'executor-shunned', executor, skill, failures, forMs: openMs })
    // Whoever is attached under that name by then may try again.
    const { name } = run.agent.facts
    this.#ground.in(openMs, () => {
      for (const agent of this.#roster.values()) if (agent.facts.name === name) this.#freed(agent)
    })
  }

  /** It holds on to everything it was told to stop: its slots are of no use to anybody. */
  #expelIfStuck(run: Run): void {
    const { agent } = run
    if (run.state !== 'stopping' || this.#roster.get(agent.id) !== agent) return
    if (agent.stuck < agent.used || agent.stuck < agent.facts.slots) return
    const reason = `none of its ${agent.facts.slots} slots came free ${this.#ground.params.stopGraceMs} ms after it was told to stop`
    this.#ground.emit({ kind: 'expel', agent: agent.id, reason })
  }

  #ignore(agent: AgentId, task: string, attempt: number, reason: string): void {
    this.#ground.observe({ kind: 'agent-answer-ignored', agent, task, attempt, reason })
  }

  #orderOf({ task, token, demand, runTimeoutMs, deadlineMs, trace }: RunTerms, input: Uint8Array): RunOrder {
    return {
      task,
      attempt: token.attempt,
      skills: demand.body.skills,
      input,
      tenant: demand.body.tenant,
      deadlineMs: deadlineMs > 0 ? deadlineMs : undefined,
      runTimeoutMs: runTimeoutMs > 0 ? runTimeoutMs : undefined,
      leaseMs: this.#ground.params.leaseMs,
      trace: trace === '' ? undefined : trace,
    }
  }
}

/** What an agent says fits what travels, or is the failure that it is. */
function judged(outcome: RunOutcome): RunOutcome {
  if (outcome.kind === 'completed' && outcome.output.length > PAYLOAD_BYTES_MAX) {
    const message = `the output has ${outcome.output.length} bytes, at most ${PAYLOAD_BYTES_MAX} are allowed`
    return { kind: 'failed', error: { code: 'TOO_LARGE', message, retryable: false } }
  }
  if (outcome.kind !== 'failed') return outcome
  const { code, message, retryable } = outcome.error
  const error = {
    code: code === '' ? 'FAILED' : clamp(code, NAME_BYTES_MAX),
    message: clamp(message, MESSAGE_TEXT_BYTES_MAX),
    retryable,
  }
  return { kind: 'failed', error }
}
