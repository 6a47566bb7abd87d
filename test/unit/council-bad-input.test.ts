import { describe, expect, it } from 'vitest'
import { fakeHash } from '../../src/byzantine/index.ts'
import { Execution } from '../../src/consensus/execution.ts'
import { Hashing } from '../../src/consensus/hashing.ts'
import { type Block, consensusParams, RULES, type SignedRequest } from '../../src/consensus/index.ts'
import { type Act, encodeOperation } from '../../src/council/index.ts'
import { CONVICTED_MAX } from '../../src/council/params.ts'
import type { ErrorCode } from '../../src/kernel/index.ts'
import { MOTION_BYTES_MAX } from '../../src/machine/index.ts'
import { act, Bench, certificateOf, founding, NOON, node, org } from '../support/council.ts'
import { rootOf } from '../support/machines.ts'

/** Every line of what is to be refused: with a code and advice, at the edge as in a block, and without a trace. */
interface Case {
  readonly what: string
  readonly by: string
  readonly act: Act
  readonly expect?: number
  readonly code: ErrorCode
  /** Only a block's time shows it. */
  readonly inBlock?: true
}

const KEY = 'keyacme'

/** Five validators of acme; beta with two seats and none taken; a tenant, an admin, a revoked and a barred node. */
function prepared(): Bench {
  const bench = new Bench(['a', 'b', 'c', 'd', 'e'])
  const steps: readonly Act[] = [
    act.org('beta', { seatsMax: 2 }),
    act.tenant('gold'),
    act.role('gold', 'clerk', 'admin'),
    act.revoke('gone'),
    act.parameter('council.sizeMax', '6'),
  ]
  for (const step of steps) expect(bench.apply(KEY, step)).toMatchObject({ kind: 'applied' })
  return bench
}

/** Four organisations with a validator each: none has more than f. */
function balanced(): Bench {
  const names = ['acme', 'beta', 'core', 'dune']
  return new Bench(
    founding([], {
      organisations: names.map((name) => ({ name: org(name), authorities: [node(`key${name}`)], seatsMax: 5 })),
      validators: names.map((name) => ({ node: node(`${name}1`), org: org(name) })),
    }),
  )
}

const by = (client: string, what: string, wrong: Act, code: ErrorCode, more: Partial<Case> = {}): Case => {
  return { what, by: client, act: wrong, code, ...more }
}
const over = 2 ** 40
const cases: readonly Case[] = [
  // Unauthorised.
  by('stranger', 'a worker', act.tenant('silver'), 'UNAUTHORISED'),
  by('clerk', 'an admin beyond its tenant', act.parameter('council.sizeMax', '7'), 'UNAUTHORISED'),
  by('clerk', 'an admin that makes admins of all', act.role('*', 'clerk', 'admin'), 'UNAUTHORISED'),
  by('keybeta', 'another organisation on the swarm’s affairs', act.tenant('silver'), 'UNAUTHORISED'),
  by('keybeta', 'another organisation on its own cap', act.org('beta', { seatsMax: 9 }), 'UNAUTHORISED'),
  by('keybeta', 'another organisation on others’ members', act.revoke('a'), 'UNAUTHORISED'),
  by('gone', 'a revoked node', act.tenant('silver'), 'UNAUTHORISED'),
  // Malformed.
  by(KEY, 'a name with a space', act.tenant('no name'), 'BAD_REQUEST'),
  by(KEY, 'a weight of nothing', act.tenant('silver', { weight: 0 }), 'BAD_REQUEST'),
  by(KEY, 'a weight above all', act.tenant('silver', { weight: 1001 }), 'BAD_REQUEST'),
  by(KEY, 'a quota below nothing', act.tenant('silver', { quotas: { cpu: -1 } }), 'BAD_REQUEST'),
  by(KEY, 'an organisation without a key', act.org('core', { authorities: [] }), 'BAD_REQUEST'),
  by(KEY, 'a key named twice', act.org('core', { authorities: [node('k'), node('k')] }), 'BAD_REQUEST'),
  by(KEY, 'a validator’s key as an authority', act.org('core', { authorities: [node('a')] }), 'BAD_REQUEST'),
  by(KEY, 'a node named twice', act.remove('a', 'a'), 'BAD_REQUEST'),
  by(KEY, 'nobody named', act.remove(), 'BAD_REQUEST'),
  by(KEY, 'no certificate', act.add(Uint8Array.of(1, 2, 3)), 'CERTIFICATE_INVALID'),
  by(KEY, 'a certificate by nobody’s key', act.add(certificateOf('x', { authority: 'keyx' })), 'CERTIFICATE_INVALID'),
  by(KEY, 'a certificate without the role', act.add(certificateOf('x', { roles: ['worker'] })), 'CERTIFICATE_INVALID'),
  by(
    KEY,
    'a certificate that has ended',
    act.add(certificateOf('x', { notAfter: NOON - over })),
    'CERTIFICATE_EXPIRED',
    {
      inBlock: true,
    },
  ),
  by(KEY, 'an override with a blank subject', act.override('s s', 'stop'), 'BAD_REQUEST'),
  by(KEY, 'an override that is too short', act.override('s', 'stop', 1), 'BAD_REQUEST'),
  // Unknown.
  by(KEY, 'an unknown validator let go', act.remove('stranger'), 'NOT_FOUND'),
  by(KEY, 'an unknown tenant’s role', act.role('iron', 'clerk', 'admin'), 'NOT_FOUND'),
  by(KEY, 'a role that nobody has', act.role('gold', 'nobody', 'admin', true), 'NOT_FOUND'),
  by(KEY, 'an override that is not in force', act.override('s', 'stop', 0), 'NOT_FOUND'),
  by(KEY, 'an organisation that is not there, ended', act.org('core', { authorities: [], seatsMax: 0 }), 'NOT_FOUND'),
  by(KEY, 'a revoked node taken in', act.add(certificateOf('gone')), 'CERTIFICATE_REVOKED'),
  // Who has a seat.
  by(KEY, 'more than there is room for', act.add(certificateOf('x'), certificateOf('y')), 'QUOTA_EXCEEDED'),
  by(KEY, 'a cap below the seats taken', act.org('acme', { seatsMax: 4 }), 'UNSAFE_CHANGE'),
  by(KEY, 'the founders ended', act.org('acme', { authorities: [], seatsMax: 0 }), 'UNSAFE_CHANGE'),
  // Parameters.
  by(KEY, 'a parameter that is none', act.parameter('no.such', '1'), 'BAD_REQUEST'),
  by(KEY, 'a parameter above its range', act.parameter('council.sizeMax', '65'), 'BAD_REQUEST'),
  by(KEY, 'a parameter below its range', act.parameter('council.sizeMax', '0'), 'BAD_REQUEST'),
  by(KEY, 'a parameter that is no number', act.parameter('council.sizeMax', 'many'), 'BAD_REQUEST'),
  by(KEY, 'a parameter against another', act.parameter('membership.fullMeshMin', '13'), 'BAD_REQUEST'),
  // Compare-and-set.
  by(KEY, 'something expected new that is there', act.tenant('gold', { weight: 2 }), 'STALE', { expect: 0 }),
  by(KEY, 'a revision that has passed', act.tenant('gold', { weight: 2 }), 'STALE', { expect: 1 }),
  by(KEY, 'a revision of what is not there', act.tenant('silver'), 'STALE', { expect: 3 }),
  by(KEY, 'seats of another revision', act.remove('a'), 'STALE', { expect: 9 }),
  by(KEY, 'what is so already', act.tenant('gold'), 'ALREADY_SO'),
]

describe('GV-1 bad input is refused with a code and advice, and leaves no trace', () => {
  it.each(cases)('$what: $code', ({ by: client, act: wrong, expect: revision, code, inBlock }) => {
    const bench = prepared()
    const bytes = encodeOperation({ expect: revision, act: wrong })
    const before = rootOf(bench.machine)
    const ahead = bench.machine.check(bytes, node(client))
    if (inBlock === undefined) expect(ahead?.code).toBe(code)
    const refused = bench.applyBytes(client, bytes)
    expect(refused).toMatchObject({ code })
    expect('reason' in refused && refused.reason.length).toBeGreaterThan(10)
    expect(rootOf(bench.machine)).toBe(before)
  })

  it('what would leave no validator, or give an organisation more than f', () => {
    const lone = new Bench(['a'])
    const four = balanced()
    const extra = (of: string) => certificateOf(`${of}2`, { org: of })
    const wrong: readonly [Bench, string, Act][] = [
      [lone, KEY, act.remove('a')],
      [lone, KEY, act.revoke('a')],
      [four, KEY, act.add(extra('acme'))],
      [four, KEY, act.swap([extra('acme')], ['beta1'])],
      [four, KEY, act.remove('dune1')],
    ]
    for (const [bench, client, what] of wrong) {
      const before = rootOf(bench.machine)
      expect([what, bench.apply(client, what)]).toEqual([what, expect.objectContaining({ code: 'UNSAFE_CHANGE' })])
      expect(bench.check(client, what)).toBe('UNSAFE_CHANGE')
      expect(rootOf(bench.machine)).toBe(before)
    }
  })

  it('what is too large is not even looked at', () => {
    const bench = prepared()
    const before = rootOf(bench.machine)
    const bytes = new Uint8Array(MOTION_BYTES_MAX + 1)
    expect(bench.applyBytes(KEY, bytes)).toMatchObject({ code: 'TOO_LARGE' })
    expect(bench.machine.check(bytes, node(KEY))?.code).toBe('TOO_LARGE')
    expect(bench.applyBytes('stranger', bytes)).toMatchObject({ code: 'UNAUTHORISED' })
    expect(rootOf(bench.machine)).toBe(before)
  })
})

/** Blocks as consensus hands them to a machine. */
function executing(bench: Bench) {
  const execution = new Execution(bench.machine, Hashing.with(fakeHash), consensusParams(), RULES)
  let height = 0
  return (requests: readonly SignedRequest[], evidence: readonly string[] = []) => {
    height += 1
    const block = { header: { height, at: NOON }, requests, evidence: evidence.map((signer) => ({ signer })) }
    return execution.apply(block as unknown as Block)
  }
}

describe('in blocks', () => {
  it('B-21 a request that is replayed counts once', () => {
    const bench = prepared()
    const apply = executing(bench)
    const operations = [encodeOperation({ expect: undefined, act: act.tenant('silver') })]
    const request = { client: node(KEY), session: 1, nonce: 1, floor: 0, operations }
    const signed = { request, signature: new Uint8Array(64) } as unknown as SignedRequest
    expect(apply([signed])).toMatchObject([{ outcomes: [{ kind: 'applied' }], refused: undefined }])
    const before = rootOf(bench.machine)
    expect(apply([signed, signed])).toMatchObject([
      { outcomes: [], refused: 'replayed' },
      { outcomes: [], refused: 'replayed' },
    ])
    expect(rootOf(bench.machine)).toBe(before)
  })

  it('GV-1 of a request with several operations the good ones are done and the bad ones leave no trace', () => {
    const bench = prepared()
    const apply = executing(bench)
    const operations = [act.tenant('silver'), act.tenant('no name'), act.tenant('bronze')].map((each) =>
      encodeOperation({ expect: undefined, act: each }),
    )
    const request = { client: node(KEY), session: 1, nonce: 1, floor: 0, operations }
    const [result] = apply([{ request, signature: new Uint8Array(64) } as unknown as SignedRequest])
    expect(result?.outcomes.map(({ kind }) => kind)).toEqual(['applied', 'refused', 'applied'])
    expect(bench.machine.state.tenants.rows().map(({ key }) => key)).toEqual(['bronze', 'gold', 'silver'])
  })

  it('GV-15 the machine hears of a conviction once, before the operations of the block', () => {
    const bench = prepared()
    const apply = executing(bench)
    const operations = [encodeOperation({ expect: undefined, act: act.tenant('silver') })]
    const request = { client: node('b'), session: 1, nonce: 1, floor: 0, operations }
    const signed = { request, signature: new Uint8Array(64) } as unknown as SignedRequest
    expect(apply([signed], ['b', 'b'])).toMatchObject([{ refused: 'unauthorised' }])
    const { revision } = bench.machine.state
    expect(bench.seats).toBe('a c d e')
    apply([], ['b'])
    expect(bench.machine.state.revision).toBe(revision)
  })
})

describe('GV-15 a convicted validator', () => {
  it('loses its seat, has no voice, and never gets a seat again', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    bench.machine.convict(node('b'), bench.at as never)
    expect(bench.seats).toBe('a c d')
    expect(bench.machine.authorised(node('b'))).toBe(false)
    const again = certificateOf('b')
    expect(bench.apply(KEY, act.add(again))).toMatchObject({ code: 'UNSAFE_CHANGE' })
    expect(bench.apply('a', act.add(again))).toMatchObject({ code: 'UNSAFE_CHANGE' })
    expect(bench.apply(KEY, act.add(certificateOf('e')))).toMatchObject({ kind: 'applied' })
    const copy = new Bench(['a', 'b', 'c', 'd'])
    expect(copy.machine.restore(bench.machine.snapshot())).toBe(true)
    expect(copy.machine.state.convicted.has(node('b'))).toBe(true)
  })

  it('keeps its seat if it is the only one, and is remembered also if it had none', () => {
    const bench = new Bench(['a'])
    bench.machine.convict(node('a'), bench.at as never)
    expect(bench.seats).toBe('a')
    bench.machine.convict(node('x'), bench.at as never)
    expect(bench.apply(KEY, act.add(certificateOf('x')))).toMatchObject({ code: 'UNSAFE_CHANGE' })
    // Once others sit it goes: consensus leaves it out, and what it is to become it must be able to become.
    expect(bench.apply(KEY, act.add(certificateOf('c')))).toMatchObject({ kind: 'applied' })
    expect(bench.seats).toBe('c')
  })

  it('is one of so many that are remembered: of more the oldest is forgotten', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'])
    for (let i = 0; i <= CONVICTED_MAX; i++) bench.machine.convict(node(`liar${i}`), bench.at as never)
    const { convicted } = bench.machine.state
    expect(convicted.size).toBe(CONVICTED_MAX)
    expect(convicted.has(node('liar0'))).toBe(false)
    expect(convicted.has(node(`liar${CONVICTED_MAX}`))).toBe(true)
  })
})
