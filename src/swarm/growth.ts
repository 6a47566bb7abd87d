import { after, type Millis } from '../kernel/index.ts'
import type { MembershipView } from '../membership/index.ts'

/**
 * How many times `admitAfterMs` a swarm that keeps growing may put an admission off: the more members, the longer it takes
 * to start them all, and the more it costs all of them that some are taken in meanwhile.
 */
const GROWTH_PATIENCE_MIN = 6
const GROWTH_PATIENCE_PER_MEMBER = 1 / 2
const GROWTH_PATIENCE_MAX = 60

/**
 * Whether members that could be taken in since `dueSince` are to wait no longer (RC-5, CU-5): each admission makes links
 * and votes for everyone who has a seat, and in a swarm that grows the next one is near.
 */
export function isGrown(now: Millis, dueSince: Millis, membership: MembershipView, admitAfterMs: number): boolean {
  const patience = Math.max(GROWTH_PATIENCE_MIN, GROWTH_PATIENCE_PER_MEMBER * membership.upCount)
  if (now >= after(dueSince, Math.min(patience, GROWTH_PATIENCE_MAX) * admitAfterMs)) return true
  const { node: self } = membership.self()
  return [...membership.members()].every(({ node, state, since }) => {
    return node === self || state !== 'alive' || now - since >= admitAfterMs
  })
}
