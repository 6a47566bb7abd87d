import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Act, CouncilMachine, councilResultShape, encodeOperation } from '../../src/council/index.ts'
import { decode } from '../../src/wire/index.ts'
import { act, certificateOf, founding, NOON, node, org, PORTS } from '../support/council.ts'
import { runMachine, type Step } from '../support/machines.ts'
import { NaiveCouncil } from './council-model.ts'

const YEAR_MS = 365 * 24 * 3_600_000
const ORGS = ['acme', 'beta', 'core', 'dune']
const member = fc.constantFrom(...ORGS.flatMap((name) => [`${name}1`, `${name}2`, `${name}3`]))
const key = fc.constantFrom(...ORGS.map((name) => `key${name}`))
const tenant = fc.constantFrom('t', 'u', '*')
const certificate = fc
  .tuple(
    member,
    fc.constantFrom({}, {}, {}, {}, { authority: 'keyacme' }, { roles: ['worker'] as const }, { notAfter: NOON + 1 }),
  )
  .map(([name, changes]) => certificateOf(name, { org: name.slice(0, 4), notAfter: NOON + YEAR_MS, ...changes }))
const few = <T>(of: fc.Arbitrary<T>, max: number) => fc.array(of, { maxLength: max })

const acts: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(tenant, fc.constantFrom(0, 1, 2), fc.constantFrom({}, { cpu: 1 })).map(([name, weight, quotas]) => {
    return act.tenant(name === '*' ? 'v' : name, { weight, quotas })
  }),
  member.map((name) => act.revoke(name)),
  fc.tuple(fc.oneof(member, key), fc.constantFrom(...ORGS, 'edge', undefined)).map(([name, whose]) => {
    return act.revoke(name, whose)
  }),
  fc
    .tuple(
      fc.constantFrom(...ORGS, 'edge'),
      few(fc.oneof(key, fc.constantFrom('knew')), 2),
      fc.constantFrom(0, 1, 3, 5),
    )
    .map(([name, authorities, seatsMax]) => act.org(name, { authorities: authorities.map(node), seatsMax })),
  fc.tuple(few(certificate, 3), few(member, 2)).map(([add, remove]) => act.swap(add, remove)),
  certificate.map((shown) => act.add(shown)),
  member.map((name) => act.remove(name)),
  fc.constantFrom(
    act.parameter('council.governance', '"council"'),
    act.parameter('council.governance', '"founder"'),
    act.parameter('council.governance', 'x'),
    act.parameter('council.sizeMax', '5'),
    act.parameter('council.sizeMax', '12'),
    act.parameter('council.sizeMax', '65'),
  ),
  fc.tuple(tenant, member, fc.constantFrom('admin', 'reader'), fc.boolean()).map(([at, who, role, withdraw]) => {
    return act.role(at, who, role, withdraw)
  }),
  fc
    .tuple(fc.constantFrom('s', 'r'), fc.constantFrom(0, 1, 1000, 60_000))
    .map(([who, ttl]) => act.override(who, 'stop', ttl)),
)

interface Drawn {
  readonly client: string
  readonly act: Act
  readonly expects: 'nothing' | 'right' | 'wrong'
  readonly waitMs: number
  /** How many validators say the same after it. */
  readonly echoes: number
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  client: fc.oneof(member, key, fc.constantFrom('keyacme', 'keyacme', 'knew', 'worker')),
  act: acts,
  expects: fc.constantFrom('nothing', 'nothing', 'nothing', 'right', 'wrong'),
  waitMs: fc.constantFrom(0, 0, 1, 1000, 400_000, 73 * 3_600_000),
  echoes: fc.constantFrom(0, 0, 0, 2, 5),
})

/** One, four or seven validators of one or four organisations. */
const SEATS: readonly (readonly string[])[] = [
  ['acme1'],
  ['acme1', 'acme2', 'acme3', 'beta1'],
  ['acme1', 'beta1', 'core1', 'dune1'],
  ['acme1', 'acme2', 'beta1', 'beta2', 'core1', 'core2', 'dune1'],
]

describe('a council', () => {
  it('GV-1 to GV-7 GV-10 GV-11 does what a naive one does', () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(
        fc.constantFrom(...SEATS),
        fc.array(drawn, { minLength: 5, maxLength: 60, size: 'max' }),
        (seats, draws) => {
          const seated = seats.map((name) => [name, name.slice(0, 4)] as const)
          const naive = new NaiveCouncil('acme', ORGS, seated)
          naive.params.set('council.sizeMax', { value: '4', rev: 0 })
          const expected: { readonly what: string; readonly all: unknown }[] = []
          const steps: Step[] = []
          let at = NOON
          const say = (client: string, what: Act, expectation: number | undefined) => {
            expected.push({ what: naive.apply(client, what, expectation, at), all: naive.all })
            steps.push({ client, operation: encodeOperation({ expect: expectation, act: what }), at })
          }
          for (const { client, act: what, expects, waitMs, echoes } of draws) {
            at += waitMs
            const right = naive.revisionOf(what)
            const expectation = expects === 'nothing' ? undefined : expects === 'right' ? right : right + 1
            say(client, what, expectation)
            for (const voter of [...naive.seats.keys()].slice(0, echoes)) say(voter, what, expectation)
          }
          const about = founding([], {
            organisations: ORGS.map((name) => ({ name: org(name), authorities: [node(`key${name}`)], seatsMax: 5 })),
            parameters: { 'council.sizeMax': '4' },
            validators: seated.map(([name, whose]) => ({ node: node(name), org: org(whose) })),
          })
          let place = 0
          runMachine(
            () => new CouncilMachine(about, PORTS),
            steps,
            (_step, outcome, machine) => {
              const { what, all } = expected[place++] ?? { what: '', all: undefined }
              seen.set(what.split(' ')[0] ?? '', (seen.get(what.split(' ')[0] ?? '') ?? 0) + 1)
              expect(nameOf(outcome)).toBe(what)
              expect(allOf(machine as CouncilMachine)).toEqual(all)
            },
          )
        },
      ),
      { numRuns: 60 },
    )
    for (const what of [
      'applied',
      'voted',
      'STALE',
      'UNSAFE_CHANGE',
      'UNAUTHORISED',
      'ALREADY_SO',
      'NOT_FOUND',
      'BAD_REQUEST',
      'QUOTA_EXCEEDED',
      'CERTIFICATE_INVALID',
      'CERTIFICATE_EXPIRED',
      'CERTIFICATE_REVOKED',
    ]) {
      expect([what, (seen.get(what) ?? 0) > 0]).toEqual([what, true])
    }
  })

  it('GV-1 takes any bytes from anyone, SM-3 any snapshot', () => {
    const tail = fc.uint8Array({ maxLength: 80 })
    const bytes = fc.oneof(
      tail,
      fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 6), tail).map(([kind, rest]) => Uint8Array.of(0, kind, ...rest)),
      fc.tuple(acts, fc.nat(), fc.nat(255)).map(([what, place, flip]) => {
        const operation = encodeOperation({ expect: undefined, act: what }).slice()
        operation[place % operation.length] = (operation[place % operation.length] ?? 0) ^ flip
        return operation
      }),
    )
    const client = fc.oneof(member, key)
    const fresh = () => new CouncilMachine(founding(['acme1', 'acme2']), PORTS)
    fc.assert(
      fc.property(fc.array(fc.tuple(client, bytes), { maxLength: 40 }), fc.nat(), fc.nat(255), (draws, place, flip) => {
        const machine = runMachine(
          fresh,
          draws.map(([who, operation]) => ({ client: who, operation, at: NOON })),
        )
        const pieces = machine.snapshot().map((piece) => piece.slice())
        const damaged = pieces[place % pieces.length]
        if (damaged !== undefined) damaged[place % damaged.length] = (damaged[place % damaged.length] ?? 0) ^ flip
        const other = fresh()
        const before = allOf(other)
        if (!other.restore(pieces)) expect(allOf(other)).toEqual(before)
        else expect(other.snapshot().map(String)).toEqual(pieces.map(String))
      }),
      { numRuns: 200 },
    )
  })
})

function nameOf(outcome: { readonly result: Uint8Array } | { readonly code: string }): string {
  if ('code' in outcome) return outcome.code
  const result = decode(councilResultShape, outcome.result)
  if (!result.ok) return result.error
  return result.value.kind === 'voted' ? `voted ${result.value.votes}` : 'applied'
}

/** The machine's state in the words of the naive one. */
function allOf({ state }: CouncilMachine): unknown {
  return {
    rev: state.revision,
    orgs: state.organisations
      .rows()
      .map(({ key: name, value }) => [name, value.authorities.join(), value.seatsMax, value.revision]),
    withdrawn: state.withdrawn.rows().map(({ key: name, value }) => [name, value.org, value.revision]),
    seats: state.validators.rows().map(({ key: name, value }) => [name, value.org]),
    barred: state.barred.rows().map(({ key: name }) => name),
    params: state.parameters.rows().map(({ key: name, value }) => [name, value.value, value.revision]),
    tenants: state.tenants
      .rows()
      .map(({ key: name, value }) => [name, `${value.weight} ${JSON.stringify(value.quotas)}`, value.revision]),
    roles: state.roles
      .rows()
      .flatMap(({ key: subject, value }) =>
        value.grants.map((grant) => [`${subject} ${grant.tenant} ${grant.role}`, grant.revision]),
      )
      .sort(),
    revoked: state.revocations.rows().map(({ key: name, value }) => [name, value.revision]),
    expelled: state.expelled.rows().map(({ key: name, value }) => [name, value.revision]),
    overrides: state.overrides.rows().map(({ key: name, value }) => [name, value.until, value.revision]),
  }
}
