export { Membership } from './core.ts'
export { judgeWith } from './judge.ts'
export {
  MEMBERSHIP_BODIES,
  type MemberEntry,
  type MembershipMessage,
  type MembershipRecord,
  membershipRecord,
  presenceBody,
  type Rumour,
} from './messages.ts'
export { checkMembershipParams, MEMBERSHIP_PROFILES, type MembershipParams } from './params.ts'
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
