import { describe, expect, it } from 'vitest'
import type { Act } from '../../src/council/index.ts'
import { ROLES_PER_SUBJECT_AT_TENANT_MAX, ROLES_PER_TENANT_MAX } from '../../src/council/params.ts'
import { act, Bench, certificateOf, founding, NOON, node, org } from '../support/council.ts'

const KEY = 'keyacme'
const applied = expect.objectContaining({ kind: 'applied' })
const refused = (code: string) => expect.objectContaining({ code })

/** Four organisations with one validator each, and room. */
function four(): Bench {
  const names = ['acme', 'beta', 'core', 'dune']
  return new Bench(
    founding([], {
      organisations: names.map((name) => ({ name: org(name), authorities: [node(`key${name}`)], seatsMax: 5 })),
      validators: names.map((name) => ({ node: node(`${name}1`), org: org(name) })),
    }),
  )
}
const of = (name: string, place: number) => certificateOf(`${name}${place}`, { org: name })

describe('operations', () => {
  it('GV-1 any bytes are refused without a trace', () => {
    const bench = new Bench(['a'])
    const before = bench.root
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0, 255), Uint8Array.of(0, 0, 1, 97)]) {
      expect(bench.applyBytes(KEY, bytes)).toEqual(refused('BAD_REQUEST'))
    }
    expect(bench.root).toBe(before)
  })

  it('GV-1 what cannot be is refused with a reason', () => {
    const bench = new Bench(['a'])
    const before = bench.root
    const wrong: readonly [Act, string][] = [
      [act.tenant('no name'), 'BAD_REQUEST'],
      [act.tenant('t', { weight: 0 }), 'BAD_REQUEST'],
      [act.tenant('t', { weight: 1001 }), 'BAD_REQUEST'],
      [act.tenant('t', { quotas: { cpu: -1 } }), 'BAD_REQUEST'],
      [act.tenant('t', { quotas: { cpu: -0 } }), 'BAD_REQUEST'],
      [act.tenant('t', { quotas: { 'c u': 1 } }), 'BAD_REQUEST'],
      [act.revoke('9'), 'BAD_REQUEST'],
      [act.revoke(KEY), 'UNSAFE_CHANGE'],
      [act.revoke(KEY, 'acme'), 'BAD_REQUEST'],
      [act.revoke('w', 'beta'), 'NOT_FOUND'],
      [act.org('no name', { authorities: [node('k')] }), 'BAD_REQUEST'],
      [act.org('beta', { authorities: [] }), 'BAD_REQUEST'],
      [act.org('beta', { authorities: [], seatsMax: 0 }), 'NOT_FOUND'],
      [act.org('acme', { authorities: [], seatsMax: 0 }), 'UNSAFE_CHANGE'],
      [act.org('beta', { authorities: [node('k'), node('k')] }), 'BAD_REQUEST'],
      [act.org('beta', { authorities: [node('9')] }), 'BAD_REQUEST'],
      [act.add(), 'BAD_REQUEST'],
      [act.remove('stranger'), 'NOT_FOUND'],
      [act.remove('a', 'a'), 'BAD_REQUEST'],
      [act.parameter('no.such', '1'), 'BAD_REQUEST'],
      [act.parameter('__proto__', '1'), 'BAD_REQUEST'],
      [act.role('none', 'w', 'admin'), 'NOT_FOUND'],
      [act.role('*', 'a b', 'admin'), 'BAD_REQUEST'],
      [act.role('*', 'w', ''), 'BAD_REQUEST'],
      [act.role('*', 'w', 'admin', true), 'NOT_FOUND'],
      [act.override('s s', 'stop'), 'BAD_REQUEST'],
      [act.override('s', 'stop it'), 'BAD_REQUEST'],
      [act.override('s', 'stop', 1), 'BAD_REQUEST'],
      [act.override('s', 'stop', 0), 'NOT_FOUND'],
    ]
    for (const [what, code] of wrong) expect([what, bench.apply(KEY, what)]).toEqual([what, refused(code)])
    expect(bench.root).toBe(before)
  })

  it('GV-4 a stale expectation is refused, the right one is not', () => {
    const bench = new Bench(['a'])
    expect(bench.apply(KEY, act.tenant('t'), 1)).toEqual(refused('STALE'))
    expect(bench.apply(KEY, act.tenant('t'), 0)).toEqual({ kind: 'applied', revision: 1 })
    expect(bench.apply(KEY, act.tenant('t', { weight: 2 }), 0)).toEqual(refused('STALE'))
    expect(bench.apply(KEY, act.tenant('t', { weight: 2 }), 1)).toEqual({ kind: 'applied', revision: 2 })
    expect(bench.apply(KEY, act.add(certificateOf('b')), 0)).toEqual(applied)
    expect(bench.apply(KEY, act.add(certificateOf('c')), 0)).toEqual(refused('STALE'))
    expect(bench.apply(KEY, act.add(certificateOf('c')), 3)).toEqual(applied)
  })

  it('says when something is so already', () => {
    const bench = new Bench(['a', 'b'])
    for (const what of [
      act.tenant('t', { quotas: { cpu: 4 } }),
      act.revoke('w'),
      act.org('beta'),
      act.add(certificateOf('c')),
      act.parameter('council.sizeMax', '7'),
      act.role('*', 'w2', 'admin'),
    ]) {
      expect(bench.apply(KEY, what)).toEqual(applied)
      expect([what, bench.apply(KEY, what)]).toEqual([what, refused('ALREADY_SO')])
    }
  })
})

describe('who may', () => {
  const acts: readonly Act[] = [
    act.tenant('t9'),
    act.revoke('w9'),
    act.org('beta9'),
    act.remove('b'),
    act.parameter('council.sizeMax', '9'),
    act.role('*', 'w', 'admin'),
    act.override('s', 'stop'),
  ]

  it('GV-2 a worker has no voice, and is not even heard', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    expect(bench.machine.authorised(node('worker'))).toBe(false)
    for (const what of [...acts, act.add(certificateOf('worker'))]) {
      expect(bench.apply('worker', what)).toEqual(refused('UNAUTHORISED'))
      expect(bench.check('worker', what)).toBe('UNAUTHORISED')
    }
    expect(bench.machine.state.revision).toBe(0)
    for (const client of ['a', KEY]) expect(bench.machine.authorised(node(client))).toBe(true)
  })

  it('GV-3 the founding organisation may do all, a validator alone nothing, whoever is to be taken in', () => {
    const founder = new Bench(['a', 'b', 'c', 'd'])
    for (const what of [...acts, act.add(certificateOf('e'))]) {
      expect(founder.apply(KEY, what)).toEqual(applied)
      const lone = new Bench(['a', 'b', 'c', 'd'])
      expect(lone.apply('a', what)).toMatchObject({ kind: 'voted', votes: 1, needed: 3 })
      expect([lone.seats, lone.machine.state.tenants.size]).toEqual(['a b c d', 0])
    }
  })

  it('GV-7 voices of q validators take in, and one voice never gives the seat back that they have taken', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    for (const voter of ['a', 'b']) expect(bench.apply(voter, act.remove('d'))).toMatchObject({ kind: 'voted' })
    expect(bench.apply('c', act.remove('d'))).toEqual(applied)
    const back = act.add(certificateOf('d'))
    expect(bench.apply('a', back)).toMatchObject({ kind: 'voted', votes: 1, needed: 2 })
    expect(bench.apply('a', back)).toEqual(refused('ALREADY_SO'))
    expect(bench.seats).toBe('a b c')
    expect(bench.apply('b', back)).toEqual(applied)
    expect(bench.seats).toBe('a b c d')
  })

  it('GV-3 another organisation governs its own members, keys and seats alone', () => {
    const bench = new Bench(['a', 'b'])
    expect(bench.apply(KEY, act.org('beta', { seatsMax: 2 }))).toEqual(applied)
    const own = certificateOf('x', { org: 'beta' })
    expect(bench.apply('keybeta', act.add(own))).toEqual(applied)
    expect(bench.apply('keybeta', act.swap([certificateOf('c')], ['a']))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('keybeta', act.remove('a'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('keybeta', act.revoke('w'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('keybeta', act.revoke('w', 'acme'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('keybeta', act.revoke('x'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('keybeta', act.revoke('x', 'beta'))).toEqual(applied)
    expect(bench.seats).toBe('a b')
    expect(bench.apply('keybeta', act.org('beta', { seatsMax: 9 }))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('keybeta', act.org('gamma'))).toEqual(refused('UNAUTHORISED'))
    const rotated = act.org('beta', { authorities: [node('knew')], seatsMax: 2 })
    expect(bench.apply('keybeta', rotated)).toEqual(applied)
    // Its old key says nothing any more, nor do certificates that it signed.
    expect(bench.apply('keybeta', act.add(of('beta', 1)))).toEqual(refused('UNAUTHORISED'))
    const late = certificateOf('z', { org: 'beta' })
    expect(bench.apply('knew', act.add(late))).toEqual(refused('CERTIFICATE_INVALID'))
    expect(bench.apply('knew', act.add(certificateOf('z', { org: 'beta', authority: 'knew' })))).toEqual(applied)
  })

  it('GV-3 an admin of a tenant grants there, an admin of all governs, and only the founder makes those', () => {
    const bench = new Bench(['a'])
    for (const what of [act.tenant('t'), act.tenant('u'), act.role('t', 'ta', 'admin'), act.role('*', 'sa', 'admin')]) {
      expect(bench.apply(KEY, what)).toEqual(applied)
    }
    expect(bench.apply('ta', act.role('t', 'w', 'submitter'))).toEqual(applied)
    expect(bench.apply('ta', act.role('u', 'w', 'submitter'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('ta', act.role('*', 'ta', 'admin'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('ta', act.tenant('t', { weight: 9 }))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply('sa', act.tenant('t', { weight: 9 }))).toEqual(applied)
    expect(bench.apply('sa', act.role('u', 'w', 'submitter'))).toEqual(applied)
    expect(bench.apply('sa', act.role('*', 'other', 'admin'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply(KEY, act.role('*', 'sa', 'admin', true))).toEqual(applied)
    expect(bench.apply('sa', act.tenant('v'))).toEqual(refused('UNAUTHORISED'))
    // A role that is not admin's is no voice here.
    expect(bench.machine.authorised(node('w'))).toBe(false)
  })

  it('GV-2 a revoked admin or validator has no standing left', () => {
    const bench = new Bench(['a', 'b'])
    bench.apply(KEY, act.role('*', 'sa', 'admin'))
    for (const gone of ['sa', 'b']) {
      expect(bench.apply(KEY, act.revoke(gone))).toEqual(applied)
      expect(bench.machine.authorised(node(gone))).toBe(false)
      expect(bench.apply(gone, act.tenant('t'))).toEqual(refused('UNAUTHORISED'))
    }
    expect(bench.seats).toBe('a')
    expect(bench.apply(KEY, act.role('*', 'sa', 'admin'))).toEqual(refused('BAD_REQUEST'))
  })

  it('GV-10 a council that governs itself leaves the founder overrides and its own affairs', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    expect(bench.apply(KEY, act.parameter('council.governance', '"council"'))).toEqual(applied)
    expect(bench.apply(KEY, act.tenant('t'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply(KEY, act.parameter('council.governance', '"founder"'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply(KEY, act.override('s', 'stop'))).toEqual(applied)
    expect(bench.apply(KEY, act.remove('d'))).toEqual(applied)
    for (const voter of ['a', 'b']) bench.apply(voter, act.parameter('council.governance', '"founder"'))
    expect(bench.apply(KEY, act.tenant('t'))).toEqual(applied)
  })
})

describe('seats', () => {
  it('GV-5 a newcomer shows a certificate that is good here and now', () => {
    const bench = new Bench(['a'])
    const wrong: readonly [Uint8Array, string][] = [
      [Uint8Array.of(1, 2, 3), 'CERTIFICATE_INVALID'],
      [certificateOf('x', { authority: 'keybeta' }), 'CERTIFICATE_INVALID'],
      [certificateOf('x', { org: 'beta', authority: KEY }), 'CERTIFICATE_INVALID'],
      [certificateOf('x', { roles: ['worker'] }), 'CERTIFICATE_INVALID'],
      [certificateOf('x', { notAfter: NOON - 600_000 }), 'CERTIFICATE_EXPIRED'],
      [certificateOf('x', { notBefore: NOON + 600_000 }), 'CERTIFICATE_EXPIRED'],
      [certificateOf('a'), 'ALREADY_SO'],
    ]
    for (const [bytes, code] of wrong) expect(bench.apply(KEY, act.add(bytes))).toEqual(refused(code))
    bench.apply(KEY, act.revoke('x'))
    expect(bench.apply(KEY, act.add(certificateOf('x')))).toEqual(refused('CERTIFICATE_REVOKED'))
    // Time is the block's; ahead of one nothing is said of it.
    expect(bench.check(KEY, act.add(certificateOf('y', { notAfter: NOON - 600_000 })))).toBeUndefined()
  })

  it('GV-5 the last validator stays, and so does the size', () => {
    const bench = new Bench(['a'])
    expect(bench.apply(KEY, act.remove('a'))).toEqual(refused('UNSAFE_CHANGE'))
    expect(bench.apply(KEY, act.revoke('a'))).toEqual(refused('UNSAFE_CHANGE'))
    expect(bench.apply(KEY, act.swap([certificateOf('b')], ['a']))).toEqual(applied)
    expect(bench.seats).toBe('b')
    bench.apply(KEY, act.parameter('council.sizeMax', '2'))
    expect(bench.apply('b', act.add(certificateOf('c')))).toEqual(applied)
    expect(bench.apply('b', act.add(certificateOf('d')))).toEqual(refused('QUOTA_EXCEEDED'))
    expect(bench.apply(KEY, act.swap([certificateOf('d')], ['c']))).toEqual(applied)
  })

  it('GV-5 whom an authority let go is remembered until it comes back, whom the vote let go is not', () => {
    const bench = new Bench(['a', 'b', 'c'])
    const { barred } = bench.machine.state
    bench.apply(KEY, act.remove('c'))
    expect(barred.has(node('c'))).toBe(true)
    expect(bench.apply(KEY, act.add(certificateOf('c')))).toEqual(applied)
    for (const voter of ['a', 'b']) bench.apply(voter, act.remove('c'))
    expect([bench.seats, barred.has(node('c'))]).toEqual(['a b', false])
  })

  it('GV-6 organisations keep to their caps', () => {
    const bench = new Bench(['a'])
    bench.apply(KEY, act.org('acme', { authorities: [node(KEY)], seatsMax: 2 }))
    expect(bench.apply('a', act.add(certificateOf('b')))).toEqual(applied)
    expect(bench.apply(KEY, act.add(certificateOf('c')))).toEqual(refused('UNSAFE_CHANGE'))
    expect(bench.apply(KEY, act.org('acme', { authorities: [node(KEY)], seatsMax: 1 }))).toEqual(
      refused('UNSAFE_CHANGE'),
    )
  })

  it('GV-6 nobody grows beyond an even share while few take part', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    bench.apply(KEY, act.org('beta'))
    // One of two may have half; acme has more from before, and cannot grow.
    for (const place of [1, 2, 3, 4]) expect(bench.apply('keybeta', act.add(of('beta', place)))).toEqual(applied)
    expect(bench.apply('keybeta', act.add(of('beta', 5)))).toEqual(applied)
    expect(bench.apply('keybeta', act.add(of('beta', 6)))).toEqual(refused('UNSAFE_CHANGE'))
    expect(bench.apply(KEY, act.add(certificateOf('e')))).toEqual(applied)
  })

  it('GV-6 what is balanced stays balanced: three come at once, none leaves alone', () => {
    const bench = four()
    expect(bench.apply('keyacme', act.add(of('acme', 2)))).toEqual(refused('UNSAFE_CHANGE'))
    expect(bench.apply('keyacme', act.remove('dune1'))).toEqual(refused('UNSAFE_CHANGE'))
    expect(bench.apply('keyacme', act.swap([of('dune', 2)], ['dune1']))).toEqual(applied)
    expect(bench.apply('keyacme', act.add(of('acme', 2), of('beta', 2), of('core', 2)))).toEqual(applied)
    expect(bench.seats).toBe('acme1 acme2 beta1 beta2 core1 core2 dune2')
    expect(bench.apply('keyacme', act.add(of('acme', 3)))).toEqual(refused('UNSAFE_CHANGE'))
    expect(bench.apply('keyacme', act.add(of('dune', 3)))).toEqual(applied)
    // Revocation is exempt.
    expect(bench.apply('keyacme', act.revoke('dune2'))).toEqual(applied)
    expect(bench.apply('keyacme', act.revoke('dune3'))).toEqual(applied)
    expect(bench.seats).toBe('acme1 acme2 beta1 beta2 core1 core2')
  })
})

describe('motions', () => {
  it('GV-7 SM-4 q voices for the very same operation carry it', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    expect(bench.apply('a', act.tenant('t'))).toMatchObject({ kind: 'voted', votes: 1, needed: 3 })
    expect(bench.apply('a', act.tenant('t'))).toEqual(refused('ALREADY_SO'))
    expect(bench.apply('b', act.tenant('t', { weight: 2 }))).toMatchObject({ votes: 1 })
    expect(bench.apply('b', act.tenant('t'))).toMatchObject({ votes: 2 })
    expect(bench.machine.state.tenants.has('t')).toBe(false)
    expect(bench.apply('d', act.tenant('t'))).toEqual(applied)
    expect(bench.machine.state.tenants.get('t')).toMatchObject({ weight: 1 })
    expect(bench.machine.state.motions.table.size).toBe(1)
  })

  it('SM-4 who may vote no more has no voice, and a motion ends', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    for (const voter of ['a', 'b']) bench.apply(voter, act.tenant('t'))
    bench.apply(KEY, act.revoke('b'))
    // Of three, two are needed; of the voices one is left.
    expect(bench.apply('c', act.tenant('t'))).toEqual(applied)
    bench.apply('a', act.tenant('u'))
    bench.at += 73 * 3_600_000
    expect(bench.apply('c', act.tenant('u'))).toMatchObject({ kind: 'voted', votes: 1 })
    expect(bench.machine.state.motions.table.size).toBe(1)
  })

  it('SM-4 nobody opens more than a few', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    for (const place of [1, 2, 3, 4]) expect(bench.apply('a', act.tenant(`t${place}`))).toMatchObject({ kind: 'voted' })
    expect(bench.apply('a', act.tenant('t5'))).toEqual(refused('QUOTA_EXCEEDED'))
    expect(bench.apply('b', act.tenant('t5'))).toMatchObject({ kind: 'voted' })
    expect(bench.apply('a', act.tenant('t5'))).toMatchObject({ votes: 2 })
  })
})

describe('measures', () => {
  it('GV-9 a parameter keeps to its range and to the others', () => {
    const bench = new Bench(['a'])
    const set = (name: string, value: string) => bench.apply(KEY, act.parameter(name, value))
    for (const value of ['0', '65', '07', '1.5', '"7"', '', '-1', '1e1', ' 7']) {
      expect([value, set('council.sizeMax', value)]).toEqual([value, refused('BAD_REQUEST')])
    }
    expect(set('council.governance', 'council')).toEqual(refused('BAD_REQUEST'))
    expect(set('membership.fullMeshMin', '12')).toEqual(refused('BAD_REQUEST'))
    expect(set('membership.fullMeshMax', '9')).toEqual(refused('BAD_REQUEST'))
    expect(set('membership.fullMeshMax', '13')).toEqual(applied)
    expect(set('membership.fullMeshMin', '12')).toEqual(applied)
    expect(bench.machine.state.parameter('membership.fullMeshMin')).toBe('12')
  })

  it('GV-11 an override ends by block time, or at once', () => {
    const bench = new Bench(['a'])
    expect(bench.apply(KEY, act.override('node1', 'quarantine', 5000))).toEqual(applied)
    expect(bench.machine.state.overrides.get('node1 quarantine')?.until).toBe(NOON + 5000)
    expect(bench.apply(KEY, act.override('node1', 'quarantine', 0))).toEqual(applied)
    expect(bench.machine.state.overrides.size).toBe(0)
    bench.apply(KEY, act.override('node1', 'quarantine', 5000))
    bench.at += 5000
    expect(bench.apply(KEY, act.override('node1', 'quarantine', 0))).toEqual(refused('NOT_FOUND'))
    bench.apply(KEY, act.override('node2', 'quarantine', 5000))
    expect(bench.machine.state.overrides.rows().map(({ key }) => key)).toEqual(['node2 quarantine'])
  })

  it('GV-11 what has ended is found, in whatever order overrides were made, extended and restored', () => {
    const bench = new Bench(['a'])
    const ends = new Map<string, number>()
    for (let i = 0; i < 300; i++) {
      const subject = `s${(i * 7) % 23}`
      const ttlMs = 1000 + ((i * 7919) % 9000)
      expect(bench.apply(KEY, act.override(subject, 'stop', ttlMs))).toEqual(applied)
      for (const [key, until] of ends) if (until <= bench.at) ends.delete(key)
      ends.set(`${subject} stop`, bench.at + ttlMs)
      const kept = bench.machine.state.overrides.rows().map(({ key, value }) => [key, value.until])
      expect(new Map(kept as [string, number][])).toEqual(ends)
      if (i % 50 === 49) expect(bench.machine.restore(bench.machine.snapshot())).toBe(true)
      bench.at += (i * 31) % 700
    }
  })

  it('GV-12 is bounded', () => {
    const bench = new Bench(['a'])
    for (let i = 0; i < 4096; i++) bench.apply(KEY, act.tenant(`t${i}`, { quotas: { cpu: i } }))
    expect(bench.apply(KEY, act.tenant('one-more'))).toEqual(refused('QUOTA_EXCEEDED'))
    expect(bench.apply(KEY, act.tenant('t7', { weight: 2 }))).toEqual(applied)
    for (let i = 0; i < 256; i++) bench.apply(KEY, act.override(`s${i}`, 'stop', 5000))
    expect(bench.apply(KEY, act.override('s', 'stop'))).toEqual(refused('QUOTA_EXCEEDED'))
    bench.at += 6000
    expect(bench.apply(KEY, act.override('s', 'stop'))).toEqual(applied)
    for (let i = 0; i < 33; i++) bench.apply(KEY, act.role('*', 'w', `r${i}`))
    expect(bench.machine.state.roles.get('w')?.grants).toHaveLength(32)
    expect(bench.machine.snapshot().every((piece) => piece.length <= 128 * 1024)).toBe(true)
  })
})

describe('roles', () => {
  it('GV-12 the admins of a tenant fill its own share only, of the table and of a subject', () => {
    const bench = new Bench(['a'])
    for (const tenant of ['t', 'u']) {
      bench.apply(KEY, act.tenant(tenant))
      bench.apply(KEY, act.role(tenant, `s${tenant}`, 'admin'))
    }
    for (let i = 0; i < ROLES_PER_SUBJECT_AT_TENANT_MAX; i++) {
      expect(bench.apply('st', act.role('t', 'su', `r${i}`))).toEqual(applied)
    }
    expect(bench.apply('st', act.role('t', 'su', 'more'))).toEqual({
      code: 'QUOTA_EXCEEDED',
      reason: expect.stringContaining(`there are ${ROLES_PER_SUBJECT_AT_TENANT_MAX} roles of su at t,`),
    })
    expect(bench.apply(KEY, act.role('u', 'su', 'more'))).toEqual(applied)
    for (let i = ROLES_PER_SUBJECT_AT_TENANT_MAX + 1; i < ROLES_PER_TENANT_MAX; i++) {
      expect(bench.apply('st', act.role('t', `x${i}`, 'r'))).toEqual(applied)
    }
    const one = act.role('t', 'x', 'r')
    for (const who of ['st', KEY]) {
      expect(bench.apply(who, one)).toEqual({
        code: 'QUOTA_EXCEEDED',
        reason: expect.stringContaining(`there are ${ROLES_PER_TENANT_MAX} roles at t,`),
      })
    }
    expect(bench.apply('su', act.role('u', 'x', 'r'))).toEqual(applied)
    expect(bench.apply(KEY, act.role('*', 'x', 'r'))).toEqual(applied)
    expect(bench.apply('st', act.role('t', 'su', 'r0', true))).toEqual(applied)
    expect(bench.apply('st', one)).toEqual(applied)
  })
})

describe('snapshots', () => {
  it('SM-1 SM-3 are the state, and nothing else is', () => {
    const bench = new Bench(['a', 'b'])
    for (const what of [
      act.tenant('t'),
      act.org('beta'),
      act.role('t', 'w', 'x'),
      act.revoke('w9'),
      act.override('s', 'x'),
    ]) {
      expect(bench.apply(KEY, what)).toEqual(applied)
    }
    bench.apply('a', act.tenant('u'))
    const pieces = bench.machine.snapshot()
    const other = new Bench(['z'])
    expect(other.machine.restore(pieces)).toBe(true)
    expect(other.root).toBe(bench.root)
    expect(other.seats).toBe('a b')
    expect(other.apply('b', act.tenant('u'))).toEqual(applied)
    const before = other.root
    for (const bad of [
      [],
      pieces.slice(1),
      pieces.slice(0, -1),
      [...pieces, pieces[1] ?? new Uint8Array(0)],
      pieces.toReversed(),
    ]) {
      expect(other.machine.restore(bad)).toBe(false)
    }
    expect(other.root).toBe(before)
  })

  it('SM-2 a piece that did not change is the same object', () => {
    const bench = new Bench(['a'])
    bench.apply(KEY, act.tenant('t'))
    const before = bench.machine.snapshot()
    bench.apply(KEY, act.org('beta'))
    const after = bench.machine.snapshot()
    const same = after.filter((piece) => before.includes(piece)).length
    expect(same).toBe(before.length - 2)
  })
})
