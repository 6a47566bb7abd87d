import { after, type Millis } from '../kernel/index.ts'
import type { MembershipView } from '../membership/index.ts'

/** How many times `admitAfterMs` a swarm that keeps growing may put an admission off. */
const GROWTH_PATIENCE = 6

/**
 * Whether members that could be taken in since `dueSince` are to wait no longer (RC-5, CU-5): each admission makes links
 * and votes for everyone who has a seat, and in a swarm that grows the next one is near.
 */
export function isGrown(now: Millis, dueSince: Millis, membership: MembershipView, admitAfterMs: number): boolean {
  if (now >= after(dueSince, GROWTH_PATIENCE * admitAfterMs)) return true
  const { node: self } = membership.self()
  return [...membership.members()].every(({ node, state, since }) => {
    return node === self || state !== 'alive' || now - since >= admitAfterMs
  })
}
