import type { Vouched } from '../identity/types.ts'
import { err, isNodeId, type NodeId, type OrgId, ok, type Result, unreachable } from '../kernel/index.ts'
import type { MachineRefusal } from '../wire/index.ts'
import { refuse } from './judgement.ts'
import type { Act } from './operations.ts'
import { PARAMETERS } from './parameters.ts'

/** An act as people and scripts write it (`council propose KIND`): names instead of certificates, plain values. */
export type Proposal =
  | {
      readonly kind: 'tenant'
      readonly body: {
        readonly name: string
        readonly weight: number
        readonly quota: Readonly<Record<string, number>>
      }
    }
  | { readonly kind: 'revoke'; readonly body: { readonly node: string; readonly org?: string | undefined } }
  | {
      readonly kind: 'org'
      readonly body: { readonly name: string; readonly keys: readonly string[]; readonly seats: number }
    }
  | {
      readonly kind: 'validator'
      readonly body: { readonly add: readonly string[]; readonly remove: readonly string[] }
    }
  | { readonly kind: 'parameter'; readonly body: { readonly name: string; readonly value: string | number } }
  | {
      readonly kind: 'role'
      readonly body: {
        readonly tenant: string
        readonly subject: string
        readonly role: string
        readonly withdraw: boolean
      }
    }
  | {
      readonly kind: 'override'
      readonly body: { readonly subject: string; readonly action: string; readonly ttlMs: number }
    }

/** An act as it is shown: what was proposed, and for validators whose they are. */
export type Shown =
  | Exclude<Proposal, { readonly kind: 'validator' }>
  | {
      readonly kind: 'validator'
      readonly body: {
        readonly add: readonly { readonly node: string; readonly org: string }[]
        readonly remove: readonly string[]
      }
    }

/** Finds the membership certificate of a node, as this node knows it. */
export type CertificateOf = (node: NodeId) => Uint8Array | undefined

/** The act that a proposal means; refused if it names what is no node, or whose certificate is not known here. */
export function actOf(proposal: Proposal, certificateOf: CertificateOf): Result<Act, MachineRefusal> {
  const { kind, body } = proposal
  switch (kind) {
    case 'tenant':
      return ok({ kind, name: body.name, weight: body.weight, quotas: body.quota })
    case 'revoke':
      if (!isNodeId(body.node)) return noNode(body.node)
      return ok({ kind, node: body.node, org: body.org as OrgId | undefined })
    case 'org':
      return organisation(body)
    case 'validator':
      return seating(body, certificateOf)
    case 'parameter':
      return ok({ kind, name: body.name, value: spelled(body.name, body.value) })
    case 'role':
      return ok({ kind, ...body })
    case 'override':
      return ok({ kind, ...body })
    default:
      return unreachable(proposal)
  }
}

type BodyOf<K extends Proposal['kind']> = Extract<Proposal, { readonly kind: K }>['body']

function organisation({ name, keys, seats }: BodyOf<'org'>): Result<Act, MachineRefusal> {
  const authorities = keys.filter(isNodeId)
  const stranger = keys.find((key) => !isNodeId(key))
  if (stranger !== undefined) return noNode(stranger)
  return ok({ kind: 'org', name: name as OrgId, authorities, seatsMax: seats })
}

function seating({ add, remove }: BodyOf<'validator'>, certificateOf: CertificateOf): Result<Act, MachineRefusal> {
  const certificates: Uint8Array[] = []
  for (const node of add) {
    if (!isNodeId(node)) return noNode(node)
    const certificate = certificateOf(node)
    if (certificate === undefined) {
      return refuse(
        'NOT_FOUND',
        `this node does not know the certificate of ${node}: is it a member, and alive? See 'peers'`,
      )
    }
    certificates.push(certificate)
  }
  const stranger = remove.find((node) => !isNodeId(node))
  if (stranger !== undefined) return noNode(stranger)
  // Sorted: those who vote for the same must say the same.
  return ok({ kind: 'validator', add: certificates, remove: remove.filter(isNodeId).toSorted() })
}

function noNode(text: string): { readonly ok: false; readonly error: MachineRefusal } {
  return err({ code: 'BAD_REQUEST', reason: `'${text}' is no node id: 'peers' lists them` })
}

/** As the genesis spells values: JSON. */
function spelled(name: string, value: string | number): string {
  const rule = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined
  return rule?.kind === 'word' ? JSON.stringify(value) : `${value}`
}

/** How an act is shown. */
export function shownOf(act: Act, readCertificate: (bytes: Uint8Array) => Vouched | undefined): Shown {
  const { kind } = act
  switch (kind) {
    case 'tenant':
      return { kind, body: { name: act.name, weight: act.weight, quota: act.quotas } }
    case 'revoke':
      return { kind, body: { node: act.node, ...(act.org === undefined ? {} : { org: act.org }) } }
    case 'org':
      return { kind, body: { name: act.name, keys: act.authorities, seats: act.seatsMax } }
    case 'validator': {
      const add = act.add.map((bytes) => {
        const certificate = readCertificate(bytes)?.certificate
        return { node: certificate?.node ?? '?', org: certificate?.org ?? '?' }
      })
      return { kind, body: { add, remove: act.remove } }
    }
    case 'parameter':
      return { kind, body: { name: act.name, value: plain(act.value) } }
    case 'role': {
      const { tenant, subject, role, withdraw } = act
      return { kind, body: { tenant, subject, role, withdraw } }
    }
    case 'override': {
      const { subject, action, ttlMs } = act
      return { kind, body: { subject, action, ttlMs } }
    }
    default:
      return unreachable(act)
  }
}

/** A value as a script reads it: a number, or a word without its quotes. */
export function plain(value: string): string | number {
  if (/^\d{1,15}$/.test(value)) return Number(value)
  return /^"[^"\\]*"$/.test(value) ? value.slice(1, -1) : value
}
