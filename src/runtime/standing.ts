import {
  type Authorities,
  AuthorityBook,
  type Certificate,
  certificateReader,
  certificateRefusal,
  checkCertificateAt,
  createSigner,
  createVerifier,
  decodeGenesis,
  errorOf,
  type Founding,
  foundingAuthorities,
  foundSwarm,
  issueCertificate,
  type KeyPair,
  newNonce,
  nextEpoch,
  ROLES,
  sponsored,
  type Ticket,
  type Verifier,
} from '../identity/index.ts'
import { assert, type NodeId, type OrgId, SwarmError, type WallMillis } from '../kernel/index.ts'
import { DUE_SHARE_MAX } from '../swarm/index.ts'
import type { Clock } from './clock.ts'
import type { NodeState } from './node-state.ts'

/** A node's place in a swarm: what it was founded on, and the certificate that makes this key a member. */
export interface Standing {
  readonly founding: Founding
  /** Goes by `known`. */
  readonly verifier: Verifier
  /** Whose keys count: those in the book, and the one that certified this node, until it is known to be withdrawn. */
  readonly known: Authorities
  /** Says what the genesis says until it follows the council. */
  readonly book: AuthorityBook
  readonly certificate: Certificate
  readonly certificateBytes: Uint8Array
  /** The key that signed it. */
  readonly authority: NodeId
}

export interface FoundingTerms {
  readonly swarmName: string
  readonly organisation: string
  /** Cluster-wide parameters, as the configuration spells them. */
  readonly parameters: Readonly<Record<string, string>>
  /** Life of the founder's own certificate. */
  readonly certificateTtlMs: number
}

/** How far back a certificate's life begins, for peers whose clocks are behind. */
const BACKDATE_MS = 60_000

/** Most seats that one organisation may hold in a council of the largest size; the council can change it (protocols §1). */
const FOUNDER_SEATS_MAX = 64

/** A swarm of one: `swarm-node start` with nothing configured. */
export function found(node: KeyPair, authority: KeyPair, terms: FoundingTerms, clock: Clock): Standing {
  const founded = foundSwarm(
    {
      name: terms.swarmName,
      createdAt: clock.wallNow(),
      nonce: newNonce(),
      organisations: [
        { name: terms.organisation as OrgId, authorities: [authority.node], validatorSeatsMax: FOUNDER_SEATS_MAX },
      ],
      validators: [{ node: node.node, org: terms.organisation as OrgId }],
      parameters: terms.parameters,
    },
    authority,
  )
  if (!founded.ok) throw errorOf(founded.error)
  return standing(founded.value, certifySelf(node, authority, founded.value, clock, terms))
}

/** The standing that the log remembers; undefined for a node that never belonged to a swarm. */
export function recall(state: NodeState): Standing | undefined {
  if (state.genesis === undefined || state.certificate === undefined) return undefined
  const founding = decodeGenesis(state.genesis)
  if (!founding.ok) throw damaged(founding.error.message)
  return standing(founding.value, state.certificate)
}

/** What a ticket was exchanged for. */
export function standing(founding: Founding, certificateBytes: Uint8Array): Standing {
  const vouched = certificateReader(founding.swarm)(certificateBytes)
  if (vouched === undefined) throw damaged('the certificate in the log does not verify')
  const { certificate, authority } = vouched
  const book = new AuthorityBook(foundingAuthorities(founding.genesis))
  const known = sponsored(book, { key: authority, org: certificate.org })
  const verifier = createVerifier(founding, { authorities: known })
  return { founding, verifier, known, book, certificate, certificateBytes, authority }
}

/**
 * Whether the ticket is to be used: a node that already belongs to the ticket's swarm does not need it, unless its own
 * certificate has ended, is due to be renewed, or is void because its signer's key was withdrawn. Cut off, it may not have heard
 * of that: a later ticket by another key is reason enough (U-7).
 *
 * @throws SwarmError ALREADY_MEMBER when the ticket is for another swarm
 */
export function needsTicket(known: Standing | undefined, ticket: Ticket, clock: Clock): boolean {
  if (known === undefined) return true
  if (known.founding.swarm !== ticket.swarm) {
    throw new SwarmError(
      'ALREADY_MEMBER',
      `this data directory belongs to swarm ${known.founding.genesis.name} (${known.founding.swarm.slice(0, 12)}), the ` +
        `ticket is for ${ticket.swarm.slice(0, 12)}: start with another --data directory to join that one`,
    )
  }
  const isAnother = ticket.authority !== known.authority && ticket.issuedAt > known.certificate.epoch
  return isDue(known.certificate, clock) || !isVouched(known) || isAnother
}

/** Whether the certificate is good at this moment. */
export function isInForce(known: Standing, clock: Clock): boolean {
  return isVouched(known) && checkCertificateAt(known.certificate, clock.wallNow()).ok
}

/** Whether the key that signed its certificate still counts. */
function isVouched({ verifier, certificateBytes }: Standing): boolean {
  return verifier.certificate(certificateBytes).ok
}

/** The organisation for which a node with this authority key can issue certificates. */
export function issuerFor(known: Authorities, authority: KeyPair | undefined): OrgId | undefined {
  return authority === undefined ? undefined : known.organisationOf(authority.node)
}

/** The same standing with the certificate that replaces its own. */
export function renewed(known: Standing, certificateBytes: Uint8Array): Standing {
  // Its key may have been withdrawn since it was judged: then others say so.
  const vouched = certificateReader(known.founding.swarm)(certificateBytes)
  assert(vouched !== undefined, 'a certificate is judged before it is used')
  return { ...known, ...vouched, certificateBytes }
}

/**
 * A standing fit to be used now. A node that holds its organisation's key renews its own certificate in good time.
 *
 * @throws SwarmError CERTIFICATE_INVALID for another key, CERTIFICATE_EXPIRED, CERTIFICATE_REVOKED, AUTHORITY_WITHDRAWN
 */
export function refreshed(
  known: Standing,
  node: KeyPair,
  authority: KeyPair | undefined,
  clock: Clock,
  certificateTtlMs: number,
): Standing {
  const { certificate, founding } = known
  if (certificate.node !== node.node) {
    throw new SwarmError(
      'CERTIFICATE_INVALID',
      `the certificate in this data directory is for ${certificate.node}, but its key is that of ${node.node}: put the ` +
        'right key file back, or join again with a new ticket and an empty data directory',
    )
  }
  const org = issuerFor(known.known, authority)
  // With the key that it holds now: the one that certified it may be about to be withdrawn.
  const isOutdated = isDue(certificate, clock) || known.authority !== authority?.node
  if (isOutdated && authority !== undefined && org === certificate.org) {
    const terms = { organisation: org, certificateTtlMs }
    return renewed(known, certifySelf(node, authority, founding, clock, terms, certificate))
  }
  const own = known.verifier.certificate(known.certificateBytes)
  if (!own.ok) throw errorOf(certificateRefusal(own.error, node.node).error)
  const current = checkCertificateAt(certificate, clock.wallNow())
  if (!current.ok) throw errorOf(current.error)
  return known
}

/** Less than a third of its life is left, or it is not in force yet: while a node runs, `src/renewal` sees to it. */
function isDue(certificate: Certificate, clock: Clock): boolean {
  const { notBefore, notAfter } = certificate
  const wallNow = clock.wallNow()
  return notAfter - wallNow < (notAfter - notBefore) * DUE_SHARE_MAX || !checkCertificateAt(certificate, wallNow).ok
}

function certifySelf(
  node: KeyPair,
  authority: KeyPair,
  founding: Founding,
  clock: Clock,
  terms: Pick<FoundingTerms, 'organisation' | 'certificateTtlMs'>,
  previous?: Certificate,
): Uint8Array {
  const now = clock.wallNow()
  return issueCertificate(createSigner(authority, founding.swarm), {
    swarm: founding.swarm,
    node: node.node,
    org: terms.organisation as OrgId,
    roles: previous?.roles ?? ROLES,
    labels: previous?.labels ?? {},
    epoch: nextEpoch(now, previous?.epoch),
    notBefore: (now - BACKDATE_MS) as WallMillis,
    notAfter: (now + terms.certificateTtlMs) as WallMillis,
  })
}

function damaged(why: string): SwarmError {
  const message = `the log holds a membership that does not verify (${why}): restore a backup, or join again with a new ticket`
  return new SwarmError('STORE_DAMAGED', message)
}
