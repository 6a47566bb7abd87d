import { isNodeId } from '../kernel/index.ts'
import { type Bench, full, isName, isSubject, type Judgement, refuse, valid } from './judgement.ts'
import type { ActOf } from './operations.ts'
import {
  QUOTA_MAX,
  ROLES_PER_SUBJECT_AT_TENANT_MAX,
  ROLES_PER_SUBJECT_MAX,
  ROLES_PER_TENANT_MAX,
  WEIGHT_MAX,
  WEIGHT_MIN,
} from './params.ts'
import { EVERY_TENANT } from './rights.ts'
import type { CouncilState, Grant } from './state.ts'

export function judgeTenant({ name, weight, quotas }: ActOf<'tenant'>, { state }: Bench): Judgement {
  if (!isName(name)) return refuse('BAD_REQUEST', `'${name}' is no name for a tenant: letters, digits, dots, dashes`)
  if (weight < WEIGHT_MIN || weight > WEIGHT_MAX) {
    return refuse('BAD_REQUEST', `a weight is a number from ${WEIGHT_MIN} to ${WEIGHT_MAX}, not ${weight}`)
  }
  for (const [resource, quota] of Object.entries(quotas)) {
    if (!isName(resource)) return refuse('BAD_REQUEST', `'${resource}' is no name of a resource`)
    // -0 is another encoding of 0.
    if (quota >= 0 && quota <= QUOTA_MAX && !Object.is(quota, -0)) continue
    return refuse('BAD_REQUEST', `the quota of ${resource} is a number from 0 to ${QUOTA_MAX}, not ${quota}`)
  }
  const known = state.tenants.get(name)
  if (known !== undefined && known.weight === weight && sameQuotas(known.quotas, quotas)) {
    return refuse('ALREADY_SO', `tenant ${name} has this weight and these quotas`)
  }
  if (known === undefined && state.tenants.full) return full('tenants', state.tenants.rowsMax)
  return valid(() => state.tenants.set(name, { weight, quotas, revision: state.revision }))
}

function sameQuotas(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
}

export function judgeRole(act: ActOf<'role'>, { state, ports }: Bench): Judgement {
  const { tenant, subject, role, withdraw } = act
  if (!isSubject(subject)) return refuse('BAD_REQUEST', 'a subject is a node id or another word without spaces')
  if (!isName(role)) return refuse('BAD_REQUEST', `'${role}' is no name for a role`)
  if (tenant !== EVERY_TENANT && !state.tenants.has(tenant)) {
    return refuse(
      'NOT_FOUND',
      `there is no tenant ${tenant}: make it with 'council propose tenant', or say '*' for all`,
    )
  }
  if (isNodeId(subject) && ports.isKey(subject) && state.revocations.has(subject)) {
    return refuse('BAD_REQUEST', `${subject} is revoked`)
  }
  const grants = state.roles.get(subject)?.grants ?? []
  const granted = grantOf(act, state)
  const others = grants.filter((grant) => grant !== granted)
  if (withdraw) {
    if (granted === undefined) return refuse('NOT_FOUND', `${subject} does not have the role ${role} at ${tenant}`)
    if (others.length === 0) return valid(() => state.roles.delete(subject))
    return valid(() => state.roles.set(subject, { grants: others }))
  }
  if (granted !== undefined) return refuse('ALREADY_SO', `${subject} has the role ${role} at ${tenant} already`)
  if (grants.length === 0 && state.roles.full) return full('subjects with roles', state.roles.rowsMax)
  if (grants.length >= ROLES_PER_SUBJECT_MAX) return full(`roles of ${subject}`, ROLES_PER_SUBJECT_MAX)
  const share = tenant === EVERY_TENANT ? undefined : fullShare(act, grants, state)
  if (share !== undefined) return share
  return valid(() => {
    const grown = [...grants, { tenant, role, revision: state.revision }]
    state.roles.set(subject, { grants: grown.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1)) })
  })
}

/** Who governs one tenant makes up subjects and roles as it likes, and leaves room for others. */
function fullShare(
  { tenant, subject }: ActOf<'role'>,
  grants: readonly Grant[],
  state: CouncilState,
): Judgement | undefined {
  const isHere = (grant: Grant): boolean => grant.tenant === tenant
  if (grants.filter(isHere).length >= ROLES_PER_SUBJECT_AT_TENANT_MAX) {
    return full(`roles of ${subject} at ${tenant}`, ROLES_PER_SUBJECT_AT_TENANT_MAX)
  }
  const count = state.roles.rows().reduce((sum, { value }) => sum + value.grants.filter(isHere).length, 0)
  return count < ROLES_PER_TENANT_MAX ? undefined : full(`roles at ${tenant}`, ROLES_PER_TENANT_MAX)
}

function placeOf({ tenant, role }: Pick<Grant, 'tenant' | 'role'>): string {
  return `${tenant} ${role}`
}

/** The grant that an act is about. */
export function grantOf(act: ActOf<'role'>, state: CouncilState): Grant | undefined {
  return state.roles.get(act.subject)?.grants.find((grant) => placeOf(grant) === placeOf(act))
}
