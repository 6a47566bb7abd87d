import { type NodeId, ok, type Result, type WallMillis } from '../kernel/index.ts'
import { negotiateVersion, PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST } from '../wire/index.ts'
import { type Authorities, foundingAuthorities, sponsored } from './authorities.ts'
import { checkCertificateAt } from './certificate.ts'
import { decodeGenesis, type Founding } from './genesis.ts'
import type { GrantFrame } from './handshake-frames.ts'
import { type Refusal, refusal } from './refusal.ts'
import { checkTicketAt, decodeTicket, type Ticket } from './ticket.ts'
import type { Certificate, CertificateFault, Verifier } from './types.ts'
import { certificateReader, createVerifier } from './verifier.ts'

/** A node that has its certificate. */
export interface MemberParty {
  readonly kind: 'member'
  readonly node: NodeId
  readonly founding: Founding
  readonly verifier: Verifier
  /** Its own certificate. */
  readonly certificate: Uint8Array
  /** Whether a certificate, or a promise made at that epoch, is void. */
  readonly isRevoked: (subject: Pick<Certificate, 'org' | 'node' | 'epoch'>) => boolean
  /** Whose keys speak for organisations, as far as this node knows. */
  readonly known: Authorities
  /** Authority keys that this node holds and may issue certificates with. */
  readonly authorities: ReadonlySet<NodeId>
}

/** A node that wants to become a member. */
export interface NewcomerParty {
  readonly kind: 'newcomer'
  readonly node: NodeId
  readonly ticket: Ticket
}

/** What a newcomer holds once it is let in. */
export interface Admission {
  readonly peer: Certificate
  readonly founding: Founding
  /** Its own certificate, to be kept. */
  readonly certificate: Uint8Array
}

export const WRONG_SWARM = 'the peers belong to different swarms: check the addresses, or join that swarm with a ticket'
export const OWN_IDENTITY =
  'the peer has this very identity: if the data directory was copied, give the copy a key of its own (delete its key file)'

const REJOIN = "join again with a new ticket ('swarm-node ticket create' at a member)"

export function wrongIssuer(issuer: NodeId, remote: NodeId): { readonly ok: false; readonly error: Refusal } {
  return refusal(
    'WRONG_ISSUER',
    `the ticket was made by ${issuer}, this is ${remote}: dial the addresses in the ticket`,
  )
}

/** Whether a peer's choice of version is one of ours. */
export function speaks(version: number): boolean {
  return negotiateVersion({ newest: version, oldest: version }) !== undefined
}

export function versionRefusal(oldest: number, newest: number): Refusal {
  const ours = `${PROTOCOL_VERSION_OLDEST} to ${PROTOCOL_VERSION}`
  const which = newest < PROTOCOL_VERSION_OLDEST ? 'the peer' : 'this node'
  const message = `protocol versions ${ours} here, ${oldest} to ${newest} at the peer: bring ${which} up to date`
  return { code: 'UNSUPPORTED_VERSION', message }
}

/** A member's judgement of the peer's certificate and configuration. */
export function judgeCertificate(
  self: MemberParty,
  shown: { readonly bytes: Uint8Array; readonly clusterHash: Uint8Array },
  remote: NodeId,
  wallNow: WallMillis,
): Result<Certificate, Refusal> {
  const certificate = certificateOf(self.verifier, shown.bytes, remote, wallNow)
  if (!certificate.ok) return certificate
  if (self.isRevoked(certificate.value)) {
    return refusal(
      'CERTIFICATE_REVOKED',
      `the membership of ${remote} was revoked for good: join with a key of its own (an empty data directory) and a new ticket`,
    )
  }
  if (!sameBytes(shown.clusterHash, self.founding.clusterHash)) {
    const advice = "compare 'swarm-node config show' of both"
    return refusal('WRONG_CLUSTER_CONFIGURATION', `the peers differ in cluster-wide parameters: ${advice}`)
  }
  return certificate
}

/** The issuer's judgement of a newcomer's ticket, but for its uses. */
export function judgeTicket(
  self: MemberParty,
  bytes: Uint8Array,
  remote: NodeId,
  wallNow: WallMillis,
): Result<Ticket, Refusal> {
  const decoded = decodeTicket(bytes)
  if (!decoded.ok) return decoded
  const ticket = decoded.value
  if (ticket.swarm !== self.founding.swarm) return refusal('WRONG_SWARM', WRONG_SWARM)
  if (ticket.issuer !== self.node) return wrongIssuer(ticket.issuer, self.node)
  const { known } = self
  if (known.organisationOf(ticket.authority) !== ticket.org) {
    return refusal('TICKET_INVALID', `the ticket is not signed by an authority of ${ticket.org}: ${REJOIN}`)
  }
  if (![...self.authorities].some((authority) => known.organisationOf(authority) === ticket.org)) {
    return refusal('NOT_AUTHORITY', `this node holds no authority key of ${ticket.org} any more: ${REJOIN}`)
  }
  const inTime = checkTicketAt(ticket, wallNow)
  if (!inTime.ok) return inTime
  // a ticket made before the revocation must not be the way back in.
  const isExpelled = known.isExpelled(remote, ticket.org)
  if (isExpelled || self.isRevoked({ org: ticket.org, node: remote, epoch: ticket.issuedAt })) {
    return refusal(
      'CERTIFICATE_REVOKED',
      `${remote} was revoked for good: join with a key of its own (an empty data directory) and a new ticket`,
    )
  }
  return ok(ticket)
}

/** The newcomer's judgement of what its issuer answered. The ticket is what it trusts; all else must follow from it. */
export function judgeGrant(
  self: NewcomerParty,
  frame: GrantFrame,
  remote: NodeId,
  wallNow: WallMillis,
): Result<Admission, Refusal> {
  const { ticket } = self
  const founding = decodeGenesis(frame.genesis)
  if (!founding.ok) return founding
  if (founding.value.swarm !== ticket.swarm) return refusal('WRONG_SWARM', WRONG_SWARM)
  const { genesis, swarm } = founding.value
  // the ticket vouches for its signer, and for its issuer, whoever has certified that one.
  const authorities = sponsored(foundingAuthorities(genesis), { key: ticket.authority, org: ticket.org })
  const issuer = certificateReader(swarm)(frame.certificate)
  if (issuer === undefined) return certificateRefusal('CERTIFICATE_INVALID', remote)
  const peer = checkOwnAt(issuer.certificate, remote, wallNow)
  if (!peer.ok) return peer
  const verifier = createVerifier(founding.value, { authorities })
  const granted = certificateOf(verifier, frame.granted, self.node, wallNow)
  if (!granted.ok) return granted
  if (granted.value.org !== ticket.org) {
    return refusal('CERTIFICATE_INVALID', `the certificate is not of ${ticket.org}, as the ticket said: ${REJOIN}`)
  }
  return ok({ peer: peer.value, founding: founding.value, certificate: frame.granted.slice() })
}

function certificateOf(
  verifier: Verifier,
  bytes: Uint8Array,
  node: NodeId,
  wallNow: WallMillis,
): Result<Certificate, Refusal> {
  const certificate = verifier.certificate(bytes)
  return certificate.ok ? checkOwnAt(certificate.value, node, wallNow) : certificateRefusal(certificate.error, node)
}

function checkOwnAt(certificate: Certificate, node: NodeId, wallNow: WallMillis): Result<Certificate, Refusal> {
  // a certificate is public; only the key proves whose it is.
  if (certificate.node !== node) {
    return refusal('CERTIFICATE_INVALID', `the certificate is for ${certificate.node}, not for ${node}: ${REJOIN}`)
  }
  return checkCertificateAt(certificate, wallNow)
}

/** Why a certificate does not count, in words for whoever showed it. */
export function certificateRefusal(fault: CertificateFault, node: NodeId) {
  switch (fault) {
    case 'CERTIFICATE_INVALID':
      return refusal(fault, `no authority of this swarm has signed the certificate of ${node}: ${REJOIN}`)
    case 'AUTHORITY_UNKNOWN':
      return refusal(
        fault,
        `the key that signed the certificate of ${node} speaks for no organisation that is known here yet: ` +
          `the council is being asked; trying again goes by itself, and helps once its decision is here ('council show organisations')`,
      )
    case 'AUTHORITY_WITHDRAWN':
      return refusal(
        fault,
        `the key that signed the certificate of ${node} no longer speaks for its organisation: ${REJOIN}`,
      )
    case 'CERTIFICATE_REVOKED':
      return refusal(
        fault,
        `its organisation has ended the membership of ${node} for good: join with a ticket of another organisation`,
      )
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
