import type { Groups } from './demand.ts'
import type { Roster } from './roster.ts'
import type { AgentsReport } from './types.ts'

/** What fits a digest. */
const SKILLS_MAX = 64
const RESOURCES_MAX = 16
const LABELS_MAX = 24
const LABEL_VALUES_MAX = 4

interface Skill {
  slotsFree: number
  slotsTotal: number
  proficiencySum: number
  agents: number
  price: number
  queued: number
}

/** All agents of this node together, as others need to know them to choose. O(agents), at most ten times a second. */
export function reportOf(roster: Roster, groups: Groups): AgentsReport {
  const skills = new Map<string, Skill>()
  const labels = new Map<string, Set<string>>()
  for (const agent of roster.values()) {
    if (agent.isLeaving) continue
    for (const { name, proficiency } of agent.facts.skills) {
      const skill = skills.get(name) ?? {
        slotsFree: 0,
        slotsTotal: 0,
        proficiencySum: 0,
        agents: 0,
        price: agent.facts.price,
        queued: 0,
      }
      skill.slotsFree += agent.slotsFree
      skill.slotsTotal += agent.facts.slots
      skill.proficiencySum += proficiency
      skill.agents += 1
      skill.price = Math.min(skill.price, agent.facts.price)
      skills.set(name, skill)
    }
    for (const [name, value] of Object.entries(agent.facts.labels))
      labels.set(name, (labels.get(name) ?? new Set()).add(value))
  }
  for (const group of groups.values()) {
    const waiting = group.ownWaiting + group.foreignWaiting
    if (waiting === 0) continue
    for (const name of group.demand.body.skills) {
      const skill = skills.get(name)
      if (skill !== undefined) skill.queued += waiting
    }
  }
  return {
    skills: [...skills].slice(0, SKILLS_MAX).map(([name, skill]) => ({
      name,
      slotsFree: Math.min(1_000_000, skill.slotsFree),
      slotsTotal: Math.min(1_000_000, skill.slotsTotal),
      proficiencyThousandths: Math.round((1000 * skill.proficiencySum) / skill.agents),
      price: skill.price,
      queued: Math.min(1_000_000, skill.queued),
    })),
    ...resourcesOf(roster),
    labels: Object.fromEntries(
      [...labels].slice(0, LABELS_MAX).map(([name, values]) => [name, [...values].slice(0, LABEL_VALUES_MAX)]),
    ),
    agents: roster.size,
    accepting: !roster.isDraining,
  }
}

/** The most that one agent has, free and on the whole: what matters is whether a task fits somewhere. */
function resourcesOf(roster: Roster): Pick<AgentsReport, 'resources' | 'capacity'> {
  const free = new Map<string, number>()
  const whole = new Map<string, number>()
  for (const agent of roster.values()) {
    if (agent.isLeaving) continue
    for (const [unit, amount] of agent.pool.total) {
      free.set(unit, Math.max(free.get(unit) ?? 0, agent.pool.free(unit)))
      whole.set(unit, Math.max(whole.get(unit) ?? 0, amount))
    }
  }
  for (const [unit, amount] of roster.host.total) {
    free.set(unit, Math.min(free.get(unit) ?? amount, roster.host.free(unit)))
    whole.set(unit, Math.min(whole.get(unit) ?? amount, amount))
  }
  return {
    resources: Object.fromEntries([...free].slice(0, RESOURCES_MAX)),
    capacity: Object.fromEntries([...whole].slice(0, RESOURCES_MAX)),
  }
}
