import { describe, expect, it } from 'vitest'
import { type Vote, voteBytes } from '../../src/consensus/index.ts'
import { SimKeys } from '../../src/sim/index.ts'
import { COUNCIL } from '../../src/swarm/index.ts'
import { act, certificateOf, NOON, node } from '../support/council.ts'
import { GovernedWorld } from '../support/governed.ts'

describe('who sits in the council', () => {
  /** Members that may all be validators. */
  function members(...names: readonly string[]): GovernedWorld {
    const world = new GovernedWorld()
    for (const name of ['a', ...names]) world.add(name)
    world.linkAll()
    return world
  }
  const seatsAt = (world: GovernedWorld, name: string) => world.nodes.get(name)?.desk.host.core.members.join(' ')

  it('RC-1 fills up by itself from members that have been up for long enough', () => {
    const world = members('b', 'c', 'd', 'e')
    world.pass(4_000)
    expect(seatsAt(world, 'a')).toBe('a')
    world.pass(8_000)
    for (const name of world.nodes.keys()) expect(seatsAt(world, name)).toBe('a b c d e')
    world.propose('a', act.tenant('gold'))
    expect(world.outcomes).toMatchObject([{ outcome: { kind: 'applied' } }])
  })

  it('GV-15 RC-1 one that signs votes that contradict each other loses its seat, for good, and another one gets it', () => {
    const world = members('b', 'c', 'd')
    world.pass(12_000)
    expect(seatsAt(world, 'a')).toBe('a b c d')
    const { core } = world.nodes.get('a')?.desk.host ?? {}
    const signer = new SimKeys('governed').signer(node('b'))
    const cast = (digest: string) => {
      const vote = { kind: 'prepare', epoch: core?.epoch, view: 1, digest: digest.repeat(64) } as unknown as Vote
      return { vote, signature: signer.sign('consensus-vote', voteBytes(COUNCIL, vote)).signature }
    }
    const evidence = { signer: node('b'), first: cast('1'), second: cast('2') }
    const body = { group: COUNCIL, message: { kind: 'evidence', evidence } } as const
    world.tell('a', { kind: 'message', from: node('c'), message: { kind: 'consensus.evidence', body } })
    world.propose('a', act.tenant('gold'))
    world.pass(4_000)
    for (const name of ['a', 'c', 'd']) {
      expect([name, seatsAt(world, name)]).toEqual([name, 'a c d'])
      expect(
        world.nodes
          .get(name)
          ?.desk.state.validators.rows()
          .map(({ key }) => key),
      ).toEqual(['a', 'c', 'd'])
    }
    world.add('e')
    for (const name of ['a', 'b', 'c', 'd']) world.link('e', name)
    world.pass(20_000)
    expect(seatsAt(world, 'a')).toBe('a c d e')
  })

  it('RC-1 validators join a motion for whom they have seen up themselves, and for nobody else', () => {
    const world = members('b', 'c', 'd')
    world.pass(12_000)
    expect(seatsAt(world, 'a')).toBe('a b c d')
    // One liar of four, and nodes with good certificates that are switched off: three more seats would be its veto.
    const dead = ['x', 'y', 'z'].map((name) => certificateOf(name))
    world.propose('d', act.add(...dead))
    expect(world.outcomes.at(-1)).toMatchObject({ outcome: { kind: 'applied' } })
    world.pass(40_000)
    expect(seatsAt(world, 'a')).toBe('a b c d')
    const motions = world.nodes.get('a')?.desk.state.motions.table.rows() ?? []
    expect(motions.map(({ value }) => value.voters)).toEqual([['d']])
    // Nor does its motion keep those out who are there.
    world.add('e')
    for (const name of ['a', 'b', 'c', 'd']) world.link('e', name)
    world.pass(1_000)
    world.propose('b', act.add(certificateOf('e')))
    world.pass(2_000)
    expect(seatsAt(world, 'a')).toBe('a b c d')
    world.pass(8_000)
    expect(seatsAt(world, 'a')).toBe('a b c d e')
  })

  it('RC-1 nobody joins one that lets go of another for it', () => {
    const world = members('b', 'c', 'd')
    world.propose('a', act.parameter('council.sizeMax', '4'))
    world.pass(12_000)
    world.add('e')
    for (const name of ['a', 'b', 'c', 'd']) world.link('e', name)
    world.pass(10_000)
    world.propose('d', act.swap([certificateOf('e')], ['b']))
    expect(world.outcomes.at(-1)).toMatchObject({ outcome: { kind: 'applied' } })
    world.pass(40_000)
    expect(seatsAt(world, 'a')).toBe('a b c d')
  })

  it('RC-1 nobody joins a motion for whom an authority let go', () => {
    const world = members('b', 'c', 'd', 'e')
    world.pass(12_000)
    world.propose('a', act.remove('e'))
    world.pass(2_000)
    world.propose('b', act.add(certificateOf('e')))
    world.pass(40_000)
    expect(seatsAt(world, 'a')).toBe('a b c d')
  })

  it('RC-1 a motion that looks right and cannot be carried is waited for a while only', () => {
    const world = members('b', 'c', 'd')
    world.pass(12_000)
    world.add('e')
    for (const name of ['a', 'b', 'c', 'd']) world.link('e', name)
    // A certificate that was in force for a moment longer, of a node that nobody has seen for long enough by then.
    const passing = certificateOf('e', { notAfter: NOON + world.now - 300_000 + 1_000 })
    world.propose('d', act.add(passing))
    const { state } = world.nodes.get('a')?.desk ?? {}
    world.pass(500)
    expect(state?.motions.table.size).toBe(1)
    world.pass(25_000)
    expect(seatsAt(world, 'a')).toBe('a b c d')
    world.pass(25_000)
    expect(seatsAt(world, 'a')).toBe('a b c d e')
  })

  it('RC-1 keeps to the size that the council has set', () => {
    const world = members('b', 'c', 'd', 'e')
    world.propose('a', act.parameter('council.sizeMax', '3'))
    world.pass(20_000)
    expect(seatsAt(world, 'e')).toBe('a b c')
    world.propose('a', act.parameter('council.sizeMax', '5'))
    world.pass(20_000)
    expect(seatsAt(world, 'e')).toBe('a b c d e')
  })

  it('RC-2 does not grow to two', () => {
    const world = members('b')
    world.pass(30_000)
    expect(seatsAt(world, 'a')).toBe('a')
    world.add('c')
    world.link('a', 'c')
    world.link('b', 'c')
    world.pass(30_000)
    expect(seatsAt(world, 'c')).toBe('a b c')
  })

  it('RC-5 waits while the swarm grows, but not for ever', () => {
    const grow = (world: GovernedWorld, names: string, everyMs: number) => {
      for (const name of names) {
        world.add(name)
        for (const other of world.nodes.keys()) if (other !== name) world.link(name, other)
        world.pass(everyMs)
      }
    }
    const world = members('b', 'c', 'd')
    grow(world, 'efgh', 3_000)
    expect(seatsAt(world, 'a')).toBe('a')
    world.pass(6_000)
    expect(seatsAt(world, 'a')).not.toBe('a')

    const restless = members('b', 'c', 'd')
    // Twenty-two wait eleven times 5 s, and not six times; thirty-three sixteen and a half times.
    grow(restless, 'efghijklmnopqrstuv', 2_000)
    expect(seatsAt(restless, 'a')).toBe('a')
    grow(restless, 'wxyz0123456', 4_900)
    expect(seatsAt(restless, 'a')).not.toBe('a')
  })

  it('RC-3 lets go of a validator that is gone for long, and RC-4 of one that is revoked', () => {
    const world = members('b', 'c', 'd', 'e', 'f')
    world.pass(20_000)
    expect(seatsAt(world, 'a')).toBe('a b c d e f')
    world.stop('f')
    world.pass(50_000)
    expect(seatsAt(world, 'a')).toBe('a b c d e f')
    world.pass(40_000)
    expect(seatsAt(world, 'a')).toBe('a b c d e')
    world.propose('a', act.revoke('e'))
    world.pass(2_000)
    expect(seatsAt(world, 'b')).toBe('a b c d')
  })

  it('GR-3 gives tenants the weights and nodes the news of parameters', () => {
    const world = members('b')
    world.propose('a', act.tenant('gold', { weight: 3 }))
    world.propose('a', act.parameter('membership.rings', '3'))
    world.pass(200)
    const told = world.nodes
      .get('b')
      ?.effects.filter((e) => e.kind === 'observe' && e.observation.kind === 'council-parameter')
    expect(told).toMatchObject([{ observation: { name: 'membership.rings', value: '3' } }])
  })
})
