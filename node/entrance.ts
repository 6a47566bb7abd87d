import {
  type Clock,
  errorOf,
  found,
  isInForce,
  issuerFor,
  needsTicket,
  parseTicket,
  refreshed,
  type Standing,
  type SwarmId,
  type Ticket,
} from '../src/index.ts'
import type { NodeKeys } from './keys.ts'
import type { Settings } from './settings.ts'

/** How this node comes to be a member of its swarm. */
export type Entrance =
  /** By a ticket, which its issuer exchanges for a certificate; `known` if the one at hand still holds without it. */
  | { readonly kind: 'join'; readonly swarm: SwarmId; readonly ticket: Ticket; readonly known: Standing | undefined }
  /** As the founder of a swarm of one. */
  | { readonly kind: 'found'; readonly swarm: SwarmId; readonly standing: Standing }
  /** As the member that it was; `renew` when its certificate is a new one. */
  | { readonly kind: 'return' | 'renew'; readonly swarm: SwarmId; readonly standing: Standing }

/**
 * @param known what the log remembers, and what the council had decided by then
 * @throws SwarmError TICKET_*, ALREADY_MEMBER, CERTIFICATE_*, AUTHORITY_WITHDRAWN
 */
export function entranceOf(settings: Settings, known: Standing | undefined, keys: NodeKeys, clock: Clock): Entrance {
  const ticket = settings.start.join === undefined ? undefined : readTicket(settings.start.join)
  // Who holds the organisation's key needs nobody's ticket, and could not use one of its own.
  const issues = known !== undefined && issuerFor(known.known, keys.authority()) === known.certificate.org
  if (ticket !== undefined && needsTicket(known, ticket, clock) && !issues) {
    const holds = known !== undefined && isInForce(known, clock)
    return { kind: 'join', swarm: ticket.swarm, ticket, known: holds ? known : undefined }
  }
  if (known === undefined) {
    const made = found(keys.node, keys.makeAuthority(), settings.founding, clock)
    return { kind: 'found', swarm: made.founding.swarm, standing: made }
  }
  const now = refreshed(known, keys.node, keys.authority(), clock, settings.config.security.certificateTtlMs)
  return { kind: now === known ? 'return' : 'renew', swarm: now.founding.swarm, standing: now }
}

function readTicket(text: string): Ticket {
  const ticket = parseTicket(text)
  if (!ticket.ok) throw errorOf(ticket.error)
  return ticket.value
}
