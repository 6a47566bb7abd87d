import { startOf } from './chronicle.ts'
import { clamp } from './clamp.ts'
import type { Group } from './demand.ts'
import type { Tracks } from './estimates.ts'
import type { Ground } from './ground.ts'
import { type HistoryRow, type PlacementBody, REASON_BYTES_MAX, type ReasonRow } from './messages.ts'
import type { Lane, Tenant } from './queue.ts'
import type { Roster } from './roster.ts'
import type { Rounds } from './rounds.ts'
import type { Task } from './task.ts'

/** Lanes and entries looked at for a position; beyond them it is "more than". */
const POSITION_MAX = 10_000

/** The true reasons why a task waits, or why it ran where it ran (TSK-8). */
export class Why {
  readonly #ground: Ground
  readonly #roster: Roster
  readonly #rounds: Rounds
  readonly #tracks: Tracks

  constructor(ground: Ground, parts: { readonly roster: Roster; readonly rounds: Rounds; readonly tracks: Tracks }) {
    this.#ground = ground
    this.#roster = parts.roster
    this.#rounds = parts.rounds
    this.#tracks = parts.tracks
  }

  explain(task: Task): { readonly reasons: readonly ReasonRow[]; readonly placement: PlacementBody | undefined } {
    const { placement } = task
    const named = placement === undefined ? undefined : { ...placement, agent: task.executor?.agent ?? placement.agent }
    return { reasons: this.#reasons(task), placement: named }
  }

  /** Of each attempt when it began, as far as that is known, and what became of it. */
  history(task: Task): readonly HistoryRow[] {
    const { submission, begunAt, endedAt, attempt, claim, error, history = [] } = task
    const { node, agent } = claim ?? task.executor ?? { node: '', agent: '' }
    const rows = [row(submission.submittedAt, 'submitted', '', '', 0, ''), ...history]
    if (begunAt !== undefined) rows.push(startOf(begunAt, { node, agent, attempt }))
    const last = history.at(-1)
    // What fails for good fails with its last attempt, which is told already.
    const isTold = task.state === 'failed' && last?.kind === 'failed' && last.at === endedAt
    if (endedAt !== undefined && !isTold) {
      const text = error === undefined ? '' : `${error.code}: ${error.message}`.slice(0, 300).toWellFormed()
      rows.push(row(endedAt, task.state, node, agent, attempt, text))
    }
    return rows.sort((a, b) => a.at - b.at).slice(-128)
  }

  #reasons(task: Task): readonly ReasonRow[] {
    if (task.hasEnded) {
      const { error } = task
      if (error === undefined) return [reason('COMPLETED', 'it is done', {})]
      return [reason(error.code, error.message.slice(0, 300).toWellFormed(), {})]
    }
    const { claim } = task
    if (claim !== undefined) {
      const where = claim.agent === '' ? claim.node : `${claim.agent} at ${claim.node}`
      if (claim.isStarted)
        return [
          reason('RUNNING', `it runs at ${where}, attempt ${task.attempt}`, { node: claim.node, agent: claim.agent }),
        ]
      return [reason('AWARDED', `it was awarded to ${claim.node}, which has not answered yet`, { node: claim.node })]
    }
    if (task.pause === 'recovery') {
      return [
        reason(
          'RECOVERING',
          'its coordinator was restarted and asks executors whether one of them still holds it, or waits until their leases have ended',
          {},
        ),
      ]
    }
    if (task.pause === 'retry') {
      const inMs = Math.max(0, Math.round((task.retryAlarm?.at ?? this.#ground.now) - this.#ground.now))
      return [
        reason('BACKING_OFF', `attempt ${task.attempt} did not succeed, the next one begins in ${inMs} ms`, {
          inMs: String(inMs),
        }),
      ]
    }
    return this.#waits(task)
  }

  #waits(task: Task): readonly ReasonRow[] {
    const { group } = task
    const reasons: ReasonRow[] = []
    const canHere = this.#roster.couldServe(group)
    if (canHere) reasons.push(this.#busy(task))
    else reasons.push(...this.#missingHere(group))
    reasons.push(...this.#peers(group, canHere))
    if (this.#roster.isDraining)
      reasons.push(reason('DRAINING', 'this node drains: its own agents take nothing new', {}))
    return reasons
  }

  #busy(task: Task): ReasonRow {
    const { group } = task
    let slots = 0
    let free = 0
    for (const cls of this.#roster.classesWith(group.demand.body.skills[0])) {
      if (!cls.serves.has(group)) continue
      for (const agent of cls.members) {
        slots += agent.facts.slots
        free += agent.slotsFree
      }
    }
    const position = this.#position(task)
    const runMs = this.#tracks.skillMs(group.demand.skill)
    const expectedMs = Math.round((runMs * position) / Math.max(1, slots))
    const data = { slots: String(slots), position: String(position), expectedMs: String(expectedMs) }
    if (free > 0) {
      return reason(
        'SHORT_OF_RESOURCES',
        `${free} of ${slots} slots here are free, but not what it needs of resources, or their agents fail such tasks now; position ${position}, expected in ${seconds(expectedMs)}`,
        data,
      )
    }
    return reason(
      'ALL_SLOTS_BUSY',
      `all ${slots} slots here are busy, position ${position}, expected in ${seconds(expectedMs)}`,
      data,
    )
  }

  #missingHere(group: Group): readonly ReasonRow[] {
    const { body } = group.demand
    switch (this.#roster.obstacle(group)) {
      case 'skill':
        return [
          reason('NO_AGENT_HERE', `no agent at this node has ${body.skills.join(' and ')}`, {
            skills: body.skills.join(','),
          }),
        ]
      case 'resources':
        return [
          reason(
            'RESOURCES_EXCEED_HERE',
            `no agent at this node has as much of ${Object.keys(body.resources).join(', ')}`,
            {},
          ),
        ]
      case 'constraint':
        return [
          reason(
            'CONSTRAINT_EXCLUDES_HERE',
            `${clamp(body.require.join(' and '), 500)} excludes this node and its agents`,
            {},
          ),
        ]
      case 'tenant':
        return [reason('TENANT_EXCLUDED_HERE', `no agent at this node serves tenant ${body.tenant}`, {})]
      case undefined:
        return [reason('EXECUTORS_EXCLUDED', 'those at this node that could do it have failed it, or are too dear', {})]
    }
  }

  #peers(group: Group, canHere: boolean): readonly ReasonRow[] {
    const { asked, holding, silent } = this.#rounds.describe(group)
    if (holding > 0)
      return [reason('RESERVED', `${holding} busy peers keep a place for it`, { holding: String(holding) })]
    if (asked > 0) {
      const late = silent === 0 ? '' : `; late, and still awaited: ${silent}`
      const data = { asked: String(asked), silent: String(silent) }
      return [reason('OFFERED', `peers asked for bids: ${asked}${late}`, data)]
    }
    const { lastSearch, lastDeclines } = group
    if (lastSearch === undefined) return []
    const reasons = lastDeclines.slice(0, 8).map((text) => reason('DECLINED', text.slice(0, 300).toWellFormed(), {}))
    if (lastSearch.eligible > 0) return [...reasons, this.#search(group)]
    const obstacles = Object.entries(lastSearch.obstacles).filter(([, count]) => count > 0)
    const others = obstacles.reduce((sum, [, count]) => sum + count, 0)
    const { body } = group.demand
    if (others === 0) return [...reasons, reason('NO_PEERS', 'no other node is known', {})]
    const allLack = (lastSearch.obstacles.skill ?? 0) === others
    // What an agent here has is known in the swarm, though it cannot do this task.
    if (allLack && !canHere && this.#roster.obstacle(group) === 'skill') {
      return [
        reason('NO_AGENT_HAS_SKILL', `no agent in the swarm is known to have ${body.skills.join(' and ')}`, {
          nodes: String(others),
        }),
      ]
    }
    const words = obstacles.map(([word, count]) => `${count} by ${word}`).join(', ')
    const data = Object.fromEntries(obstacles.map(([word, count]) => [word, String(count)]))
    return [...reasons, reason('NO_PEER_FITS', `none of ${others} other nodes can do it: excluded ${words}`, data)]
  }

  /** Some peers could do it, and none is asked now. */
  #search(group: Group): ReasonRow {
    const { restAlarm, lastSearch } = group
    const peers = String(lastSearch?.eligible ?? 0)
    if (restAlarm !== undefined) {
      const inMs = Math.max(0, Math.round(restAlarm.at - this.#ground.now))
      return reason(
        'PEERS_DECLINED',
        `${peers} peers could do it and did not want it now, they are asked again in ${inMs} ms`,
        { peers },
      )
    }
    return reason(
      group.quest.kind === 'needy' ? 'PEERS_NEXT' : 'PEERS_IDLE',
      `${peers} peers could do it and are to be asked`,
      { peers },
    )
  }

  /**
   * Its place in the line for the agents here, 1 being next: behind all of higher classes and what of its tenant came
   * before it, and of other tenants as many as get their turn meanwhile. All of those may not fit the agents that it fits.
   */
  #position(task: Task): number {
    const { lane } = task
    if (lane === undefined) return 1
    const others = new Map<Tenant, number>()
    let higher = 0
    let own = 1
    for (let entry = task.previous; entry !== undefined && own < POSITION_MAX; entry = entry.previous) own += 1
    for (const each of lanesBeside(lane)) {
      if (each === lane || each.priority < lane.priority) continue
      if (each.priority > lane.priority) higher += each.size
      else if (each.tenant !== lane.tenant) others.set(each.tenant, (others.get(each.tenant) ?? 0) + each.size)
      else own += each.before(task.sequence, POSITION_MAX - own)
    }
    let position = higher + own
    for (const [{ weight }, waiting] of others)
      position += Math.min(waiting, Math.ceil((own * weight) / lane.tenant.weight))
    return position
  }
}

/** All lanes that some agent of those who can serve this one may be given instead. */
function lanesBeside(lane: Lane): ReadonlySet<Lane> {
  const found = new Set<Lane>()
  for (const selector of lane.selectors) {
    for (const each of selector.lanes()) if (each.size > 0 && found.size < POSITION_MAX) found.add(each)
  }
  return found
}

function reason(code: string, message: string, data: Readonly<Record<string, string>>): ReasonRow {
  return { code, message: clamp(message, REASON_BYTES_MAX), data }
}

function row(at: number, kind: string, node: string, agent: string, attempt: number, text: string): HistoryRow {
  return { at, kind, node, agent, attempt, text }
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`
}
