import { assert, type NodeId, type OrgId, ok, type Result, type SwarmId, type WallMillis } from '../kernel/index.ts'
import { count, decode, encode, fixedBytes, list, nodeId, record, statement, text } from '../wire/index.ts'
import { labelsShape, rolesShape, SWARM_ID_BYTES } from './certificate.ts'
import { NONCE_BYTES } from './keys.ts'
import { areOrderedRoles, faultOfLabels, fromHex, isName, orderedRoles, printable, toHex } from './names.ts'
import {
  CERTIFICATE_TTL_MS_MAX,
  NAME_BYTES_MAX,
  TICKET_ADDRESS_BYTES_MAX,
  TICKET_ADDRESSES_MAX,
  TICKET_BYTES_MAX,
  TICKET_DAYS_MAX,
  TICKET_TEXT_BYTES_MAX,
  TICKET_TEXT_PREFIX,
  TICKET_TTL_MS_MAX,
  TICKET_USES_MAX,
} from './params.ts'
import { type Refusal, refusal } from './refusal.ts'
import { verifyStatement } from './signer.ts'
import type { Role, Signer } from './types.ts'

/** What a ticket says. */
export interface TicketTerms {
  readonly swarm: SwarmId
  /** The node that made the ticket, counts its uses, and is the only one to honour it. */
  readonly issuer: NodeId
  /** Where the issuer can be reached: multiaddr texts. */
  readonly addresses: readonly string[]
  readonly org: OrgId
  readonly roles: readonly Role[]
  readonly labels: Readonly<Record<string, string>>
  /** Lower-case hex of 16 random bytes. */
  readonly id: string
  readonly issuedAt: WallMillis
  readonly notAfter: WallMillis
  /** How many different nodes it admits. */
  readonly usesMax: number
  /** Life of the certificate that it is exchanged for. */
  readonly certificateTtlMs: number
}

/** A ticket that its signer has indeed signed; whether that signer is an authority, only the genesis tells. */
export interface Ticket extends TicketTerms {
  readonly authority: NodeId
  readonly bytes: Uint8Array
}

export const ticketBodyShape = record({
  swarm: fixedBytes(SWARM_ID_BYTES),
  issuer: nodeId,
  addresses: list(text(TICKET_ADDRESS_BYTES_MAX), TICKET_ADDRESSES_MAX),
  org: text<OrgId>(NAME_BYTES_MAX),
  roles: rolesShape,
  labels: labelsShape,
  id: fixedBytes(NONCE_BYTES),
  issuedAt: count<WallMillis>(),
  notAfter: count<WallMillis>(),
  usesMax: count(TICKET_USES_MAX),
  certificateTtlMs: count(CERTIFICATE_TTL_MS_MAX),
})

export const ticketShape = statement(TICKET_BYTES_MAX)

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/
const BASE64URL = /^[A-Za-z0-9_-]*$/
const ASK_AGAIN = "ask for a new one ('swarm-node ticket create' at a member)"

/** Signs a ticket with an authority key of its organisation. Refused with all that is wrong with the terms. */
export function issueTicket(signer: Signer, terms: TicketTerms): Result<Ticket, Refusal> {
  const ordered = { ...terms, roles: orderedRoles(terms.roles) }
  const fault = faultOfTerms(ordered)
  if (fault !== undefined) return refusal('BAD_REQUEST', `this ticket cannot be made: ${fault}`)
  const body = encode(ticketBodyShape, { ...ordered, swarm: fromHex(terms.swarm), id: fromHex(terms.id) })
  const signed = signer.sign('ticket', body)
  const size = body.length + 160
  if (size > TICKET_BYTES_MAX) {
    const limit = `${TICKET_BYTES_MAX} bytes`
    return refusal('TOO_LARGE', `this ticket takes ${size} of ${limit}: give it fewer addresses or labels`)
  }
  return ok({ ...ordered, authority: signer.node, bytes: encode(ticketShape, signed) })
}

/** the text that people pass on. */
export function ticketText(ticket: Ticket): string {
  const written = TICKET_TEXT_PREFIX + Buffer.from(ticket.bytes).toString('base64url')
  assert(written.length <= TICKET_TEXT_BYTES_MAX, 'a ticket fits into its text', { length: written.length })
  return written
}

/** reads a pasted ticket. White space, as terminals and chats put it in, does not matter. */
export function parseTicket(pasted: string): Result<Ticket, Refusal> {
  // A paste that is far too long is not worth cleaning.
  if (pasted.length > TICKET_TEXT_BYTES_MAX * 2) return malformed('it is far too long; paste the ticket alone')
  const written = pasted.replace(/\s+/g, '')
  if (written === '') return malformed('it is empty')
  if (!written.startsWith(TICKET_TEXT_PREFIX)) {
    if (/^swarm\d/.test(written)) return malformed('it is of a newer kind; bring this program up to date')
    return malformed(`a ticket starts with '${TICKET_TEXT_PREFIX}', this starts with '${printable(written, 12)}'`)
  }
  if (written.length > TICKET_TEXT_BYTES_MAX) return malformed(`it is longer than ${TICKET_TEXT_BYTES_MAX} characters`)
  const payload = written.slice(TICKET_TEXT_PREFIX.length)
  if (!BASE64URL.test(payload)) return malformed('it holds characters that no ticket has; paste it without quotes')
  const bytes = new Uint8Array(Buffer.from(payload, 'base64url'))
  // The decoder forgives left-over bits; a ticket has one spelling only.
  if (Buffer.from(bytes).toString('base64url') !== payload) return malformed('it was cut short; paste all of it')
  return decodeTicket(bytes)
}

/** Reads a ticket and verifies that its signer has signed it. */
export function decodeTicket(bytes: Uint8Array): Result<Ticket, Refusal> {
  if (bytes.length > TICKET_BYTES_MAX) return malformed(`it is longer than ${TICKET_BYTES_MAX} bytes`)
  const signed = decode(ticketShape, bytes)
  if (!signed.ok) return malformed(`${signed.error}; was it pasted whole?`)
  const body = decode(ticketBodyShape, signed.value.bytes)
  if (!body.ok) return malformed(`${body.error}; was it pasted whole?`)
  const swarm = toHex(body.value.swarm) as SwarmId
  const terms: TicketTerms = { ...body.value, swarm, id: toHex(body.value.id) }
  if (!verifyStatement('ticket', swarm, signed.value)) {
    return refusal('TICKET_INVALID', `the ticket's signature is wrong: it was damaged or forged; ${ASK_AGAIN}`)
  }
  const fault = faultOfTerms(terms)
  if (fault !== undefined) return refusal('TICKET_INVALID', `the ticket is not valid: ${fault}; ${ASK_AGAIN}`)
  return ok({ ...terms, authority: signed.value.signer, bytes: bytes.slice() })
}

/** Whether the ticket can still be used at this wall time. */
export function checkTicketAt(ticket: TicketTerms, wallNow: WallMillis): Result<TicketTerms, Refusal> {
  if (wallNow <= ticket.notAfter) return ok(ticket)
  const ended = new Date(ticket.notAfter).toISOString()
  return refusal('TICKET_EXPIRED', `the ticket ended at ${ended}: ${ASK_AGAIN}`)
}

function malformed(why: string): { readonly ok: false; readonly error: Refusal } {
  return refusal('TICKET_MALFORMED', `this is not a join ticket: ${why}`)
}

function faultOfTerms(terms: TicketTerms): string | undefined {
  if (!isName(terms.org)) return 'the organisation has no proper name'
  if (terms.addresses.length === 0) return 'it names no address of its issuer'
  if (terms.addresses.length > TICKET_ADDRESSES_MAX) return `it names more than ${TICKET_ADDRESSES_MAX} addresses`
  for (const address of terms.addresses) {
    if (!PRINTABLE_ASCII.test(address)) return 'an address holds characters that no address has'
    if (address.length > TICKET_ADDRESS_BYTES_MAX) return `an address is longer than ${TICKET_ADDRESS_BYTES_MAX}`
  }
  if (!areOrderedRoles(terms.roles)) return 'roles are not in order'
  if (!Number.isInteger(terms.usesMax) || terms.usesMax < 1 || terms.usesMax > TICKET_USES_MAX) {
    return `uses are not 1 to ${TICKET_USES_MAX}`
  }
  if (terms.notAfter <= terms.issuedAt) return 'it ends before it starts'
  if (terms.notAfter - terms.issuedAt > TICKET_TTL_MS_MAX) return `it lives longer than ${TICKET_DAYS_MAX} days`
  if (terms.certificateTtlMs < 1 || terms.certificateTtlMs > CERTIFICATE_TTL_MS_MAX) {
    return `the certificate's life is not 1 to ${CERTIFICATE_TTL_MS_MAX} ms`
  }
  return faultOfLabels(terms.labels)
}
