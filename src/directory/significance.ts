import type { SkillSummary } from './messages.ts'
import type { OwnReport } from './types.ts'

/**
 * Whether others would choose differently if they knew (D-4): a skill, label or resource comes or goes, the last slot is
 * taken or the first is freed, or a quantity has moved by `share` of its whole. Everything else waits for the heartbeat.
 */
export function isSignificant(before: OwnReport, after: OwnReport, share: number): boolean {
  if (before.accepting !== after.accepting) return true
  if (before.skills.length !== after.skills.length) return true
  if (JSON.stringify(before.labels) !== JSON.stringify(after.labels)) return true
  if (haveResourcesChanged(before.resources, after.resources, share)) return true
  if (Math.abs(before.cpuThousandths - after.cpuThousandths) >= share * 1000) return true
  const known = new Map(before.skills.map((skill) => [skill.name, skill]))
  return after.skills.some((skill) => {
    const old = known.get(skill.name)
    return old === undefined || hasSkillChanged(old, skill, share)
  })
}

function hasSkillChanged(before: SkillSummary, after: SkillSummary, share: number): boolean {
  const slots = Math.max(before.slotsTotal, after.slotsTotal, 1)
  return (
    before.slotsTotal !== after.slotsTotal ||
    before.price !== after.price ||
    (before.slotsFree === 0) !== (after.slotsFree === 0) ||
    Math.abs(before.slotsFree - after.slotsFree) >= share * slots ||
    Math.abs(before.queued - after.queued) >= Math.max(1, share * slots) ||
    Math.abs(before.proficiencyThousandths - after.proficiencyThousandths) >= 50
  )
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
