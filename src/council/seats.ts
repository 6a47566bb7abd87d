import { faultsTolerated, type NodeId, type OrgId } from '../kernel/index.ts'

/** Validators with their organisations: a council as it is, or as it would be. */
export type Seating = ReadonlyMap<NodeId, OrgId>

/** How many validators each organisation has. */
export function sharesOf(seating: Seating): ReadonlyMap<OrgId, number> {
  const shares = new Map<OrgId, number>()
  for (const org of seating.values()) shares.set(org, (shares.get(org) ?? 0) + 1)
  return shares
}

/** Whether no organisation could break agreement if all its validators lied: each has at most f (GV-6). */
export function isBalanced(seating: Seating): boolean {
  const f = seating.size === 0 ? 0 : faultsTolerated(seating.size)
  return [...sharesOf(seating).values()].every((share) => share <= f)
}

/**
 * GV-6: the most validators that one of several organisations may have come to have in a council of n: f, or where not all
 * can keep to that (few organisations, or fewer than four members), as few as the largest must have.
 */
export function shareMax(memberCount: number, organisationCount: number): number {
  if (organisationCount <= 1) return memberCount
  return Math.max(faultsTolerated(memberCount), Math.ceil(memberCount / organisationCount))
}

/** Why a council may not change like this; undefined if it may. `seatsMax`: the organisations' own caps. */
export function faultOfSeating(before: Seating, after: Seating, seatsMax: (org: OrgId) => number): string | undefined {
  const [had, has] = [sharesOf(before), sharesOf(after)]
  const max = shareMax(after.size, has.size)
  for (const [org, share] of has) {
    if (share <= (had.get(org) ?? 0)) continue
    if (share > seatsMax(org)) return `${org} has a cap of ${seatsMax(org)} seats: raise it with 'council propose org'`
    if (share > max) {
      return `${org} would have ${share} of ${after.size} validators, where no organisation of ${has.size} may have more than ${max}`
    }
  }
  if (!isBalanced(before) || isBalanced(after)) return undefined
  const f = faultsTolerated(after.size)
  return `an organisation would have more than ${f} of ${after.size} validators, so that it alone could break agreement; take in and let go several in one operation`
}
