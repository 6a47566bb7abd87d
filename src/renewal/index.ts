export { Renewal } from './core.ts'
export { REFUSALS, RENEWAL_BODIES, type Refused, type RenewalMessage } from './messages.ts'
export { checkRenewalParams, DUE_SHARE_MAX, ISSUER_LABEL, RENEWAL_PARAMS, type RenewalParams } from './params.ts'
export type {
  IssueRequest,
  RenewalCore,
  RenewalEffect,
  RenewalInput,
  RenewalMember,
  RenewalObservation,
  RenewalOptions,
  RenewalView,
} from './types.ts'
