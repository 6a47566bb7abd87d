import type { NodeId, OrgId, WallMillis } from '../kernel/index.ts'
import { Motions, restoreTables, snapshotOf, Table } from '../machine/index.ts'
import { count, dictionary, f64, list, nodeId, record, type Shape, text } from '../wire/index.ts'
import { defaultOf } from './parameters.ts'
import {
  AUTHORITIES_PER_ORGANISATION_MAX,
  BARRED_MAX,
  CONVICTED_MAX,
  COUNCIL_FORMAT_COUNT,
  EXPELLED_MAX,
  NAME_BYTES_MAX,
  NODE_BYTES_MAX,
  ORGANISATIONS_MAX,
  OVERRIDES_MAX,
  PARAMETER_NAME_BYTES_MAX,
  PARAMETER_VALUE_BYTES_MAX,
  QUOTAS_MAX,
  REVOCATIONS_MAX,
  ROLE_SUBJECTS_MAX,
  ROLES_PER_SUBJECT_MAX,
  SEATS_MAX,
  SUBJECT_BYTES_MAX,
  TENANTS_MAX,
  WITHDRAWN_MAX,
} from './params.ts'
import type { Seating } from './seats.ts'

/** Every record carries the revision of the state in which it was last changed: what `expect` is compared with (GV-4). */
interface Revised {
  readonly revision: number
}

export interface OrganisationRecord extends Revised {
  readonly authorities: readonly NodeId[]
  readonly seatsMax: number
}

export interface SeatRecord extends Revised {
  readonly org: OrgId
  /** Since when, by the time of blocks. */
  readonly since: WallMillis
}

export interface TenantRecord extends Revised {
  readonly weight: number
  readonly quotas: Readonly<Record<string, number>>
}

export interface ParameterRecord extends Revised {
  readonly value: string
}

export interface Grant extends Revised {
  readonly tenant: string
  readonly role: string
}

export interface OverrideRecord extends Revised {
  readonly until: WallMillis
  readonly by: NodeId
}

export interface WithdrawnRecord extends Revised {
  /** For which it spoke. */
  readonly org: OrgId
}

export interface RevocationRecord extends Revised {
  readonly at: WallMillis
}

/** A node whose membership one organisation has ended (GV-16). */
export interface ExpulsionRecord extends RevocationRecord {
  readonly org: OrgId
  readonly node: NodeId
}

const revision = count()
const wallMs = count<WallMillis>()
const node = nodeId as Shape<NodeId>

/** Keys of an override: no subject holds a space. */
export function overrideKey(subject: string, action: string): string {
  return `${subject} ${action}`
}

/** Keys of an expulsion: no organisation's name holds a space. */
export function expulsionKey(org: OrgId, expelled: NodeId): string {
  return `${org} ${expelled}`
}

/** Everything the council has decided, as it stands. Only {@link CouncilMachine} changes it. */
export class CouncilState {
  revision = 0
  readonly organisations = new Table<OrgId, OrganisationRecord>({
    key: text<OrgId>(NAME_BYTES_MAX),
    value: record({
      authorities: list(nodeId, AUTHORITIES_PER_ORGANISATION_MAX),
      seatsMax: count(SEATS_MAX),
      revision,
    }),
    rowsMax: ORGANISATIONS_MAX,
    rowsPerPieceMax: ORGANISATIONS_MAX,
  })
  /** Keys that were taken from an organisation, or went with it: what they have signed is void (GV-13). */
  readonly withdrawn = new Table<NodeId, WithdrawnRecord>({
    key: node,
    value: record({ org: text<OrgId>(NAME_BYTES_MAX), revision }),
    rowsMax: WITHDRAWN_MAX,
    rowsPerPieceMax: 512,
  })
  readonly validators = new Table<NodeId, SeatRecord>({
    key: node,
    value: record({ org: text<OrgId>(NAME_BYTES_MAX), since: wallMs, revision }),
    rowsMin: 1,
    rowsMax: SEATS_MAX,
    rowsPerPieceMax: SEATS_MAX,
  })
  /** Convicted of votes that contradict each other: never a validator again (GV-15). */
  readonly convicted = new Table<NodeId, RevocationRecord>({
    key: node,
    value: record({ at: wallMs, revision }),
    rowsMax: CONVICTED_MAX,
    rowsPerPieceMax: CONVICTED_MAX,
  })
  /** Let go by an authority: no validator moves by itself to take them in again. */
  readonly barred = new Table<NodeId, Revised>({
    key: node,
    value: record({ revision }),
    rowsMax: BARRED_MAX,
    rowsPerPieceMax: BARRED_MAX,
  })
  readonly parameters = new Table<string, ParameterRecord>({
    key: text(PARAMETER_NAME_BYTES_MAX),
    value: record({ value: text(PARAMETER_VALUE_BYTES_MAX), revision }),
    rowsMax: 256,
    rowsPerPieceMax: 256,
  })
  readonly tenants = new Table<string, TenantRecord>({
    key: text(NAME_BYTES_MAX),
    value: record({ weight: f64, quotas: dictionary(NAME_BYTES_MAX, f64, QUOTAS_MAX), revision }),
    rowsMax: TENANTS_MAX,
    rowsPerPieceMax: 80,
  })
  /** By subject: its grants, in order of tenant and role. */
  readonly roles = new Table<string, { readonly grants: readonly Grant[] }>({
    key: text(SUBJECT_BYTES_MAX),
    value: record({
      grants: list(
        record({ tenant: text(NAME_BYTES_MAX), role: text(NAME_BYTES_MAX), revision }),
        ROLES_PER_SUBJECT_MAX,
      ),
    }),
    rowsMax: ROLE_SUBJECTS_MAX,
    rowsPerPieceMax: 24,
  })
  readonly revocations = new Table<NodeId, RevocationRecord>({
    key: node,
    value: record({ at: wallMs, revision }),
    rowsMax: REVOCATIONS_MAX,
    rowsPerPieceMax: 1024,
  })
  /** Memberships that their own organisations have ended (GV-16). */
  readonly expelled = new Table<string, ExpulsionRecord>({
    key: text(NAME_BYTES_MAX + 1 + NODE_BYTES_MAX),
    value: record({ org: text<OrgId>(NAME_BYTES_MAX), node, at: wallMs, revision }),
    rowsMax: EXPELLED_MAX,
    rowsPerPieceMax: 256,
  })
  readonly overrides = new Table<string, OverrideRecord>({
    key: text(SUBJECT_BYTES_MAX + NAME_BYTES_MAX + 1),
    value: record({ until: wallMs, by: nodeId, revision }),
    rowsMax: OVERRIDES_MAX,
    rowsPerPieceMax: OVERRIDES_MAX,
  })
  readonly motions = new Motions()
  /** No override ends before this: most of the time there is nothing to look for. */
  #overridesEndFrom: WallMillis | undefined

  get #tables() {
    return [
      this.organisations,
      this.withdrawn,
      this.validators,
      this.convicted,
      this.barred,
      this.parameters,
      this.tenants,
      this.roles,
      this.revocations,
      this.expelled,
      this.overrides,
      this.motions.table,
    ] as const
  }

  override(key: string, override: OverrideRecord): void {
    this.overrides.set(key, override)
    if (this.#overridesEndFrom !== undefined && override.until < this.#overridesEndFrom) {
      this.#overridesEndFrom = override.until
    }
  }

  /** Keys of the overrides whose time has ended. */
  endedOverrides(at: WallMillis): readonly string[] {
    if (this.#overridesEndFrom !== undefined && at < this.#overridesEndFrom) return []
    const rows = this.overrides.rows()
    this.#overridesEndFrom = rows.reduce((first, { value }) => Math.min(first, value.until), Infinity) as WallMillis
    return rows.flatMap(({ key, value }) => (value.until <= at ? [key] : []))
  }

  /** What a parameter is set to: by decision, by the genesis, or by default. */
  parameter(name: string): string | undefined {
    return this.parameters.get(name)?.value ?? defaultOf(name)
  }

  /** The organisation for which this key speaks. A key belongs to one at most (GV-8). */
  organisationOf(authority: NodeId): OrgId | undefined {
    return this.organisations.rows().find(({ value }) => value.authorities.includes(authority))?.key
  }

  /** The organisation for which this key spoke until it was withdrawn. */
  withdrawnFrom(authority: NodeId): OrgId | undefined {
    return this.withdrawn.get(authority)?.org
  }

  isExpelled(member: NodeId, org: OrgId): boolean {
    return this.expelled.has(expulsionKey(org, member))
  }

  isSeated(validator: NodeId, org: OrgId): boolean {
    return this.validators.get(validator)?.org === org
  }

  seating(): Seating {
    return new Map(this.validators.rows().map(({ key, value }) => [key, value.org]))
  }

  /** Replaces all seats at once: `expect` is about the council as a whole. Who was convicted sits only while alone (GV-15). */
  seat(seating: Seating, at: WallMillis): void {
    const before = new Map(this.validators.rows().map(({ key, value }) => [key, value]))
    const fit = [...seating].filter(([validator]) => !this.convicted.has(validator))
    const seats = (fit.length > 0 ? fit : [...seating]).map(([validator, org]): [NodeId, SeatRecord] => {
      return [validator, { org, since: before.get(validator)?.since ?? at, revision: this.revision }]
    })
    this.validators.load(new Map(seats))
  }

  snapshot(): readonly Uint8Array[] {
    return snapshotOf({ format: COUNCIL_FORMAT_COUNT, revision: this.revision, tables: this.#tables })
  }

  /** All or nothing (SM-3). */
  restore(chunks: readonly Uint8Array[]): boolean {
    const restored = restoreTables(chunks, { format: COUNCIL_FORMAT_COUNT, tables: this.#tables })
    if (restored === undefined) return false
    this.revision = restored
    this.#overridesEndFrom = undefined
    return true
  }
}
