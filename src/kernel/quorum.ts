import { assert } from './assert.ts'

/** How many of `memberCount` members may be Byzantine: the largest f with 3f + 1 ≤ n. */
export function faultsTolerated(memberCount: number): number {
  assert(Number.isInteger(memberCount) && memberCount >= 1, 'a group has at least one member', { memberCount })
  return Math.floor((memberCount - 1) / 3)
}

/**
 * q = ⌈(n + f + 1) / 2⌉: any two quorums share at least f + 1 members, so at least one correct one; and n - f members
 * suffice to form one, so f silent members cannot stop the group.
 */
export function quorum(memberCount: number): number {
  return Math.ceil((memberCount + faultsTolerated(memberCount) + 1) / 2)
}

/** More than half: enough where members crash but do not lie. */
export function majority(memberCount: number): number {
  assert(Number.isInteger(memberCount) && memberCount >= 1, 'a group has at least one member', { memberCount })
  return Math.floor(memberCount / 2) + 1
}
