import type { NodeId, OrgId } from '../kernel/index.ts'
import type { Act } from './operations.ts'
import type { CouncilState } from './state.ts'

/** At a tenant: may govern it. At `*`: may govern as the founding organisation does. */
export const ADMIN = 'admin'
/** The tenant that stands for all. */
export const EVERY_TENANT = '*'

/** In what capacities a client speaks. */
export interface Standing {
  /** The organisation whose authority key the client is. */
  readonly org: OrgId | undefined
  /** Whether that is the founding one. */
  readonly founder: boolean
  readonly validator: boolean
  /** Tenants, or `*`, where it is an admin. */
  readonly adminAt: ReadonlySet<string>
}

/** GV-2: what the state says of a client. Revoking a node takes seat and roles, and an authority's key is no node's (GV-8). */
export function standingOf(client: NodeId, state: CouncilState, founder: OrgId): Standing {
  const org = state.organisationOf(client)
  const grants = state.roles.get(client)?.grants ?? []
  return {
    org,
    founder: org === founder,
    validator: state.validators.has(client),
    adminAt: new Set(grants.filter(({ role }) => role === ADMIN).map(({ tenant }) => tenant)),
  }
}

/** Whether the client may say anything at all. */
export function hasVoice({ org, validator, adminAt }: Standing): boolean {
  return org !== undefined || validator || adminAt.size > 0
}

/** What an act concerns beyond its own words: whose node, whose seats. */
export interface Concerns {
  /** Organisations whose members or seats it changes; undefined among them: it is not known whose. */
  readonly orgs: readonly (OrgId | undefined)[]
}

/** GV-3: whether this standing suffices for the act by itself. Validators without it can vote for it (GV-7). */
export function mayDo(act: Act, standing: Standing, concerns: Concerns, state: CouncilState): boolean {
  const executive = standing.founder || standing.adminAt.has(EVERY_TENANT)
  // GV-10: the founding organisation's word is enough until it hands that over to the validators' vote.
  const sovereign = executive && state.parameter('council.governance') === '"founder"'
  const ownAffair = standing.org !== undefined && concerns.orgs.every((org) => org === standing.org)
  switch (act.kind) {
    case 'override':
      return executive
    case 'tenant':
    case 'parameter':
      return sovereign
    case 'role':
      // Else an admin of all could make itself the last one.
      if (act.tenant === EVERY_TENANT && act.role === ADMIN) return sovereign && standing.founder
      return sovereign || standing.adminAt.has(act.tenant)
    case 'org':
      return sovereign || (ownAffair && state.organisations.get(act.name)?.seatsMax === act.seatsMax)
    case 'revoke':
      return sovereign || ownAffair
    case 'validator':
      return sovereign || ownAffair
  }
}
