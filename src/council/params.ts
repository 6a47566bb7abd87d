import { assert } from '../kernel/index.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** Version of the rules and of the snapshot: members that would judge differently must not share a council. */
export const COUNCIL_FORMAT_COUNT = 4

/** Longest name of an organisation, a tenant, a role or an action. */
export const NAME_BYTES_MAX = 64
/** Longest subject of a role or an override: a node, or a word for something else. */
export const SUBJECT_BYTES_MAX = 128
export const PARAMETER_NAME_BYTES_MAX = 48
export const PARAMETER_VALUE_BYTES_MAX = 128
/** A node's id, as the kernel has it. */
export const NODE_BYTES_MAX = 64
/** A membership certificate (identity). */
export const CERTIFICATE_BYTES_MAX = 1024 + 128

export const ORGANISATIONS_MAX = 64
export const AUTHORITIES_PER_ORGANISATION_MAX = 8
/**
 * Keys that spoke for an organisation once. Of more, its own that was withdrawn first is forgotten: unknown, it counts as
 * little. No organisation can make another's be forgotten: together they fit.
 */
export const WITHDRAWN_PER_ORGANISATION_MAX = 64
export const WITHDRAWN_MAX = WITHDRAWN_PER_ORGANISATION_MAX * ORGANISATIONS_MAX
/** Validators that were convicted: as many as consensus remembers. Of more, the one that was convicted first is forgotten. */
export const CONVICTED_MAX = 128
/** Seats in the council, of one organisation or of all; what consensus can hold. */
export const SEATS_MAX = 64
/** Seats unless the genesis says otherwise: more members make a decision slower and little safer. */
export const COUNCIL_SIZE_MAX = 10
/** Validators that one operation takes in or lets go. Three are the step from one fault tolerated to the next. */
export const CHANGES_MAX = 4
/** Nodes that an authority let go, and that the validators do not take in again by themselves. */
export const BARRED_MAX = 1024
/** Revoked nodes; they are never forgotten. Only who may revoke any node fills this. */
export const REVOCATIONS_MAX = 16_384
/** Nodes whose membership their organisation has ended, never forgotten either: each organisation has room of its own. */
export const EXPELLED_PER_ORGANISATION_MAX = 256
export const EXPELLED_MAX = EXPELLED_PER_ORGANISATION_MAX * ORGANISATIONS_MAX
export const TENANTS_MAX = 4096
export const QUOTAS_MAX = 16
/** Weights of tenants: shares are their ratios. */
export const WEIGHT_MIN = 0.001
export const WEIGHT_MAX = 1000
export const QUOTA_MAX = 1e15
/** Nodes and others that have a role anywhere. */
export const ROLE_SUBJECTS_MAX = 4096
export const ROLES_PER_SUBJECT_MAX = 32
/** What a tenant's admins can fill of the table of subjects, and of a subject: room for others is left. */
export const ROLES_PER_TENANT_MAX = 128
export const ROLES_PER_SUBJECT_AT_TENANT_MAX = 8
export const OVERRIDES_MAX = 256
/** An override is for an emergency; whoever needs it longer says so again. */
export const OVERRIDE_TTL_MS_MIN = 1000
export const OVERRIDE_TTL_MS_MAX = 7 * DAY_MS
/** How far clocks may be apart before a certificate is refused for it (identity, A-5). */
export const CLOCK_TOLERANCE_MS = 5 * MINUTE_MS

assert(COUNCIL_SIZE_MAX <= SEATS_MAX, 'a council fits its seats')
assert(32 * ROLES_PER_TENANT_MAX <= ROLE_SUBJECTS_MAX, 'a tenant takes a small share of the roles')
