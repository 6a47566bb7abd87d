import { type NodeId, ok, type Result, type WallMillis } from '../kernel/index.ts'
import { count, decode, encode, fixedBytes, nodeId, record, variant } from '../wire/index.ts'
import { NONCE_BYTES } from './keys.ts'
import { fromHex, toHex } from './names.ts'
import { LEDGER_TICKETS_MAX, LEDGER_USES_MAX } from './params.ts'
import { type Refusal, refusal } from './refusal.ts'
import { checkTicketAt, type TicketTerms } from './ticket.ts'

/** What stands in the durable log: a use, or that the counts of all tickets that ended up to a time are gone. */
export const ledgerRecordShape = variant({
  use: record({ id: fixedBytes(NONCE_BYTES), notAfter: count<WallMillis>(), node: nodeId }),
  forgotten: record({ upTo: count<WallMillis>() }),
})

/** The first use of a ticket by a node has a record, to be durable before the certificate leaves; later ones have none. */
export interface TicketUse {
  readonly record: Uint8Array | undefined
}

interface Counted {
  readonly notAfter: WallMillis
  readonly nodes: Set<NodeId>
}

/** Counts at the issuer which nodes have used which ticket. Bounded; refuses, rather than forgets, when full. */
export class TicketLedger {
  readonly #tickets = new Map<string, Counted>()
  readonly #ticketsMax: number
  readonly #usesMax: number
  #useCount = 0
  /** tickets that ended up to here are refused, whatever the clock does next, as their counts are gone. */
  #forgottenUpTo = -1 as WallMillis

  constructor(limits: { readonly ticketsMax?: number; readonly usesMax?: number } = {}) {
    this.#ticketsMax = limits.ticketsMax ?? LEDGER_TICKETS_MAX
    this.#usesMax = limits.usesMax ?? LEDGER_USES_MAX
  }

  get ticketCount(): number {
    return this.#tickets.size
  }

  get useCount(): number {
    return this.#useCount
  }

  /** Counts a use at once, so that two newcomers cannot share the last one while its record is on its way to the disk. */
  use(ticket: TicketTerms, node: NodeId, wallNow: WallMillis): Result<TicketUse, Refusal> {
    this.dropExpired(wallNow)
    const inTime = checkTicketAt(ticket, Math.max(wallNow, this.#forgottenUpTo + 1) as WallMillis)
    if (!inTime.ok) return inTime
    const counted = this.#tickets.get(ticket.id)
    if (counted?.nodes.has(node)) return ok({ record: undefined })
    if (counted !== undefined && counted.nodes.size >= ticket.usesMax) {
      const uses = ticket.usesMax === 1 ? 'once' : `${ticket.usesMax} times`
      return refusal('TICKET_USED_UP', `the ticket was good for use ${uses} and is used up: ask its issuer for another`)
    }
    if (this.#useCount >= this.#usesMax || (counted === undefined && this.#tickets.size >= this.#ticketsMax)) {
      return refusal('OVERLOADED', 'the issuer keeps count of too many tickets: wait until older ones have ended')
    }
    this.#count(ticket.id, ticket.notAfter, node)
    return ok({ record: recordOf(ticket.id, ticket.notAfter, node) })
  }

  /** Takes back a record of the durable log at start. False when it is not one or goes beyond the bounds. */
  restore(bytes: Uint8Array): boolean {
    const decoded = decode(ledgerRecordShape, bytes)
    if (!decoded.ok) return false
    const record = decoded.value
    if (record.kind === 'forgotten') {
      this.#forgottenUpTo = Math.max(this.#forgottenUpTo, record.upTo) as WallMillis
      return true
    }
    const id = toHex(record.id)
    const counted = this.#tickets.get(id)
    if (counted?.nodes.has(record.node)) return true
    if (this.#useCount >= this.#usesMax || (counted === undefined && this.#tickets.size >= this.#ticketsMax))
      return false
    this.#count(id, record.notAfter, record.node)
    return true
  }

  /** All that still matters, for the compaction of the log. */
  records(): readonly Uint8Array[] {
    const uses = [...this.#tickets].flatMap(([id, { notAfter, nodes }]) =>
      [...nodes].map((node) => recordOf(id, notAfter, node)),
    )
    if (this.#forgottenUpTo < 0) return uses
    return [encode(ledgerRecordShape, { kind: 'forgotten', upTo: this.#forgottenUpTo }), ...uses]
  }

  /** Forgets tickets that have ended; they stay refused. */
  dropExpired(wallNow: WallMillis): void {
    for (const [id, { notAfter, nodes }] of this.#tickets) {
      if (notAfter >= wallNow) continue
      this.#tickets.delete(id)
      this.#useCount -= nodes.size
      this.#forgottenUpTo = Math.max(this.#forgottenUpTo, notAfter) as WallMillis
    }
  }

  #count(id: string, notAfter: WallMillis, node: NodeId): void {
    const counted = this.#tickets.get(id) ?? { notAfter, nodes: new Set() }
    counted.nodes.add(node)
    this.#tickets.set(id, counted)
    this.#useCount += 1
  }
}

function recordOf(id: string, notAfter: WallMillis, node: NodeId): Uint8Array {
  return encode(ledgerRecordShape, { kind: 'use', id: fromHex(id), notAfter, node })
}
