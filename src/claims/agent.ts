import type { Alarm } from './alarms.ts'
import type { Group } from './demand.ts'
import type { AgentId } from './ids.ts'
import { Pool } from './pool.ts'
import type { QueueParams } from './queue.ts'
import { Selector } from './queue.ts'
import type { AgentFacts, AttributesOf, ClaimsOptions } from './types.ts'

/** `maybe`: it depends on the single agent, by name or price. */
export type Verdict = 'yes' | 'maybe' | 'no'

export type Obstacle = 'skill' | 'tenant' | 'resources' | 'constraint'

/** One attachment of one agent. */
export class Agent {
  readonly id: AgentId
  facts: AgentFacts
  cls: AgentClass
  pool: Pool
  /** Slots in use: running, stopping, or promised to a coordinator. */
  used = 0
  /** Of those, how many by tasks it was told to stop. */
  stuck = 0
  /** Takes no new tasks. */
  isLeaving = false
  /** Does not say what it promised to say: takes no new tasks until it does. */
  isSilent = false
  /** Under what name its outcomes are remembered. */
  readonly executor: string
  /** Its place among the idle of its class; -1 when it has no free slot. */
  idleAt = -1

  constructor(id: AgentId, facts: AgentFacts, cls: AgentClass) {
    this.executor = `${cls.selfFacts.node}/${facts.name}`
    this.id = id
    this.facts = facts
    this.cls = cls
    this.pool = new Pool(facts.resources)
  }

  get slotsFree(): number {
    return this.isLeaving || this.isSilent ? 0 : Math.max(0, this.facts.slots - this.used)
  }

  proficiency(skills: readonly string[]): number {
    let least = 1
    for (const skill of this.facts.skills) if (skills.includes(skill.name)) least = Math.min(least, skill.proficiency)
    return least
  }
}

/**
 * Agents that no constraint can tell apart (but for their name and price): what is matched against demands, so that the
 * cost of matching does not grow with the number of agents.
 */
export class AgentClass {
  readonly key: string
  readonly facts: AgentFacts
  readonly selector: Selector
  /** The groups it can serve. */
  readonly serves = new Map<Group, Verdict>()
  /** Agents with a free slot, in no order. */
  readonly idle: Agent[] = []
  readonly members = new Set<Agent>()
  /** Idle agents that have not looked at all that waits, and when one of them goes on. */
  readonly looking = new Set<Agent>()
  lookAlarm: Alarm | undefined
  readonly #skills: ReadonlySet<string>
  readonly #self: ClaimsOptions['self'] & { readonly node: string }
  readonly #pool: Pool

  constructor(key: string, facts: AgentFacts, self: AgentClass['selfFacts'], params: QueueParams) {
    this.key = key
    this.facts = facts
    this.selector = new Selector(params)
    this.#skills = new Set(facts.skills.map(({ name }) => name))
    this.#self = self
    this.#pool = new Pool(facts.resources)
  }

  get selfFacts(): ClaimsOptions['self'] & { readonly node: string } {
    return this.#self
  }

  hasSkill(skill: string): boolean {
    return this.#skills.has(skill)
  }

  /** What speaks against it, as far as the class tells. Exact: unlike a digest it hides nothing (T-8). */
  obstacle(group: Group, couldHold: (pool: Pool) => boolean): Obstacle | undefined {
    const { demand } = group
    for (const skill of demand.body.skills) if (!this.#skills.has(skill)) return 'skill'
    if (this.facts.tenants?.includes(demand.body.tenant) === false) return 'tenant'
    if (!couldHold(this.#pool)) return 'resources'
    const attributes = this.attributes('unknown')
    return demand.require.some((condition) => condition.holds(attributes) === false) ? 'constraint' : undefined
  }

  judge(group: Group, couldHold: (pool: Pool) => boolean): Verdict {
    if (this.obstacle(group, couldHold) !== undefined) return 'no'
    const attributes = this.attributes('unknown')
    const isCertain = group.demand.require.every((condition) => condition.holds(attributes) === true)
    return isCertain ? 'yes' : 'maybe'
  }

  /** Labels, built-ins and resources under one roof. What the node says overrules its agents, as in the directory. */
  attributes(agent: string | 'unknown'): AttributesOf {
    const { node, org, region, zone, labels } = this.#self
    return (name) => {
      switch (name) {
        case 'node':
          return [node]
        case 'org':
          return present(org)
        case 'region':
          return present(region)
        case 'zone':
          return present(zone)
        case 'agent':
          return agent === 'unknown' ? 'unknown' : [agent]
      }
      if (Object.hasOwn(labels, name)) return [labels[name] as string]
      if (Object.hasOwn(this.facts.labels, name)) return [this.facts.labels[name] as string]
      const amount = this.#pool.total.get(name)
      return amount === undefined ? [] : [String(amount)]
    }
  }
}

function present(text: string): readonly string[] {
  return text === '' ? [] : [text]
}

/** Equal for agents that no constraint can tell apart. */
export function classKeyOf(facts: AgentFacts): string {
  const sorted = (record: Readonly<Record<string, unknown>>): unknown =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([
    facts.skills.map(({ name }) => name).sort(),
    sorted(facts.resources),
    sorted(facts.labels),
    facts.tenants === undefined ? null : [...facts.tenants].sort(),
  ])
}
