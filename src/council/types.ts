import type { Vouched } from '../identity/types.ts'
import type { NodeId, OrgId } from '../kernel/index.ts'
import type { OrganisationRecord } from './state.ts'

/** What the machine cannot do by itself. Deterministic: the same bytes, the same answer, on every member and for ever. */
export interface CouncilPorts {
  /** A certificate of this swarm with a good signature of the authority it names; undefined for all else. */
  readCertificate(bytes: Uint8Array): Vouched | undefined
  /** Whether this is the name of a public key. */
  isKey(node: NodeId): boolean
}

/** What the genesis says. */
export interface CouncilFounding {
  /** The organisation that signed the genesis. */
  readonly founder: OrgId
  readonly organisations: readonly ({ readonly name: OrgId } & Omit<OrganisationRecord, 'revision'>)[]
  readonly parameters: Readonly<Record<string, string>>
  readonly validators: readonly { readonly node: NodeId; readonly org: OrgId }[]
}
