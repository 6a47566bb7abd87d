import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Authorities,
  AuthorityBook,
  CERTIFICATE_BYTES_MAX,
  CERTIFICATE_TTL_MS_MAX,
  CLOCK_TOLERANCE_MS,
  certificateBodyShape,
  certificateReader,
  certificateShape,
  checkCertificateAt,
  createSigner,
  createVerifier,
  decodeCertificate,
  foundingAuthorities,
  issueCertificate,
  nextEpoch,
  ROLES,
  sponsored,
} from '../../src/identity/index.ts'
import { InvariantError, type OrgId, type WallMillis } from '../../src/kernel/index.ts'
import { encode } from '../../src/wire/index.ts'
import {
  ACME,
  acmeAuthority,
  at,
  certificateFields,
  certificateFor,
  codeOf,
  DAY_MS,
  founding,
  GLOBEX,
  globexAuthority,
  keyPair,
  NOW,
  stranger,
  value,
} from './identity-fixtures.ts'

const founded = founding()
const verifier = createVerifier(founded)
const node = keyPair(5).node

describe('certificates', () => {
  it('A-4 say what was issued, when their organisation’s authority signed', () => {
    expect(value(verifier.certificate(certificateFor(node, founded)))).toEqual(certificateFields(node, founded.swarm))
    const other = certificateFor(node, founded, { org: GLOBEX }, globexAuthority)
    expect(value(verifier.certificate(other)).org).toBe(GLOBEX)
  })

  it.each([
    ['by a stranger', 'AUTHORITY_UNKNOWN', certificateFor(node, founded, {}, stranger)],
    ['by another organisation’s authority', 'CERTIFICATE_INVALID', certificateFor(node, founded, {}, globexAuthority)],
    [
      'for an organisation nobody listed',
      'CERTIFICATE_INVALID',
      certificateFor(node, founded, { org: 'initech' as OrgId }),
    ],
    ['by the node for itself', 'AUTHORITY_UNKNOWN', certificateFor(node, founded, {}, keyPair(5))],
    ['for another swarm', 'CERTIFICATE_INVALID', certificateFor(node, founding('other'))],
  ])('A-4 are refused when signed %s', (_what, error, bytes) => {
    expect(verifier.certificate(bytes)).toEqual({ ok: false, error })
  })

  it('A-4 one that is not signed by whom it names is invalid, and not somebody’s who is still to be heard of', () => {
    const bytes = certificateFor(node, founded, {}, stranger)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    expect(verifier.certificate(bytes)).toEqual({ ok: false, error: 'CERTIFICATE_INVALID' })
  })

  it('A-4 A-15 A-17 count from the moment at which their key speaks for their organisation until it does no more', () => {
    const initech = 'initech' as OrgId
    const speaks = new Map<string, OrgId>()
    const spoke = new Map<string, OrgId>()
    const seats = new Map<string, OrgId>()
    const expelled = new Map<string, OrgId>()
    const authorities: Authorities = {
      organisationOf: (key) => speaks.get(key),
      withdrawnFrom: (key) => spoke.get(key),
      isSeated: (who, org) => seats.get(who) === org,
      isExpelled: (who, org) => expelled.get(who) === org,
    }
    const judge = createVerifier(founded, { authorities })
    const bytes = certificateFor(node, founded, { org: initech }, stranger)
    const verdict = () => {
      const judged = judge.certificate(bytes)
      return judged.ok ? 'good' : judged.error
    }
    expect(verdict()).toBe('AUTHORITY_UNKNOWN')
    speaks.set(stranger.node, initech)
    expect(verdict()).toBe('good')
    speaks.clear()
    spoke.set(stranger.node, initech)
    expect(verdict()).toBe('AUTHORITY_WITHDRAWN')
    seats.set(node, initech)
    expect(verdict()).toBe('good')
    seats.set(node, ACME)
    expect(verdict()).toBe('AUTHORITY_WITHDRAWN')
    // another organisation's word about the node is nothing to this one's.
    speaks.set(stranger.node, initech)
    expelled.set(node, ACME)
    expect(verdict()).toBe('good')
    expelled.set(node, initech)
    expect(verdict()).toBe('CERTIFICATE_REVOKED')
  })

  it('A-14 the sponsor’s key counts until it is known to have been withdrawn, and not for others’ organisations', () => {
    let withdrawn: OrgId | undefined
    const known: Authorities = { ...foundingAuthorities(founded.genesis), withdrawnFrom: () => withdrawn }
    const initech = 'initech' as OrgId
    const book = new AuthorityBook(foundingAuthorities(founded.genesis))
    const authorities = sponsored(book, { key: stranger.node, org: initech })
    expect([authorities.organisationOf(stranger.node), authorities.organisationOf(keyPair(5).node)]).toEqual([
      initech,
      undefined,
    ])
    expect(sponsored(book, { key: globexAuthority.node, org: initech }).organisationOf(globexAuthority.node)).toBe(
      GLOBEX,
    )
    withdrawn = initech
    book.follow(known)
    expect(authorities.organisationOf(stranger.node)).toBeUndefined()
    expect(authorities.withdrawnFrom(stranger.node)).toBe(initech)
  })

  it('A-4 are refused when they name this swarm but were signed for another', () => {
    const elsewhere = createSigner(acmeAuthority, founding('other').swarm)
    const bytes = issueCertificate(elsewhere, certificateFields(node, founded.swarm))
    expect(verifier.certificate(bytes).ok).toBe(false)
    const named = certificateFields(node, founding('other').swarm)
    expect(verifier.certificate(issueCertificate(createSigner(acmeAuthority, founded.swarm), named)).ok).toBe(false)
  })

  it('A-4 are refused after any change, also when the good one is already known', () => {
    const bytes = certificateFor(node, founded)
    const fresh = createVerifier(founded)
    expect(fresh.certificate(bytes).ok).toBe(true)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (i, flip) => {
        const changed = bytes.slice()
        changed[i] = (changed[i] ?? 0) ^ flip
        expect(fresh.certificate(changed).ok).toBe(false)
        expect(fresh.certificate(bytes.subarray(0, i)).ok).toBe(false)
      }),
    )
    expect(fresh.certificate(bytes).ok).toBe(true)
  })

  it('A-4 are read with the authority that signed, for those who know by themselves who may', () => {
    const read = certificateReader(founded.swarm)
    const bytes = certificateFor(node, founded, {}, stranger)
    expect(read(bytes)).toEqual({ certificate: certificateFields(node, founded.swarm), authority: stranger.node })
    const changed = bytes.slice()
    changed[40] = (changed[40] ?? 0) ^ 1
    for (const bad of [changed, bytes.slice(1), new Uint8Array(0), certificateFor(node, founding('other'))]) {
      expect(read(bad)).toBeUndefined()
    }
  })

  it('are verified once and then known', () => {
    let checks = 0
    const counting = createVerifier(founded, { check: () => ++checks > 0 })
    const bytes = certificateFor(node, founded)
    for (let i = 0; i < 3; i++) counting.certificate(bytes.slice())
    expect(checks).toBe(1)
  })

  it('have one spelling of a set of roles', () => {
    const bytes = certificateFor(node, founded, { roles: ['relay', 'worker', 'relay'] })
    expect(value(verifier.certificate(bytes)).roles).toEqual(['worker', 'relay'])
    const fields = { ...certificateFields(node, founded.swarm), swarm: new Uint8Array(32) }
    for (const roles of [
      ['relay', 'worker'],
      ['worker', 'worker'],
    ] as const) {
      const body = encode(certificateBodyShape, { ...fields, roles })
      const signed = encode(certificateShape, createSigner(acmeAuthority, founded.swarm).sign('certificate', body))
      expect(decodeCertificate(signed)).toEqual({ ok: false, error: 'roles are not in order' })
    }
  })

  it('hold the most they may within their bound, and nothing that spoils a terminal', () => {
    const labels = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}${'x'.repeat(30)}`, 'v'.repeat(64)]))
    const fullest = certificateFor(node, founded, { labels, roles: ROLES, org: ACME })
    expect(fullest.length).toBeLessThanOrEqual(CERTIFICATE_BYTES_MAX)
    const issue = (changes: object) => () => certificateFor(node, founded, changes)
    expect(issue({ labels: { rack: 'r\u001b[31m1' } })).toThrow(InvariantError)
    expect(issue({ labels: { 'ra ck': 'r1' } })).toThrow(InvariantError)
    expect(issue({ org: '../x' })).toThrow(InvariantError)
    expect(issue({ notAfter: NOW })).toThrow(InvariantError)
    expect(decodeCertificate(new Uint8Array(CERTIFICATE_BYTES_MAX + 1)).ok).toBe(false)
  })

  it('A-5 are in force from start to end, give or take the tolerance', () => {
    const certificate = certificateFields(node, founded.swarm)
    const judged = (wallNow: number) => checkCertificateAt(certificate, wallNow as WallMillis)
    expect(judged(NOW).ok).toBe(true)
    expect(judged(NOW - CLOCK_TOLERANCE_MS).ok).toBe(true)
    expect(judged(certificate.notAfter + CLOCK_TOLERANCE_MS).ok).toBe(true)
    expect(codeOf(judged(NOW - CLOCK_TOLERANCE_MS - 1))).toBe('CERTIFICATE_INVALID')
    expect(codeOf(judged(certificate.notAfter + CLOCK_TOLERANCE_MS + 1))).toBe('CERTIFICATE_EXPIRED')
  })

  it('A-5 live no longer than the bound', () => {
    expect(certificateFor(node, founded, { notAfter: at(CERTIFICATE_TTL_MS_MAX) })).toBeInstanceOf(Uint8Array)
    expect(() => certificateFor(node, founded, { notAfter: at(CERTIFICATE_TTL_MS_MAX + 1) })).toThrow(InvariantError)
  })

  it('get epochs that only grow, also when the clock goes back', () => {
    expect(nextEpoch(NOW)).toBe(NOW)
    expect(nextEpoch(NOW, NOW - DAY_MS)).toBe(NOW)
    expect(nextEpoch(NOW, NOW + DAY_MS)).toBe(NOW + DAY_MS + 1)
    expect(nextEpoch(NOW, NOW)).toBe(NOW + 1)
  })
})
