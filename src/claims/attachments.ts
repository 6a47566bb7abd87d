import { unreachable } from '../kernel/index.ts'
import type { Agent } from './agent.ts'
import type { Bidder } from './bidder.ts'
import { clamp } from './clamp.ts'
import type { Demand, Groups } from './demand.ts'
import type { Ground } from './ground.ts'
import type { AgentId } from './ids.ts'
import { MESSAGE_TEXT_BYTES_MAX } from './messages.ts'
import type { Roster } from './roster.ts'
import type { Reported, Runs } from './runs.ts'
import { withinBounds } from './submission.ts'
import type { Tenures } from './tenures.ts'
import type { AgentFacts, ClaimsInput } from './types.ts'

export interface AttachmentsParts {
  readonly roster: Roster
  readonly groups: Groups
  readonly runs: Runs
  readonly bidder: Bidder
  readonly tenures: Tenures
  readonly reported: Reported
  /** The agent may take what waits. */
  readonly pull: (agent: Agent) => void
}

/** Agents as they come, change, speak and go; and what the host has for all of them. */
export class Attachments {
  readonly #ground: Ground
  readonly #parts: AttachmentsParts

  constructor(ground: Ground, parts: AttachmentsParts) {
    this.#ground = ground
    this.#parts = parts
  }

  onInput(input: Extract<ClaimsInput, { readonly agent: AgentId }>): void {
    const { runs } = this.#parts
    switch (input.kind) {
      case 'agent-attach':
        this.#attach(input.agent, input.facts)
        return
      case 'agent-update':
        this.#update(input.agent, input.facts)
        return
      case 'agent-detach':
        this.#detach(input.agent)
        return
      case 'agent-silent':
        this.#silence(input.agent)
        return
      case 'agent-heard':
        this.#hear(input.agent)
        return
      case 'agent-lost':
        this.#lose(input.agent, 'connection lost')
        return
      case 'agent-result':
        runs.onAnswer(input.agent, input.task, input.attempt, { kind: 'completed', output: input.output })
        return
      case 'agent-failed':
        runs.onAnswer(input.agent, input.task, input.attempt, { kind: 'failed', error: input.error })
        return
      case 'agent-progress':
        this.#onProgress(input)
        return
      default:
        unreachable(input)
    }
  }

  setCapacity(resources: Readonly<Record<string, number>>): void {
    const { roster, groups, pull } = this.#parts
    const demands: Demand[] = []
    for (const agent of roster.values()) demands.push(...this.#heldOf(agent))
    roster.setHost(resources, demands)
    roster.judgeAll(groups.values())
    for (const agent of roster.values()) pull(agent)
  }

  /** One of its slots has come free: an agent that takes nothing more goes with the last of them. */
  departIfDone(agent: Agent): void {
    if (agent.isLeaving && agent.used === 0) this.#lose(agent.id, 'detached')
  }

  #attach(id: AgentId, facts: AgentFacts): void {
    const { roster, groups, pull } = this.#parts
    if (roster.get(id) !== undefined || roster.size >= this.#ground.params.agentsMax) {
      const reason = roster.get(id) === undefined ? `${roster.size} agents are attached` : 'its id is taken'
      this.#ground.emit({ kind: 'expel', agent: id, reason })
      return
    }
    const agent = roster.attach(id, withinBounds(facts, this.#ground.params), groups.values())
    const { name, skills } = agent.facts
    this.#ground.observe({ kind: 'agent-attached', agent: id, name, skills: skills.map((skill) => skill.name) })
    pull(agent)
  }

  #update(id: AgentId, changes: Partial<AgentFacts>): void {
    const { roster, groups, bidder, pull } = this.#parts
    const agent = roster.get(id)
    if (agent === undefined) return
    const facts = withinBounds({ ...agent.facts, ...changes, name: agent.facts.name }, this.#ground.params)
    roster.update(agent, facts, this.#heldOf(agent), groups.values())
    // CL-12: what was promised was judged by what the agent was; only now, because what comes free is promised again.
    bidder.lose(agent)
    pull(agent)
  }

  #detach(id: AgentId): void {
    const { roster, bidder } = this.#parts
    const agent = roster.get(id)
    if (agent === undefined) return
    roster.leave(agent)
    // What was only promised is not begun any more, nor what was awarded and whose input is still on its way.
    bidder.lose(agent)
    this.departIfDone(agent)
  }

  /** T-14: its leases pass as if they had ended; its slots are its own until it lets go of them (T-7). */
  #silence(id: AgentId): void {
    const { roster, bidder, runs, reported } = this.#parts
    const agent = roster.get(id)
    if (agent === undefined || agent.isSilent) return
    roster.silence(agent, true)
    bidder.lose(agent)
    const lost = [...runs.of(agent)].filter((run) => run.state === 'running')
    this.#ground.observe({ kind: 'agent-silent', agent: id, name: agent.facts.name, running: lost.length })
    for (const run of lost) {
      runs.stop(run, 'lease-ended')
      reported(run, { kind: 'released', reason: 'lease-ended' }, 0)
    }
  }

  #hear(id: AgentId): void {
    const { roster, pull } = this.#parts
    const agent = roster.get(id)
    if (agent === undefined || !agent.isSilent) return
    roster.silence(agent, false)
    this.#ground.observe({ kind: 'agent-heard', agent: id, name: agent.facts.name })
    pull(agent)
  }

  #lose(id: AgentId, reason: string): void {
    const { roster, bidder, runs, reported } = this.#parts
    const agent = roster.get(id)
    if (agent === undefined) return
    roster.remove(agent)
    bidder.lose(agent)
    const lost = runs.lose(agent)
    this.#ground.observe({ kind: 'agent-gone', agent: id, name: agent.facts.name, running: lost.length, reason })
    for (const run of lost) reported(run, { kind: 'released', reason: 'agent-lost' }, 0)
  }

  #onProgress(input: Extract<ClaimsInput, { kind: 'agent-progress' }>): void {
    const run = this.#parts.runs.running(input.agent, input.task, input.attempt)
    if (run === undefined) return
    const { fraction, message, partial } = input
    const isTooLong = partial === undefined || partial.length > this.#ground.params.inlineBytesMax
    const said = {
      fraction: fraction === undefined || !Number.isFinite(fraction) ? undefined : Math.min(1, Math.max(0, fraction)),
      message: message === undefined ? undefined : clamp(message, MESSAGE_TEXT_BYTES_MAX),
      partial: isTooLong ? undefined : partial,
    }
    if (run.coordinator === this.#ground.node) {
      this.#ground.emit({ kind: 'task-progress', task: run.task, attempt: run.token.attempt, ...said })
    } else this.#parts.tenures.progress(run, said)
  }

  /** What the agent's slots are taken for. */
  *#heldOf(agent: Agent): Generator<Demand> {
    const { runs, bidder } = this.#parts
    for (const run of runs.of(agent)) yield run.demand
    for (const promised of bidder.promised()) if (promised.agent === agent) yield promised.group.demand
  }
}
