import { describe, expect, it } from 'vitest'
import { encodeOperation } from '../../src/council/index.ts'
import { EXPELLED_PER_ORGANISATION_MAX, WITHDRAWN_PER_ORGANISATION_MAX } from '../../src/council/params.ts'
import type { WallMillis } from '../../src/kernel/index.ts'
import { act, Bench, certificateOf, founding, node, org } from '../support/council.ts'

const KEY = 'keyacme'
const applied = expect.objectContaining({ kind: 'applied' })
const refused = (code: string) => expect.objectContaining({ code })

describe('keys of organisations', () => {
  it('GV-13 a key that is taken from an organisation speaks for nobody again, unless it is given back', () => {
    const bench = new Bench(['a'])
    const { state } = bench.machine
    const beta = (...keys: readonly string[]) => act.org('beta', { authorities: keys.map(node) })
    expect(bench.apply(KEY, beta('k1', 'k2'))).toEqual(applied)
    expect(bench.apply(KEY, beta('k2'))).toEqual(applied)
    expect(state.withdrawnFrom(node('k1'))).toBe('beta')
    expect(bench.machine.authorised(node('k1'))).toBe(false)
    // Whoever has not heard yet would take what it signs for beta's.
    expect(bench.apply(KEY, act.org('gamma', { authorities: [node('k1')] }))).toEqual(refused('BAD_REQUEST'))
    expect(bench.apply(KEY, beta('k1'))).toEqual(applied)
    expect([state.withdrawnFrom(node('k1')), state.withdrawnFrom(node('k2'))]).toEqual([undefined, 'beta'])
  })

  it('GV-13 of too many withdrawn keys an organisation forgets its own oldest, and nobody else’s', () => {
    const bench = new Bench(['a'])
    const { withdrawn } = bench.machine.state
    const rotate = (name: string, round: number) => {
      const authorities = Array.from({ length: 8 }, (_, i) => node(`k${name}${round}x${i}`))
      return bench.apply(KEY, act.org(name, { authorities }))
    }
    expect(rotate('gamma', 0)).toEqual(applied)
    expect(rotate('gamma', 1)).toEqual(applied)
    for (let round = 0; round < WITHDRAWN_PER_ORGANISATION_MAX / 8 + 2; round++)
      expect(rotate('beta', round)).toEqual(applied)
    expect(withdrawn.rows().filter(({ value }) => value.org === 'beta')).toHaveLength(WITHDRAWN_PER_ORGANISATION_MAX)
    expect(['kbeta0x0', 'kbeta1x0', 'kgamma0x0'].map((key) => withdrawn.has(node(key)))).toEqual([false, true, true])
  })

  it('GV-13 where organisations that have ended leave no room, theirs are forgotten first', () => {
    const bench = new Bench(['a'])
    const { withdrawn } = bench.machine.state
    const acme = (...keys: readonly string[]) => act.org('acme', { authorities: keys.map(node), seatsMax: 16 })
    expect(bench.apply(KEY, acme(KEY, 'kspare'))).toEqual(applied)
    expect(bench.apply(KEY, acme(KEY))).toEqual(applied)
    for (let i = 0; i < withdrawn.rowsMax / 8 + 1; i++) {
      const authorities = Array.from({ length: 8 }, (_, j) => node(`k${i}x${j}`))
      expect(bench.apply(KEY, act.org(`o${i}`, { authorities, seatsMax: 0 }))).toEqual(applied)
      expect(bench.apply(KEY, act.org(`o${i}`, { authorities: [], seatsMax: 0 }))).toEqual(applied)
    }
    expect(withdrawn.size).toBe(withdrawn.rowsMax)
    expect(['k0x0', 'k2x0', 'kspare'].map((key) => withdrawn.has(node(key)))).toEqual([false, true, true])
    for (const piece of bench.machine.snapshot()) expect(piece.length).toBeLessThan(128 * 1024)
  })

  it('GV-12 where no more nodes can be revoked, it is said what ends a membership all the same', () => {
    const bench = new Bench(['a'])
    const { revocations, revision } = bench.machine.state
    for (let i = 0; i < revocations.rowsMax; i++) revocations.set(node(`gone${i}`), { at: 0 as WallMillis, revision })
    expect(bench.apply(KEY, act.revoke('x'))).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      reason: expect.stringMatching(/^16384 nodes are revoked, which is never forgotten.*another key .* all but x$/),
    })
  })

  it('GV-14 an organisation ends with its keys, once it has no seats', () => {
    const bench = new Bench(['a', 'b'])
    const end = act.org('beta', { authorities: [], seatsMax: 0 })
    expect(bench.apply(KEY, act.org('beta'))).toEqual(applied)
    expect(bench.apply(KEY, act.add(certificateOf('x', { org: 'beta' })))).toEqual(applied)
    expect(bench.apply(KEY, end)).toEqual(refused('UNSAFE_CHANGE'))
    expect(bench.apply(KEY, act.remove('x'))).toEqual(applied)
    expect(bench.apply(KEY, end)).toEqual(applied)
    expect(bench.machine.state.organisations.has(org('beta'))).toBe(false)
    expect(bench.apply('keybeta', act.org('beta'))).toEqual(refused('UNAUTHORISED'))
    expect(bench.apply(KEY, end)).toEqual(refused('NOT_FOUND'))
  })

  it('GV-8 a node that an organisation lists as its key is revoked all the same, and speaks for it no more', () => {
    const bench = new Bench(['a'])
    const { state } = bench.machine
    const beta = (...keys: readonly string[]) => act.org('beta', { authorities: keys.map(node), seatsMax: 1 })
    expect(bench.apply(KEY, beta('keybeta'))).toEqual(applied)
    expect(bench.apply('keybeta', beta('keybeta', 'k'))).toEqual(applied)
    expect(bench.apply(KEY, act.revoke('k'))).toEqual(applied)
    expect([state.revocations.has(node('k')), state.withdrawnFrom(node('k'))]).toEqual([true, 'beta'])
    expect(bench.machine.authorised(node('k'))).toBe(false)
    expect(bench.apply('keybeta', beta('keybeta', 'k'))).toEqual(refused('BAD_REQUEST'))
    // Its last key: it is left with its seats, until it gets another key or ends.
    expect(bench.apply(KEY, act.revoke('keybeta'))).toEqual(applied)
    expect(state.organisations.get(org('beta'))).toMatchObject({ authorities: [], seatsMax: 1 })
    expect(bench.apply(KEY, act.org('beta', { authorities: [], seatsMax: 0 }))).toEqual(applied)
    expect(state.organisations.has(org('beta'))).toBe(false)
  })

  it('GV-8 a key is one organisation’s, and no node’s', () => {
    const bench = new Bench(
      founding(['a', 'b'], {
        organisations: ['acme', 'beta'].map((name) => ({
          name: org(name),
          authorities: [node(`key${name}`)],
          seatsMax: 5,
        })),
      }),
    )
    expect(bench.apply('keyacme', act.org('edge', { authorities: [node('keybeta')] }))).toEqual(refused('BAD_REQUEST'))
    expect(bench.apply('keyacme', act.org('edge', { authorities: [node('b')] }))).toEqual(refused('BAD_REQUEST'))
    const posing = certificateOf('keybeta', { org: 'acme' })
    expect(bench.apply('keyacme', act.swap([posing], ['a']))).toEqual(refused('BAD_REQUEST'))
    bench.apply('keyacme', act.revoke('w'))
    expect(bench.apply('keyacme', act.org('edge', { authorities: [node('w')] }))).toEqual(refused('BAD_REQUEST'))
  })
})

describe('memberships of organisations', () => {
  it('GV-16 what an organisation ends is membership of itself, whatever it certifies', () => {
    const bench = new Bench(['a', 'b'])
    const { state } = bench.machine
    for (const what of [act.org('beta', { seatsMax: 1 }), act.role('*', 'w', 'submitter')]) bench.apply(KEY, what)
    // It can make out a certificate for any node, and a seat by it.
    expect(bench.apply('keybeta', act.add(certificateOf('w', { org: 'beta' })))).toEqual(applied)
    expect(bench.apply('keybeta', act.revoke('w', 'beta'))).toEqual(applied)
    expect(bench.apply('keybeta', act.revoke('a', 'beta'))).toEqual(applied)
    expect(bench.seats).toBe('a b')
    expect([state.revocations.size, state.roles.has('w')]).toEqual([0, true])
    expect([state.isExpelled(node('w'), org('beta')), state.isExpelled(node('w'), org('acme'))]).toEqual([true, false])
    expect(bench.apply('keybeta', act.revoke('w', 'beta'))).toEqual(refused('ALREADY_SO'))
    expect(bench.apply(KEY, act.add(certificateOf('w', { org: 'beta' })))).toEqual(refused('CERTIFICATE_REVOKED'))
    expect(bench.apply(KEY, act.add(certificateOf('w')))).toEqual(applied)
    expect(bench.apply(KEY, act.revoke('w'))).toEqual(applied)
    expect(bench.apply(KEY, act.revoke('w', 'beta'))).toEqual(refused('ALREADY_SO'))
  })

  it('GV-16 GV-12 an organisation fills its own room only', () => {
    const bench = new Bench(['a'])
    for (const name of ['beta', 'gamma']) bench.apply(KEY, act.org(name, { seatsMax: 0 }))
    for (let i = 0; i < EXPELLED_PER_ORGANISATION_MAX; i++)
      expect(bench.apply('keybeta', act.revoke(`m${i}`, 'beta'))).toEqual(applied)
    expect(bench.apply('keybeta', act.revoke('m', 'beta'))).toEqual(refused('QUOTA_EXCEEDED'))
    // There is nothing that it could end to make room.
    const operation = encodeOperation({ expect: undefined, act: act.revoke('m', 'beta') })
    expect(bench.machine.check(operation, node('keybeta'))?.reason).toMatch(/never forgotten.*: acme can revoke m/)
    expect(bench.apply('keygamma', act.revoke('m', 'gamma'))).toEqual(applied)
    expect(bench.apply(KEY, act.revoke('m'))).toEqual(applied)
  })
})
