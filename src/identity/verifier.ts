import { BoundedMap, err, ok, type SwarmId } from '../kernel/index.ts'
import type { Statement } from '../wire/index.ts'
import { decodeCertificate } from './certificate.ts'
import { type Genesis, organisationOf } from './genesis.ts'
import { CACHED_CERTIFICATES_MAX, CERTIFICATE_BYTES_MAX } from './params.ts'
import { verifyStatement } from './signer.ts'
import type { Certificate, Domain, Verifier, Vouched } from './types.ts'

/** Whether a statement's signature is right; the simulator brings its own. */
export type StatementCheck = (domain: Domain, swarm: SwarmId, statement: Statement) => boolean

/** Judges statements in one swarm by its genesis. Results are kept, so that asking twice costs little. */
export function createVerifier(
  founding: { readonly swarm: SwarmId; readonly genesis: Genesis },
  check: StatementCheck = verifyStatement,
): Verifier {
  const { swarm, genesis } = founding
  // Only good certificates are kept: bad ones are free to make and would push the good ones out.
  const good = new BoundedMap<string, Certificate>(CACHED_CERTIFICATES_MAX)

  return {
    verify: (domain, statement) => check(domain, swarm, statement),
    certificate: (bytes) => {
      if (bytes.length > CERTIFICATE_BYTES_MAX) return err('CERTIFICATE_INVALID')
      const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
      const known = good.get(key)
      if (known !== undefined) return ok(known)
      const decoded = decodeCertificate(bytes)
      if (!decoded.ok) return err('CERTIFICATE_INVALID')
      const { certificate, authority, statement } = decoded.value
      const entitled = certificate.swarm === swarm && organisationOf(genesis, authority)?.name === certificate.org
      if (!entitled || !check('certificate', swarm, statement)) return err('CERTIFICATE_INVALID')
      good.set(key, certificate)
      return ok(certificate)
    },
  }
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
