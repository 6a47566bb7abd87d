import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  actOf,
  decodeOperation,
  encodeOperation,
  overviewOf,
  type Proposal,
  SECTIONS,
  type Section,
  shownOf,
} from '../../src/council/index.ts'
import { METHODS } from '../../src/ipc/index.ts'
import type { NodeId, WallMillis } from '../../src/kernel/index.ts'
import { act, Bench, certificateOf, NOON, PORTS } from '../support/council.ts'

const KEY = 'keyacme'
const certified = (node: NodeId) => (node.startsWith('x') ? undefined : certificateOf(node))
const meant = (proposal: Proposal) => {
  const made = actOf(proposal, certified)
  return made.ok ? made.value : made.error.code
}

describe('proposals', () => {
  it('mean what they say, and are shown as they were written', () => {
    const proposals: readonly Proposal[] = [
      { kind: 'tenant', body: { name: 'gold', weight: 1.5, quota: { cpu: 4 } } },
      { kind: 'revoke', body: { node: 'w' } },
      { kind: 'revoke', body: { node: 'w', org: 'acme' } },
      { kind: 'org', body: { name: 'beta', keys: ['k1', 'k2'], seats: 3 } },
      { kind: 'parameter', body: { name: 'council.sizeMax', value: 7 } },
      { kind: 'parameter', body: { name: 'council.governance', value: 'council' } },
      { kind: 'role', body: { tenant: '*', subject: 'w', role: 'admin', withdraw: false } },
      { kind: 'override', body: { subject: 's', action: 'stop', ttlMs: 1000 } },
    ]
    for (const proposal of proposals) {
      const made = actOf(proposal, certified)
      if (!made.ok) throw new Error(made.error.reason)
      expect(shownOf(made.value, PORTS.readCertificate)).toEqual(proposal)
      const bench = new Bench(['a'])
      expect(bench.apply(KEY, made.value)).toMatchObject({ kind: 'applied' })
    }
  })

  it('find certificates, and say whose they do not know', () => {
    const made = actOf({ kind: 'validator', body: { add: ['b'], remove: ['d', 'c'] } }, certified)
    if (!made.ok) throw new Error(made.error.reason)
    expect(made.value).toEqual({ kind: 'validator', add: [certificateOf('b')], remove: ['c', 'd'] })
    expect(shownOf(made.value, PORTS.readCertificate)).toEqual({
      kind: 'validator',
      body: { add: [{ node: 'b', org: 'acme' }], remove: ['c', 'd'] },
    })
    expect(meant({ kind: 'validator', body: { add: ['x1'], remove: [] } })).toBe('NOT_FOUND')
    expect(meant({ kind: 'validator', body: { add: ['no node'], remove: [] } })).toBe('BAD_REQUEST')
    expect(meant({ kind: 'validator', body: { add: [], remove: [''] } })).toBe('BAD_REQUEST')
    expect(meant({ kind: 'revoke', body: { node: 'a-b' } })).toBe('BAD_REQUEST')
    expect(meant({ kind: 'org', body: { name: 'beta', keys: ['k', '-'], seats: 1 } })).toBe('BAD_REQUEST')
    // What cannot be read is shown as such.
    expect(shownOf({ kind: 'validator', add: [Uint8Array.of(1)], remove: [] }, PORTS.readCertificate)).toMatchObject({
      body: { add: [{ node: '?', org: '?' }] },
    })
  })

  it('GV-1 whatever the socket lets pass can be encoded, and is judged without a throw', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 140 }),
      fc.constantFrom('a', 'x', '*', 'council.sizeMax', '__proto__', 'ü'),
    )
    const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, 1, 64, 65, Number.NaN, 2 ** 53))
    const texts = fc.array(text, { maxLength: 10 })
    const flag = fc.boolean()
    const body = fc.oneof(
      fc.record({
        kind: fc.constant('tenant'),
        body: fc.record({ name: text, weight: number, quota: fc.dictionary(text, number) }),
      }),
      fc.record({ kind: fc.constant('revoke'), body: fc.record({ node: text }) }),
      fc.record({ kind: fc.constant('org'), body: fc.record({ name: text, keys: texts, seats: number }) }),
      fc.record({ kind: fc.constant('validator'), body: fc.record({ add: texts, remove: texts }) }),
      fc.record({ kind: fc.constant('parameter'), body: fc.record({ name: text, value: fc.oneof(text, number) }) }),
      fc.record({
        kind: fc.constant('role'),
        body: fc.record({ tenant: text, subject: text, role: text, withdraw: flag }),
      }),
      fc.record({ kind: fc.constant('override'), body: fc.record({ subject: text, action: text, ttlMs: number }) }),
    )
    let passed = 0
    fc.assert(
      fc.property(body, (proposal) => {
        const judged = METHODS['council.propose'].params.safeParse(proposal)
        if (!judged.success) return
        const made = actOf(judged.data, certified)
        if (!made.ok) return
        passed += 1
        const bytes = encodeOperation({ expect: undefined, act: made.value })
        const decoded = decodeOperation(bytes)
        if (!decoded.ok) throw new Error(decoded.error)
        expect(encodeOperation(decoded.value)).toEqual(bytes)
        const bench = new Bench(['a'])
        const outcome = bench.apply(KEY, made.value)
        expect('code' in outcome ? typeof outcome.code : outcome.kind).toMatch(/string|applied/)
      }),
      { numRuns: 3000 },
    )
    expect(passed).toBeGreaterThan(30)
  })
})

describe('an overview', () => {
  const bench = new Bench(['a', 'b', 'c', 'd'])
  for (const what of [
    act.tenant('gold', { weight: 2 }),
    act.tenant('tin'),
    act.org('beta'),
    act.role('gold', 'w', 'admin'),
    act.role('*', 'w', 'observer'),
    act.revoke('z'),
    act.override('s', 'stop', 5000),
    act.parameter('council.sizeMax', '7'),
  ]) {
    bench.apply(KEY, what)
  }
  bench.apply('a', act.tenant('lead'))
  const list = (section: Section, at = NOON, after?: string, limit = 100) =>
    overviewOf(bench.machine.state, section, { after, limit }, at as WallMillis, PORTS.readCertificate)

  it('lists every section as it stands at a time', () => {
    const rows = Object.fromEntries(SECTIONS.map((section) => [section, list(section).rows]))
    expect(rows).toMatchObject({
      organisations: [{ name: 'acme', keys: [KEY], seats: 16, revision: 0 }, { name: 'beta' }],
      validators: [{ node: 'a', org: 'acme', sinceMs: 0 }, { node: 'b' }, { node: 'c' }, { node: 'd' }],
      tenants: [{ name: 'gold', weight: 2, quota: {}, revision: 1 }, { name: 'tin' }],
      roles: [
        { subject: 'w', tenant: '*', role: 'observer' },
        { subject: 'w', tenant: 'gold', role: 'admin' },
      ],
      revoked: [{ node: 'z', atMs: NOON }],
      overrides: [{ subject: 's', action: 'stop', untilMs: NOON + 5000, by: KEY }],
      motions: [{ act: { kind: 'tenant', body: { name: 'lead' } }, voters: ['a'], needed: 3 }],
    })
    expect(rows.parameters).toContainEqual({ name: 'council.sizeMax', value: 7, revision: 8 })
    expect(list('overrides', NOON + 5000).rows).toEqual([])
    expect(list('motions', NOON + 73 * 3_600_000).rows).toEqual([])
  })

  it('comes in pages', () => {
    expect(list('tenants', NOON, undefined, 1)).toMatchObject({ rows: [{ name: 'gold' }], next: 'gold' })
    expect(list('tenants', NOON, 'gold', 1)).toMatchObject({ rows: [{ name: 'tin' }], next: undefined })
    expect(list('tenants', NOON, 'tin', 1)).toEqual({ rows: [], next: undefined })
  })
})
