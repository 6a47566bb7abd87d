import { assert, type NodeId, type OrgId, ok, type Result, type SwarmId, type WallMillis } from '../kernel/index.ts'
import { count, decode, encode, fixedBytes, nodeId, record, statement, text } from '../wire/index.ts'
import { SWARM_ID_BYTES } from './certificate.ts'
import { type Genesis, organisationOf } from './genesis.ts'
import { fromHex, toHex } from './names.ts'
import {
  CERTIFICATE_TTL_MS_MAX,
  CLOCK_TOLERANCE_MS,
  NAME_BYTES_MAX,
  REVOCATION_BODY_BYTES_MAX,
  REVOCATION_REASON_BYTES_MAX,
  REVOCATIONS_PER_ORGANISATION_MAX,
} from './params.ts'
import type { Signer, Verifier } from './types.ts'

/** Certificates of this node in this organisation are void if their epoch is not above this one. */
export interface Revocation {
  readonly swarm: SwarmId
  readonly org: OrgId
  readonly node: NodeId
  readonly epoch: number
  readonly at: WallMillis
  readonly reason: string
}

export const revocationBodyShape = record({
  swarm: fixedBytes(SWARM_ID_BYTES),
  org: text<OrgId>(NAME_BYTES_MAX),
  node: nodeId,
  epoch: count(),
  at: count<WallMillis>(),
  reason: text(REVOCATION_REASON_BYTES_MAX),
})

export const revocationShape = statement(REVOCATION_BODY_BYTES_MAX)

/** Signs a revocation with an authority key of the organisation. */
export function issueRevocation(signer: Signer, revocation: Revocation): Uint8Array {
  const body = encode(revocationBodyShape, { ...revocation, swarm: fromHex(revocation.swarm) })
  return encode(revocationShape, signer.sign('revocation', body))
}

/** Reads a revocation and verifies it: signed, for this swarm, by an authority of the organisation it names. */
export function decodeRevocation(
  bytes: Uint8Array,
  genesis: Genesis,
  swarm: SwarmId,
  verifier: Verifier,
): Result<Revocation> {
  const signed = decode(revocationShape, bytes)
  if (!signed.ok) return signed
  const body = decode(revocationBodyShape, signed.value.bytes)
  if (!body.ok) return body
  const revocation: Revocation = { ...body.value, swarm: toHex(body.value.swarm) as SwarmId }
  if (revocation.swarm !== swarm) return { ok: false, error: 'it is for another swarm' }
  if (organisationOf(genesis, signed.value.signer)?.name !== revocation.org) {
    return { ok: false, error: 'its signer is no authority of the organisation' }
  }
  if (!verifier.verify('revocation', signed.value)) return { ok: false, error: 'its signature is wrong' }
  return ok(revocation)
}

/** `news`: it changed something. `known`: as strong a one was there. `full`: refused, its organisation has too many. */
export type RevocationOutcome = 'news' | 'known' | 'full'

/**
 * What has been revoked. Bounded per organisation, and refuses rather than forgets: a dropped revocation would let
 * somebody back in.
 */
export class RevocationSet {
  readonly perOrganisationMax: number
  readonly #organisations = new Map<OrgId, Map<NodeId, Revocation>>()

  constructor(perOrganisationMax = REVOCATIONS_PER_ORGANISATION_MAX) {
    assert(perOrganisationMax > 0, 'a bound is positive', { perOrganisationMax })
    this.perOrganisationMax = perOrganisationMax
  }

  get size(): number {
    let size = 0
    for (const nodes of this.#organisations.values()) size += nodes.size
    return size
  }

  /** Takes a revocation that {@link decodeRevocation} found good. */
  add(revocation: Revocation): RevocationOutcome {
    const nodes = this.#organisations.get(revocation.org) ?? new Map<NodeId, Revocation>()
    const known = nodes.get(revocation.node)
    if (known !== undefined && known.epoch >= revocation.epoch) return 'known'
    if (known === undefined && nodes.size >= this.perOrganisationMax) return 'full'
    nodes.set(revocation.node, revocation)
    this.#organisations.set(revocation.org, nodes)
    return 'news'
  }

  /** The revocation that voids a certificate or promise of that epoch, if there is one. */
  revocationOf(subject: {
    readonly org: OrgId
    readonly node: NodeId
    readonly epoch: number
  }): Revocation | undefined {
    const known = this.#organisations.get(subject.org)?.get(subject.node)
    return known !== undefined && subject.epoch <= known.epoch ? known : undefined
  }

  /** Forgets revocations of certificates that have all ended by now: the longest-lived began when it was revoked. */
  dropExpired(wallNow: WallMillis): void {
    const keptMs = CERTIFICATE_TTL_MS_MAX + 2 * CLOCK_TOLERANCE_MS
    for (const nodes of this.#organisations.values()) {
      for (const [node, revocation] of nodes) {
        // An epoch is a wall clock too, and may lie ahead of `at`.
        if (Math.max(revocation.at, revocation.epoch) + keptMs < wallNow) nodes.delete(node)
      }
    }
  }

  values(): readonly Revocation[] {
    return [...this.#organisations.values()].flatMap((nodes) => [...nodes.values()])
  }
}
