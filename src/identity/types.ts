import type { NodeId, OrgId, Result, SwarmId, WallMillis } from '../kernel/index.ts'
import type { Statement } from '../wire/index.ts'

/** What a member may be trusted with (protocols.md, 1). */
export const ROLES = ['worker', 'custodian', 'validator', 'relay'] as const
export type Role = (typeof ROLES)[number]

/** What a signature is for: the same key and bytes under another domain are another statement. */
export const DOMAINS = [
  'genesis',
  'certificate',
  'ticket',
  'presence',
  'digest',
  'consensus-vote',
  'consensus-request',
] as const
export type Domain = (typeof DOMAINS)[number]

/** Signs as one key. Synchronous: an Ed25519 signature costs about 50 µs. */
export interface Signer {
  readonly node: NodeId
  sign(domain: Domain, bytes: Uint8Array): Statement
}

/** What a member's certificate says, once its signature has been found good. */
export interface Certificate {
  readonly swarm: SwarmId
  readonly node: NodeId
  readonly org: OrgId
  readonly roles: readonly Role[]
  readonly labels: Readonly<Record<string, string>>
  /** Raised by each renewal; an older one is void once a newer was seen. */
  readonly epoch: number
  readonly notBefore: WallMillis
  readonly notAfter: WallMillis
}

/** A certificate whose signature was found good. Whether its signer is an authority, the genesis or the council says. */
export interface Vouched {
  readonly certificate: Certificate
  readonly authority: NodeId
}

/**
 * Why a certificate does not count. `AUTHORITY_UNKNOWN`: it is signed, by a key that speaks for no organisation as far as
 * this node knows; the decision may not have come here yet, so nobody is to blame. `AUTHORITY_WITHDRAWN`: by a key that
 * spoke for its organisation once. `CERTIFICATE_REVOKED`: its organisation has ended this node's membership.
 */
export type CertificateFault =
  | 'CERTIFICATE_INVALID'
  | 'AUTHORITY_UNKNOWN'
  | 'AUTHORITY_WITHDRAWN'
  | 'CERTIFICATE_REVOKED'

/**
 * Judges statements. It knows no clock and no network, so cores may call it: answers change only with what this node has
 * learnt of organisations. Expiry is a matter of time and is judged where time is known (the handshake).
 */
export interface Verifier {
  /** Whether the signer made this statement, for this domain, in this swarm. */
  verify(domain: Domain, statement: Statement): boolean
  /** A membership certificate: signed by a key that speaks for its organisation. */
  certificate(bytes: Uint8Array): Result<Certificate, CertificateFault>
}
