import type { SkillSummary } from './messages.ts'
import type { OwnReport } from './types.ts'

/**
 * What a change is to others (D-4). `means`: what the node can do at all, which decides whether it is asked. `load`: how
 * busy it is, which only makes it more or less likely to be asked, and which its bid will say exactly.
 */
export type Change = 'means' | 'load' | 'none'

/** A quantity of the load matters once it has moved by `share` of its whole, and so do the last free slot and the first. */
export function changeOf(before: OwnReport, after: OwnReport, share: number): Change {
  if (haveMeansChanged(before, after)) return 'means'
  return hasLoadChanged(before, after, share) ? 'load' : 'none'
}

function haveMeansChanged(before: OwnReport, after: OwnReport): boolean {
  if (before.accepting !== after.accepting) return true
  if (JSON.stringify(before.labels) !== JSON.stringify(after.labels)) return true
  if (JSON.stringify(before.capacity) !== JSON.stringify(after.capacity)) return true
  return compareSkills(before, after, hasSkillChanged)
}

function hasSkillChanged(before: SkillSummary, after: SkillSummary): boolean {
  return (
    before.slotsTotal !== after.slotsTotal ||
    before.price !== after.price ||
    Math.abs(before.proficiencyThousandths - after.proficiencyThousandths) >= 50
  )
}

function hasLoadChanged(before: OwnReport, after: OwnReport, share: number): boolean {
  if (Math.abs(before.cpuThousandths - after.cpuThousandths) >= share * 1000) return true
  if (haveResourcesChanged(before.resources, after.resources, share)) return true
  return compareSkills(before, after, (old, now) => {
    const slots = Math.max(old.slotsTotal, 1)
    return (
      (old.slotsFree === 0) !== (now.slotsFree === 0) ||
      Math.abs(old.slotsFree - now.slotsFree) >= share * slots ||
      Math.abs(old.queued - now.queued) >= Math.max(1, share * slots)
    )
  })
}

function compareSkills(
  before: OwnReport,
  after: OwnReport,
  hasChanged: (before: SkillSummary, after: SkillSummary) => boolean,
): boolean {
  if (before.skills.length !== after.skills.length) return true
  const known = new Map(before.skills.map((skill) => [skill.name, skill]))
  return after.skills.some((skill) => {
    const old = known.get(skill.name)
    return old === undefined || hasChanged(old, skill)
  })
}

type Amounts = Readonly<Record<string, number>>

function haveResourcesChanged(before: Amounts, after: Amounts, share: number): boolean {
  const names = Object.keys(after)
  if (names.length !== Object.keys(before).length) return true
  return names.some((name) => {
    const old = before[name]
    const now = after[name] ?? 0
    return old === undefined || Math.abs(old - now) >= share * Math.max(Math.abs(old), Math.abs(now), Number.EPSILON)
  })
}
