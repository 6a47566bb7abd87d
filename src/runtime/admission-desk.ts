import {
  type Authorities,
  type Certificate,
  type Contact,
  createSigner,
  errorOf,
  type Founding,
  type Granted,
  issueCertificate,
  issueTicket,
  type KeyPair,
  newNonce,
  nextEpoch,
  type Refusal,
  type Role,
  type Ticket,
  type TicketLedger,
} from '../identity/index.ts'
import { err, type NodeId, type OrgId, ok, type Result, SwarmError, type WallMillis } from '../kernel/index.ts'
import type { NodeRecord } from '../swarm/index.ts'
import type { Clock } from './clock.ts'

export interface AdmissionDeskOptions {
  readonly node: NodeId
  readonly founding: Founding
  /** Whose keys speak for organisations, as far as this node knows. */
  readonly known: Authorities
  /** An organisation's key, where this node holds it; other members make no tickets. */
  readonly authority: KeyPair | undefined
  readonly ledger: TicketLedger
  readonly clock: Clock
  /** Life of a certificate that this node renews. */
  readonly certificateTtlMs: number
  /** Members that a newcomer is told of. */
  contacts(): readonly Contact[]
  /** Whether a certificate is void, whatever it says. */
  isRevoked(subject: Pick<Certificate, 'org' | 'node' | 'epoch'>): boolean
  /** Writes the record; `then` runs when it is durable. */
  persist(record: NodeRecord, then: () => void): void
}

export interface TicketRequest {
  readonly roles: readonly Role[]
  /** Left out: the organisation whose authority key this node holds. */
  readonly org?: string
  readonly ttlMs: number
  /** Life of the certificate that it is exchanged for. */
  readonly certificateTtlMs: number
  readonly usesMax: number
  readonly labels: Readonly<Record<string, string>>
  /** Where newcomers reach this node. */
  readonly addresses: readonly string[]
}

/** How far back a certificate's life begins, for newcomers whose clocks are behind. */
const CERTIFICATE_BACKDATE_MS = 60_000

/** Makes join tickets, exchanges them for certificates (U-3), and renews certificates (U-6). */
export class AdmissionDesk {
  readonly #options: AdmissionDeskOptions

  constructor(options: AdmissionDeskOptions) {
    this.#options = options
  }

  /** @throws SwarmError NOT_AUTHORITY, BAD_REQUEST or TOO_LARGE */
  createTicket(request: TicketRequest): Ticket {
    const { founding, clock, node } = this.#options
    const { authority, org } = this.#authority()
    if (request.org !== undefined && request.org !== org) {
      throw new SwarmError(
        'NOT_AUTHORITY',
        `this node speaks for organisation ${org}, not for ${request.org}: ask a node of ${request.org}`,
      )
    }
    const now = clock.wallNow()
    const ticket = issueTicket(createSigner(authority, founding.swarm), {
      swarm: founding.swarm,
      issuer: node,
      addresses: request.addresses,
      org,
      roles: request.roles,
      labels: request.labels,
      id: Buffer.from(newNonce()).toString('hex'),
      issuedAt: now,
      notAfter: (now + request.ttlMs) as WallMillis,
      usesMax: request.usesMax,
      certificateTtlMs: request.certificateTtlMs,
    })
    if (!ticket.ok) throw errorOf(ticket.error)
    return ticket.value
  }

  /** @throws SwarmError NOT_AUTHORITY */
  #authority(): { readonly authority: KeyPair; readonly org: OrgId } {
    const { authority, known } = this.#options
    if (authority === undefined) {
      throw new SwarmError(
        'NOT_AUTHORITY',
        'this node holds no authority key, so it cannot make tickets: run the command on the node that founded the swarm',
      )
    }
    const org = known.organisationOf(authority.node)
    if (org !== undefined) return { authority, org }
    const was = known.withdrawnFrom(authority.node)
    throw new SwarmError(
      'NOT_AUTHORITY',
      was === undefined
        ? `the key ${authority.node} of this node speaks for no organisation yet, as far as this node knows: have it decided ` +
            `('council propose org --name NAME --key ${authority.node} --seats N')`
        : `the key ${authority.node} of this node was withdrawn from ${was}: 'council show organisations' lists its keys now`,
    )
  }

  /** U-3: the use is on disk before the certificate exists, so that a crash in between costs a use and admits nobody. */
  async grant(ticket: Ticket, newcomer: NodeId): Promise<Result<Granted, Refusal>> {
    const { authority, known, ledger, clock, contacts } = this.#options
    if (authority === undefined || ticket.authority !== authority.node) {
      return err({ code: 'NOT_AUTHORITY', message: 'this node no longer holds the key that signed the ticket' })
    }
    if (known.organisationOf(authority.node) !== ticket.org) {
      return err({ code: 'NOT_AUTHORITY', message: `the key that signed the ticket does not speak for ${ticket.org}` })
    }
    const use = ledger.use(ticket, newcomer, clock.wallNow())
    if (!use.ok) return use
    const { record } = use.value
    if (record !== undefined) {
      await new Promise<void>((resolve) => this.#options.persist({ kind: 'ticket-use', bytes: record }, resolve))
    }
    const certificate = this.#issue(authority, { ...ticket, node: newcomer }, ticket.certificateTtlMs)
    return ok({ certificate, contacts: contacts().filter(({ node }) => node !== newcomer) })
  }

  /**
   * U-6: the same certificate again, later. Who asks, and whether it may, `src/renewal` has judged; what only the host
   * knows is judged here: the key, and who is revoked.
   */
  renew(previous: Certificate): Result<Uint8Array, Refusal> {
    const { authority, known, certificateTtlMs, isRevoked } = this.#options
    if (authority === undefined || known.organisationOf(authority.node) !== previous.org) {
      return err({ code: 'NOT_AUTHORITY', message: `this node holds no authority key of ${previous.org}` })
    }
    if (isRevoked(previous) || known.isExpelled(previous.node, previous.org)) {
      return err({ code: 'CERTIFICATE_REVOKED', message: `the certificate of ${previous.node} was revoked` })
    }
    return ok(this.#issue(authority, previous, certificateTtlMs, previous.epoch))
  }

  /** A fresh certificate, of an epoch above all that this authority has issued before for the node. */
  #issue(
    authority: KeyPair,
    { node, org, roles, labels }: Pick<Certificate, 'node' | 'org' | 'roles' | 'labels'>,
    ttlMs: number,
    previousEpoch?: number,
  ): Uint8Array {
    const { founding, clock } = this.#options
    const now = clock.wallNow()
    return issueCertificate(createSigner(authority, founding.swarm), {
      swarm: founding.swarm,
      node,
      org,
      roles,
      labels,
      epoch: nextEpoch(now, previousEpoch),
      notBefore: (now - CERTIFICATE_BACKDATE_MS) as WallMillis,
      notAfter: (now + ttlMs) as WallMillis,
    })
  }
}
