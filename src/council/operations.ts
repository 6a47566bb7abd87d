import { assert, type NodeId, type OrgId, type Result } from '../kernel/index.ts'
import { MOTION_BYTES_MAX } from '../machine/index.ts'
import {
  bytes,
  count,
  decode,
  dictionary,
  encode,
  f64,
  flag,
  list,
  nodeId,
  optional,
  record,
  type Shape,
  text,
  variant,
} from '../wire/index.ts'
import {
  AUTHORITIES_PER_ORGANISATION_MAX,
  CERTIFICATE_BYTES_MAX,
  CHANGES_MAX,
  NAME_BYTES_MAX,
  OVERRIDE_TTL_MS_MAX,
  PARAMETER_NAME_BYTES_MAX,
  PARAMETER_VALUE_BYTES_MAX,
  QUOTAS_MAX,
  SEATS_MAX,
  SUBJECT_BYTES_MAX,
} from './params.ts'

/** What can be proposed. Words are those of `council propose KIND`. */
export type Act =
  /** Makes a tenant, or gives it other weight and quotas. */
  | {
      readonly kind: 'tenant'
      readonly name: string
      readonly weight: number
      /** Most of a resource at a time, by its name. */
      readonly quotas: Readonly<Record<string, number>>
    }
  /** Ends a node's membership for good; with `org`, its membership of that organisation alone (GV-16). */
  | { readonly kind: 'revoke'; readonly node: NodeId; readonly org: OrgId | undefined }
  /** Makes an organisation, or gives it other keys and seats; with neither it is none any more (GV-14). */
  | { readonly kind: 'org'; readonly name: OrgId; readonly authorities: readonly NodeId[]; readonly seatsMax: number }
  /** Takes validators in, shown by their certificates, and lets others go: all at once, judged by the council it makes. */
  | { readonly kind: 'validator'; readonly add: readonly Uint8Array[]; readonly remove: readonly NodeId[] }
  /** Sets a cluster-wide parameter; the value is spelled as in the genesis. */
  | { readonly kind: 'parameter'; readonly name: string; readonly value: string }
  /** Grants a role at a tenant (`*`: at all), or takes it away. */
  | {
      readonly kind: 'role'
      readonly tenant: string
      readonly subject: string
      readonly role: string
      readonly withdraw: boolean
    }
  /** Puts an emergency measure into force for so long from the decision on; 0 ends it. */
  | { readonly kind: 'override'; readonly subject: string; readonly action: string; readonly ttlMs: number }

export type ActKind = Act['kind']
/** An act of one kind. */
export type ActOf<K extends ActKind> = Extract<Act, { readonly kind: K }>

export interface Operation {
  /** Compare-and-set: the revision of what is changed, as whoever proposes it knows it; 0: it is not there yet. */
  readonly expect: number | undefined
  readonly act: Act
}

const name = text(NAME_BYTES_MAX)

export const operationShape: Shape<Operation> = record({
  expect: optional(count()),
  act: variant({
    tenant: record({ name, weight: f64, quotas: dictionary(NAME_BYTES_MAX, f64, QUOTAS_MAX) }),
    revoke: record({ node: nodeId, org: optional(text<OrgId>(NAME_BYTES_MAX)) }),
    org: record({
      name: text<OrgId>(NAME_BYTES_MAX),
      authorities: list(nodeId, AUTHORITIES_PER_ORGANISATION_MAX),
      seatsMax: count(SEATS_MAX),
    }),
    validator: record({ add: list(bytes(CERTIFICATE_BYTES_MAX), CHANGES_MAX), remove: list(nodeId, CHANGES_MAX) }),
    parameter: record({ name: text(PARAMETER_NAME_BYTES_MAX), value: text(PARAMETER_VALUE_BYTES_MAX) }),
    role: record({ tenant: name, subject: text(SUBJECT_BYTES_MAX), role: name, withdraw: flag }),
    override: record({ subject: text(SUBJECT_BYTES_MAX), action: name, ttlMs: count(OVERRIDE_TTL_MS_MAX) }),
  }),
})

/** Canonical bytes of an operation: the same operation is the same motion. */
export function encodeOperation(operation: Operation): Uint8Array {
  return encode(operationShape, operation)
}

/** Reads any bytes (GV-1); an operation longer than this is not even looked at. */
export function decodeOperation(operation: Uint8Array): Result<Operation> {
  if (operation.length > MOTION_BYTES_MAX) return { ok: false, error: `longer than ${MOTION_BYTES_MAX} bytes` }
  return decode(operationShape, operation)
}

/** What an accepted operation came to. */
export type CouncilResult =
  | { readonly kind: 'applied'; readonly revision: number }
  /** One voice for a motion that needs more. */
  | { readonly kind: 'voted'; readonly motion: string; readonly votes: number; readonly needed: number }

/** Reads what an applied operation came to. Its bytes are this machine's own. */
export function decodeCouncilResult(result: Uint8Array): CouncilResult {
  const decoded = decode(councilResultShape, result)
  assert(decoded.ok, 'a result of the council decodes')
  return decoded.value
}

export const councilResultShape: Shape<CouncilResult> = variant({
  applied: record({ revision: count() }),
  voted: record({ motion: text(NAME_BYTES_MAX), votes: count(SEATS_MAX), needed: count(SEATS_MAX) }),
})
