import { BoundedMap, err, ok, type SwarmId } from '../kernel/index.ts'
import type { Statement } from '../wire/index.ts'
import { type Authorities, foundingAuthorities } from './authorities.ts'
import { decodeCertificate } from './certificate.ts'
import type { Genesis } from './genesis.ts'
import { CACHED_CERTIFICATES_MAX, CERTIFICATE_BYTES_MAX } from './params.ts'
import { verifyStatement } from './signer.ts'
import type { CertificateFault, Domain, Verifier, Vouched } from './types.ts'

/** Whether a statement's signature is right; the simulator brings its own. */
export type StatementCheck = (domain: Domain, swarm: SwarmId, statement: Statement) => boolean

export interface VerifierOptions {
  readonly check?: StatementCheck
  /** Whose keys count; those of the genesis unless given. */
  readonly authorities?: Authorities
}

/**
 * Judges statements in one swarm. That a signature is good is remembered, so that asking twice costs little;
 * whether its key counts is asked anew each time, because that may change.
 */
export function createVerifier(
  founding: { readonly swarm: SwarmId; readonly genesis: Genesis },
  { check = verifyStatement, authorities = foundingAuthorities(founding.genesis) }: VerifierOptions = {},
): Verifier {
  const { swarm } = founding
  const read = certificateReader(swarm, check)
  // Only good signatures are kept: bad ones are free to make and would push the good ones out.
  const good = new BoundedMap<string, Vouched>(CACHED_CERTIFICATES_MAX)

  return {
    verify: (domain, statement) => check(domain, swarm, statement),
    certificate: (bytes) => {
      if (bytes.length > CERTIFICATE_BYTES_MAX) return err('CERTIFICATE_INVALID')
      const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
      const known = good.get(key)
      const vouched = known ?? read(bytes)
      if (vouched === undefined) return err('CERTIFICATE_INVALID')
      const fault = faultOfAuthority(vouched, authorities)
      if (fault !== undefined) return err(fault)
      if (known === undefined) good.set(key, vouched)
      return ok(vouched.certificate)
    },
  }
}

/** whether the signer speaks for the organisation that the certificate names, and that for the node still. */
export function faultOfAuthority(
  { certificate, authority }: Vouched,
  known: Authorities,
): CertificateFault | undefined {
  const { org, node } = certificate
  const speaksFor = known.organisationOf(authority)
  const expelled = known.isExpelled(node, org) ? 'CERTIFICATE_REVOKED' : undefined
  if (speaksFor === org) return expelled
  // Its key speaks, and for others: no decision that is still to come makes that right for the certificate's day.
  if (speaksFor !== undefined) return 'CERTIFICATE_INVALID'
  const spokeFor = known.withdrawnFrom(authority)
  if (spokeFor === undefined) return 'AUTHORITY_UNKNOWN'
  return spokeFor === org && known.isSeated(node, org) ? expelled : 'AUTHORITY_WITHDRAWN'
}

/**
 * Reads certificates of one swarm for those who know its authorities themselves (the council's state machine): only the
 * structure and the signature are judged. Any other bytes are undefined.
 */
export function certificateReader(
  swarm: SwarmId,
  check: StatementCheck = verifyStatement,
): (bytes: Uint8Array) => Vouched | undefined {
  return (bytes) => {
    const decoded = decodeCertificate(bytes)
    if (!decoded.ok || decoded.value.certificate.swarm !== swarm) return undefined
    const { certificate, authority, statement } = decoded.value
    return check('certificate', swarm, statement) ? { certificate, authority } : undefined
  }
}
