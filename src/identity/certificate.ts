import { assert, type NodeId, type OrgId, ok, type Result, type SwarmId, type WallMillis } from '../kernel/index.ts'
import {
  count,
  decode,
  dictionary,
  encode,
  fixedBytes,
  list,
  nodeId,
  record,
  type Statement,
  statement,
  text,
  word,
} from '../wire/index.ts'
import { areOrderedRoles, faultOfLabels, fromHex, isName, orderedRoles, toHex } from './names.ts'
import {
  CERTIFICATE_BODY_BYTES_MAX,
  CERTIFICATE_BYTES_MAX,
  CERTIFICATE_TTL_MS_MAX,
  CLOCK_TOLERANCE_MS,
  LABEL_KEY_BYTES_MAX,
  LABEL_VALUE_BYTES_MAX,
  LABELS_MAX,
  NAME_BYTES_MAX,
} from './params.ts'
import { type Refusal, refusal } from './refusal.ts'
import { type Certificate, ROLES, type Signer } from './types.ts'

export const SWARM_ID_BYTES = 32

export const labelsShape = dictionary(LABEL_KEY_BYTES_MAX, text(LABEL_VALUE_BYTES_MAX), LABELS_MAX)
export const rolesShape = list(word(ROLES), ROLES.length)

export const certificateBodyShape = record({
  swarm: fixedBytes(SWARM_ID_BYTES),
  node: nodeId,
  org: text<OrgId>(NAME_BYTES_MAX),
  roles: rolesShape,
  labels: labelsShape,
  epoch: count(),
  notBefore: count<WallMillis>(),
  notAfter: count<WallMillis>(),
})

export const certificateShape = statement(CERTIFICATE_BODY_BYTES_MAX)

/** A certificate whose structure is right. Whether its signature is, and its signer's right to make it, is not yet known. */
export interface UnverifiedCertificate {
  readonly certificate: Certificate
  readonly authority: NodeId
  readonly statement: Statement
}

/**
 * Issues a membership certificate. `signer` holds an authority key of the certificate's organisation.
 *
 * @throws InvariantError when a field breaks its bound: callers have judged what they put in.
 */
export function issueCertificate(signer: Signer, certificate: Certificate): Uint8Array {
  const issued = { ...certificate, roles: orderedRoles(certificate.roles) }
  const fault = faultOfCertificate(issued)
  assert(fault === undefined, 'a certificate is issued only with proper fields', { fault })
  const body = encode(certificateBodyShape, { ...issued, swarm: fromHex(issued.swarm) })
  return encode(certificateShape, signer.sign('certificate', body))
}

/** Reads a certificate without judging its signature: {@link Verifier.certificate} does both. */
export function decodeCertificate(bytes: Uint8Array): Result<UnverifiedCertificate> {
  if (bytes.length > CERTIFICATE_BYTES_MAX) return { ok: false, error: `longer than ${CERTIFICATE_BYTES_MAX} bytes` }
  const signed = decode(certificateShape, bytes)
  if (!signed.ok) return signed
  const body = decode(certificateBodyShape, signed.value.bytes)
  if (!body.ok) return body
  const certificate: Certificate = { ...body.value, swarm: toHex(body.value.swarm) as SwarmId }
  const fault = faultOfCertificate(certificate)
  if (fault !== undefined) return { ok: false, error: fault }
  return ok({ certificate, authority: signed.value.signer, statement: signed.value })
}

function faultOfCertificate(certificate: Certificate): string | undefined {
  if (!isName(certificate.org)) return 'the organisation has no proper name'
  if (!areOrderedRoles(certificate.roles)) return 'roles are not in order'
  if (certificate.notAfter <= certificate.notBefore) return 'it ends before it starts'
  if (certificate.notAfter - certificate.notBefore > CERTIFICATE_TTL_MS_MAX) return 'it lives too long'
  return faultOfLabels(certificate.labels)
}

/** whether a good certificate is in force at this wall time. */
export function checkCertificateAt(certificate: Certificate, wallNow: WallMillis): Result<Certificate, Refusal> {
  if (wallNow > certificate.notAfter + CLOCK_TOLERANCE_MS) {
    const ended = new Date(certificate.notAfter).toISOString()
    return refusal('CERTIFICATE_EXPIRED', `the certificate ended at ${ended}: join again with a new ticket`)
  }
  if (wallNow < certificate.notBefore - CLOCK_TOLERANCE_MS) {
    const starts = new Date(certificate.notBefore).toISOString()
    return refusal('CERTIFICATE_INVALID', `the certificate starts only at ${starts}: set the clocks of both hosts`)
  }
  return ok(certificate)
}

/** The epoch of a certificate issued now: the wall clock, raised past an earlier epoch that is known (README, Epochs). */
export function nextEpoch(wallNow: WallMillis, previous = -1): number {
  return Math.max(wallNow, previous + 1)
}
