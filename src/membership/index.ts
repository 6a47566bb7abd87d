export { Membership } from './core.ts'
export { judgeWith } from './judge.ts'
export {
  MEMBERSHIP_BODIES,
  type MemberEntry,
  type MembershipMessage,
  type MembershipRecord,
  memberEntry,
  membershipRecord,
  presenceBody,
  type Rumour,
} from './messages.ts'
export { checkMembershipParams, MEMBERSHIP_PROFILES, type MembershipParams, PAUSE_TOLERATED_MS } from './params.ts'
export type {
  Judge,
  Judged,
  Member,
  MemberFacts,
  MemberState,
  MembershipCore,
  MembershipEffect,
  MembershipEvent,
  MembershipInput,
  MembershipObservation,
  MembershipOptions,
  MembershipView,
} from './types.ts'
