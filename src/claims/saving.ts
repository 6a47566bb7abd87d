import type { Millis } from '../kernel/index.ts'
import type { Agent } from './agent.ts'
import type { Alarm } from './alarms.ts'
import type { Demand, Group } from './demand.ts'
import type { Pool } from './pool.ts'
import type { Entry, Lane } from './queue.ts'

/**
 * T-11: room that is saved up at one agent, and at the host, for the oldest of those that waited long and want more than
 * is free at once. Small tasks that come without end would take each bit of it that comes free.
 */
export class Saving {
  readonly agent: Agent
  readonly lane: Lane
  readonly group: Group
  readonly until: Millis
  readonly alarm: Alarm
  readonly #entry: Entry | undefined
  readonly #cls: Agent['cls']

  constructor(agent: Agent, lane: Lane, until: Millis, alarm: Alarm) {
    this.agent = agent
    this.lane = lane
    // The groups of lanes are what the queue does not look into.
    this.group = lane.group as Group
    this.until = until
    this.alarm = alarm
    this.#entry = lane.head
    this.#cls = agent.cls
  }

  /** Whether it goes on: the one that it is for still waits, and the agent is what it was. */
  isFor(now: Millis): boolean {
    const { agent, lane, group, until } = this
    if (now >= until || lane.head === undefined || lane.head !== this.#entry) return false
    return !agent.isLeaving && !agent.isSilent && agent.cls === this.#cls && agent.cls.serves.has(group)
  }

  /** Whether somebody else's task leaves what is saved where it is. */
  spares(agent: Agent, host: Pool, demand: Demand): boolean {
    for (const [unit, amount] of demand.resources) {
      const wanted = this.group.demand.body.resources[unit] ?? 0
      if (amount === 0 || wanted === 0) continue
      if (agent === this.agent && agent.pool.has(unit) && agent.pool.free(unit) - amount < wanted) return false
      if (host.has(unit) && host.free(unit) - amount < wanted) return false
    }
    return true
  }
}
