import {
  CERTIFICATE_TTL_MS,
  type Certificate,
  checkCertificateAt,
  createSigner,
  createVerifier,
  decodeGenesis,
  errorOf,
  type Founding,
  foundSwarm,
  issueCertificate,
  type KeyPair,
  newNonce,
  nextEpoch,
  organisationOf,
  ROLES,
  type Ticket,
  type Verifier,
} from '../identity/index.ts'
import { type OrgId, SwarmError, type WallMillis } from '../kernel/index.ts'
import type { Clock } from './clock.ts'
import type { NodeState } from './node-state.ts'

/** A node's place in a swarm: what it was founded on, and the certificate that makes this key a member. */
export interface Standing {
  readonly founding: Founding
  readonly verifier: Verifier
  readonly certificate: Certificate
  readonly certificateBytes: Uint8Array
}

export interface FoundingTerms {
  readonly swarmName: string
  readonly organisation: string
  /** Cluster-wide parameters, as the configuration spells them. */
  readonly parameters: Readonly<Record<string, string>>
}

/** How far back a certificate's life begins, for peers whose clocks are behind. */
const BACKDATE_MS = 60_000
/** An authority renews its own certificate when less than this share of its life is left. */
const RENEW_AT_LEFT = 1 / 3

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
      parameters: terms.parameters,
    },
    authority,
  )
  if (!founded.ok) throw errorOf(founded.error)
  return standing(founded.value, certifySelf(node, authority, founded.value, terms.organisation as OrgId, clock))
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
  const verifier = createVerifier(founding)
  const certificate = verifier.certificate(certificateBytes)
  if (!certificate.ok) throw damaged('the certificate in the log does not verify')
  return { founding, verifier, certificate: certificate.value, certificateBytes }
}

/**
 * Whether the ticket is to be used: a node that already belongs to the ticket's swarm does not need it, unless its own
 * certificate has ended.
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
  return !checkCertificateAt(known.certificate, clock.wallNow()).ok
}

/**
 * A standing fit to be used now. A node that holds its organisation's key renews its own certificate in good time.
 *
 * @throws SwarmError CERTIFICATE_INVALID for another key, CERTIFICATE_EXPIRED
 */
export function refreshed(known: Standing, node: KeyPair, authority: KeyPair | undefined, clock: Clock): Standing {
  const { certificate, founding } = known
  if (certificate.node !== node.node) {
    throw new SwarmError(
      'CERTIFICATE_INVALID',
      `the certificate in this data directory is for ${certificate.node}, but its key is that of ${node.node}: put the ` +
        'right key file back, or join again with a new ticket and an empty data directory',
    )
  }
  const org = authority === undefined ? undefined : organisationOf(founding.genesis, authority.node)?.name
  const leftMs = certificate.notAfter - clock.wallNow()
  const isDue = leftMs < (certificate.notAfter - certificate.notBefore) * RENEW_AT_LEFT
  if (isDue && authority !== undefined && org === certificate.org) {
    return standing(founding, certifySelf(node, authority, founding, org, clock, certificate))
  }
  const current = checkCertificateAt(certificate, clock.wallNow())
  if (!current.ok) throw errorOf(current.error)
  return known
}

function certifySelf(
  node: KeyPair,
  authority: KeyPair,
  founding: Founding,
  org: OrgId,
  clock: Clock,
  previous?: Certificate,
): Uint8Array {
  const now = clock.wallNow()
  return issueCertificate(createSigner(authority, founding.swarm), {
    swarm: founding.swarm,
    node: node.node,
    org,
    roles: previous?.roles ?? ROLES,
    labels: previous?.labels ?? {},
    epoch: nextEpoch(now, previous?.epoch),
    notBefore: (now - BACKDATE_MS) as WallMillis,
    notAfter: (now + CERTIFICATE_TTL_MS) as WallMillis,
  })
}

function damaged(why: string): SwarmError {
  const message = `the log holds a membership that does not verify (${why}): restore a backup, or join again with a new ticket`
  return new SwarmError('STORE_DAMAGED', message)
}
