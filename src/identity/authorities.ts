import type { NodeId, OrgId } from '../kernel/index.ts'
import { type Genesis, organisationOf } from './genesis.ts'

/** Whose keys speak for organisations, as far as this node knows: by the genesis, and by what was decided since. */
export interface Authorities {
  /** The organisation for which this key speaks now. */
  organisationOf(key: NodeId): OrgId | undefined
  /** The organisation for which this key spoke until that was taken from it. */
  withdrawnFrom(key: NodeId): OrgId | undefined
  /** Whether this node has a seat in the council for that organisation: then it is a member by more than a signature. */
  isSeated(node: NodeId, org: OrgId): boolean
  /** Whether that organisation has ended this node's membership: its certificates for the node are void. */
  isExpelled(node: NodeId, org: OrgId): boolean
}

/** A key that whoever brought this node in has shown: its ticket or its own certificate is signed with it. */
export interface Sponsor {
  readonly key: NodeId
  readonly org: OrgId
}

/** What the genesis says, for who knows of no decision yet. */
export function foundingAuthorities(genesis: Genesis): Authorities {
  return {
    organisationOf: (key) => organisationOf(genesis, key)?.name,
    withdrawnFrom: () => undefined,
    isSeated: () => false,
    isExpelled: () => false,
  }
}

/**
 * the sponsor's key counts as well, until it is known to have been withdrawn. A newcomer knows no decision before it
 * is in, so it could not be let in by an organisation that came after the founding, nor by a key that was exchanged.
 */
export function sponsored(known: Authorities, sponsor: Sponsor): Authorities {
  return {
    organisationOf: (key) => {
      const org = known.organisationOf(key)
      if (org !== undefined || key !== sponsor.key) return org
      return known.withdrawnFrom(key) === undefined ? sponsor.org : undefined
    },
    withdrawnFrom: (key) => known.withdrawnFrom(key),
    isSeated: (node, org) => known.isSeated(node, org),
    isExpelled: (node, org) => known.isExpelled(node, org),
  }
}

/** Knows what the genesis says until what was decided takes its place. */
export class AuthorityBook implements Authorities {
  #known: Authorities

  constructor(known: Authorities) {
    this.#known = known
  }

  /** From now on this counts. */
  follow(known: Authorities): void {
    this.#known = known
  }

  organisationOf(key: NodeId): OrgId | undefined {
    return this.#known.organisationOf(key)
  }

  withdrawnFrom(key: NodeId): OrgId | undefined {
    return this.#known.withdrawnFrom(key)
  }

  isSeated(node: NodeId, org: OrgId): boolean {
    return this.#known.isSeated(node, org)
  }

  isExpelled(node: NodeId, org: OrgId): boolean {
    return this.#known.isExpelled(node, org)
  }
}
