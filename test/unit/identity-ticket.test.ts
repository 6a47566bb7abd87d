import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkTicketAt,
  createSigner,
  decodeTicket,
  issueTicket,
  parseTicket,
  ROLES,
  TICKET_TTL_MS_MAX,
  TICKET_USES_MAX,
  TicketLedger,
  ticketText,
} from '../../src/identity/index.ts'
import type { OrgId, WallMillis } from '../../src/kernel/index.ts'
import {
  acmeAuthority,
  at,
  codeOf,
  DAY_MS,
  founding,
  keyPair,
  NOW,
  ticketFor,
  ticketTerms,
  value,
} from './identity-fixtures.ts'

const founded = founding()
const issuer = keyPair(4).node
const ticket = ticketFor(issuer, founded)
const signer = createSigner(acmeAuthority, founded.swarm)

describe('tickets', () => {
  it('A-6 read back from their text, however it was pasted', () => {
    const text = ticketText(ticket)
    expect(text).toMatch(/^swarm1[A-Za-z0-9_-]+$/)
    for (const pasted of [text, `  ${text}\n`, text.replace(/(.{64})/g, '$1\r\n  ')]) {
      expect(value(parseTicket(pasted))).toEqual(ticket)
    }
    expect(value(decodeTicket(ticket.bytes))).toEqual(ticket)
  })

  it('A-6 stay within 2 KiB or are not made', () => {
    const addresses = Array.from({ length: 8 }, (_, i) => `/dns4/node-${i}.example.org/tcp/4001`)
    const full = ticketFor(issuer, founded, { addresses, roles: ROLES, usesMax: TICKET_USES_MAX })
    expect(ticketText(full).length).toBeLessThanOrEqual(2048)
    const labels = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`key-${i}`, 'v'.repeat(64)]))
    const long = Array.from({ length: 8 }, () => `/dns4/${'x'.repeat(140)}/tcp/1`)
    const terms = ticketTerms(issuer, founded.swarm, { labels, addresses: long })
    expect(codeOf(issueTicket(signer, terms))).toBe('TOO_LARGE')
  })

  it('A-6 live for 90 days at most, and say so', () => {
    const { issuedAt } = ticketTerms(issuer, founded.swarm, {})
    const until = (days: number) =>
      issueTicket(
        signer,
        ticketTerms(issuer, founded.swarm, { notAfter: (issuedAt + days * 86_400_000) as WallMillis }),
      )
    expect(until(90).ok).toBe(true)
    expect(until(90.1)).toMatchObject({ error: { message: expect.stringMatching(/it lives longer than 90 days$/) } })
  })

  it('A-6 fit or are refused, whatever the terms', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 160 }), { minLength: 1, maxLength: 8 }),
        fc.nat(64),
        (lengths, labelLength) => {
          const addresses = lengths.map((length) => '/'.padEnd(length, 'a'))
          const terms = ticketTerms(issuer, founded.swarm, { addresses, labels: { a: 'b'.repeat(labelLength) } })
          const made = issueTicket(signer, terms)
          if (made.ok) expect(value(parseTicket(ticketText(made.value)))).toEqual(made.value)
          else expect(made.error.code).toBe('TOO_LARGE')
        },
      ),
      { numRuns: 60 },
    )
  })

  it.each([
    ['', 'empty'],
    ['   \n', 'empty'],
    ['hello', "starts with 'swarm1'"],
    ['swarm2AAAA', 'newer kind'],
    ['swarm1', 'end too early'],
    ['swarm1AAAA', 'pasted whole'],
    [`"${ticketText(ticket)}"`, 'starts with \'"swarm1'],
    [`${ticketText(ticket)}"`, 'without quotes'],
    [ticketText(ticket).slice(0, -1), ''],
    [ticketText(ticket).slice(0, 100), ''],
    ['swarm1'.padEnd(3000, 'A'), 'longer than 2048'],
    ['x'.repeat(100_000), 'far too long'],
    ['\u001b[31m', "starts with 'swarm1'"],
  ])('A-6 are refused with words that help: %j', (pasted, hint) => {
    const parsed = parseTicket(pasted)
    expect(codeOf(parsed)).toBe('TICKET_MALFORMED')
    if (parsed.ok) return
    expect(parsed.error.message).toContain(hint)
    expect(parsed.error.message).toMatch(/^[\x20-\x7e]+$/)
  })

  it('A-6 never read after a change of one character', () => {
    const text = ticketText(ticket)
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'AZaz09_-!'), (i, letter) => {
        fc.pre(text[i] !== letter)
        const parsed = parseTicket(text.slice(0, i) + letter + text.slice(i + 1))
        expect(['TICKET_MALFORMED', 'TICKET_INVALID']).toContain(codeOf(parsed))
      }),
    )
  })

  it('A-6 take any text without a throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => !parseTicket(`swarm1${text}`).ok))
  })

  it.each([
    [{ addresses: [] }],
    [{ addresses: ['/ip4/1.2.3.4 /tcp/1'] }],
    [{ addresses: [`/dns4/${'x'.repeat(200)}`] }],
    [{ addresses: Array.from({ length: 9 }, () => '/ip4/1.2.3.4/tcp/1') }],
    [{ usesMax: 0 }],
    [{ usesMax: TICKET_USES_MAX + 1 }],
    [{ notAfter: NOW }],
    [{ notAfter: at(TICKET_TTL_MS_MAX + 1) }],
    [{ certificateTtlMs: 0 }],
    [{ org: '' as OrgId }],
    [{ labels: { a: '\n' } }],
  ])('are not made with terms that nobody could use: %j', (changes) => {
    expect(codeOf(issueTicket(signer, ticketTerms(issuer, founded.swarm, changes)))).toBe('BAD_REQUEST')
  })

  it('end', () => {
    expect(checkTicketAt(ticket, ticket.notAfter).ok).toBe(true)
    expect(codeOf(checkTicketAt(ticket, at(DAY_MS + 1)))).toBe('TICKET_EXPIRED')
  })
})

describe('ticket ledger', () => {
  const nodes = [10, 11, 12, 13].map((number) => keyPair(number).node)
  const [first, second, third] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]]

  it('A-7 admits as many different nodes as the ticket says', () => {
    const ledger = new TicketLedger()
    const twice = ticketFor(issuer, founded, { usesMax: 2 })
    expect(value(ledger.use(twice, first, NOW)).record).toBeInstanceOf(Uint8Array)
    expect(value(ledger.use(twice, first, NOW)).record).toBeUndefined()
    expect(value(ledger.use(twice, second, NOW)).record).toBeInstanceOf(Uint8Array)
    expect(codeOf(ledger.use(twice, third, NOW))).toBe('TICKET_USED_UP')
    expect(value(ledger.use(twice, second, NOW)).record).toBeUndefined()
    expect(codeOf(ledger.use(twice, first, at(DAY_MS + 1)))).toBe('TICKET_EXPIRED')
  })

  it('A-7 says the same after a restart, from its records in any order and more than once', () => {
    const before = new TicketLedger()
    const twice = ticketFor(issuer, founded, { usesMax: 2 })
    const records = [first, second].map((node) => value(before.use(twice, node, NOW)).record)
    for (const log of [records, records.toReversed(), [...records, ...records], before.records()]) {
      const after = new TicketLedger()
      for (const record of log) expect(record !== undefined && after.restore(record)).toBe(true)
      expect(after.useCount).toBe(2)
      expect(codeOf(after.use(twice, third, NOW))).toBe('TICKET_USED_UP')
      expect(value(after.use(twice, first, NOW)).record).toBeUndefined()
    }
    expect(new TicketLedger().restore(Uint8Array.of(1, 2, 3))).toBe(false)
  })

  it('A-7 never honours a ticket whose counts it forgot, though the clock goes back and the log is compacted', () => {
    const ledger = new TicketLedger()
    ledger.use(ticket, first, NOW)
    ledger.dropExpired(at(2 * DAY_MS))
    expect([ledger.ticketCount, ledger.useCount]).toEqual([0, 0])
    expect(codeOf(ledger.use(ticket, second, NOW))).toBe('TICKET_EXPIRED')
    const restarted = new TicketLedger()
    for (const record of ledger.records()) restarted.restore(record)
    expect(codeOf(restarted.use(ticket, second, NOW))).toBe('TICKET_EXPIRED')
    const later = ticketFor(issuer, founded, { id: 'ff'.repeat(16), notAfter: at(3 * DAY_MS) })
    expect(restarted.use(later, second, NOW).ok).toBe(true)
  })

  it('A-7 refuses when it is full, and forgets nothing for it', () => {
    const ledger = new TicketLedger({ ticketsMax: 1, usesMax: 2 })
    const wide = ticketFor(issuer, founded, { usesMax: 9 })
    const other = ticketFor(issuer, founded, { id: 'ff'.repeat(16) })
    expect(ledger.use(wide, first, NOW).ok).toBe(true)
    expect(codeOf(ledger.use(other, second, NOW))).toBe('OVERLOADED')
    expect(ledger.use(wide, second, NOW).ok).toBe(true)
    expect(codeOf(ledger.use(wide, third, NOW))).toBe('OVERLOADED')
    expect(value(ledger.use(wide, first, NOW)).record).toBeUndefined()
    const log = ledger.records()
    const smaller = new TicketLedger({ ticketsMax: 1, usesMax: 1 })
    expect(log.map((record) => smaller.restore(record))).toEqual([true, false])
  })
})
