import type { CertificateFault, Verifier } from '../identity/types.ts'
import { ok, type Result } from '../kernel/index.ts'
import { decode, type Statement } from '../wire/index.ts'
import { type MemberEntry, type PresenceBody, presenceBody } from './messages.ts'
import type { Judge, Judged, Unjudged } from './types.ts'

/** What a presence claims, before anyone has checked who says so. */
export function readPresence(statement: Statement): Result<PresenceBody> {
  return decode(presenceBody, statement.bytes)
}

/** Checks the subject's signature and its certificate, and copies what outlives the frame. M-1, M-3. */
export function judgeWith(verifier: Verifier): Judge {
  return (entry) => {
    const presence = readPresence(entry.presence)
    if (!presence.ok) return forged(`presence: ${presence.error}`)
    if (!verifier.verify('presence', entry.presence)) return forged('the presence is not signed by its subject')
    const certificate = verifier.certificate(entry.certificate)
    if (!certificate.ok) return unvouched(certificate.error)
    if (certificate.value.node !== entry.presence.signer) return forged('the certificate is for another node')
    return ok(judged(entry, presence.value, certificate.value))
  }
}

type Fault = { readonly ok: false; readonly error: Unjudged }

function forged(reason: string): Fault {
  return { ok: false, error: { reason, why: 'forged' } }
}

/** M-21: nobody is to blame for what this node has not learnt yet, or has learnt before others. */
function unvouched(fault: CertificateFault): Fault {
  switch (fault) {
    case 'CERTIFICATE_INVALID':
      return forged('the certificate is not valid in this swarm')
    case 'AUTHORITY_UNKNOWN':
      return {
        ok: false,
        error: { reason: 'the key that signed the certificate is not known here yet', why: 'unknown' },
      }
    case 'AUTHORITY_WITHDRAWN':
      return { ok: false, error: { reason: 'the key that signed the certificate was withdrawn', why: 'withdrawn' } }
    case 'CERTIFICATE_REVOKED':
      return { ok: false, error: { reason: 'its organisation has ended its membership', why: 'withdrawn' } }
  }
}

/** Labels of the certificate overrule the node's own: an authority vouches for them. */
export function judged(entry: MemberEntry, presence: PresenceBody, certificate: Judged['certificate']): Judged {
  const { signer, bytes, signature } = entry.presence
  return {
    entry: {
      presence: { signer, bytes: bytes.slice(), signature: signature.slice() },
      certificate: entry.certificate.slice(),
    },
    presence,
    certificate,
    labels: { ...presence.labels, ...certificate.labels },
  }
}
