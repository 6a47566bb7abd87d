import { describe, expect, it } from 'vitest'
import { fakeHash, fakeSigner, GROUP, type Host, nodes, Register, World } from '../../src/byzantine/index.ts'
import { Context } from '../../src/consensus/context.ts'
import { Convictions } from '../../src/consensus/convictions.ts'
import { Execution } from '../../src/consensus/execution.ts'
import { Group } from '../../src/consensus/group.ts'
import { Hashing } from '../../src/consensus/hashing.ts'
import { type Block, consensusParams, type Evidence, RULES } from '../../src/consensus/index.ts'
import type { NodeId, WallMillis } from '../../src/kernel/index.ts'
import { cast, digest, EPOCH, height, view } from './consensus-fixtures.ts'

/** As many as a group remembers, and some. */
const LIARS = 131

function lieOf(signer: NodeId, { epoch }: Host['core']): Evidence {
  const vote = (text: string) => cast(signer, { kind: 'prepare', epoch, view: view(1), digest: digest(text) })
  return { signer, first: vote('1'), second: vote('2') }
}

describe('evidence that is being checked', () => {
  const members = nodes(4)
  const [self, accuser, liar, other] = members as [NodeId, NodeId, NodeId, NodeId]
  const evidenceOf = (signer: NodeId) => lieOf(signer, { epoch: EPOCH } as Host['core'])

  function convictions(inspectionsMax: number) {
    const group = new Group(GROUP, EPOCH, members, RULES)
    const params = { ...consensusParams(), inspectionsMax }
    const hashing = Hashing.with(fakeHash)
    const context = new Context({ signer: fakeSigner(self), params, rules: RULES, hashing, group })
    const held = new Convictions(context, () => {})
    /** The checks that are asked for by what a peer shows. */
    const shown = (evidence: Evidence) => {
      held.consider(accuser, evidence)
      return context.take().flatMap((effect) => (effect.kind === 'verify' ? [effect] : []))
    }
    return { context, held, shown }
  }

  it('is that of one peer at a time for each accused, and what was bad keeps no other from being seen', () => {
    const { context, held, shown } = convictions(1_000)
    const [bad] = shown(evidenceOf(liar))
    expect(shown(evidenceOf(liar))).toEqual([])
    expect(shown(evidenceOf(other))).toHaveLength(1)
    context.conclude(bad?.id ?? 0, [true, false])
    const [good] = shown(evidenceOf(liar))
    context.conclude(good?.id ?? 0, [true, true])
    expect(held.has(liar)).toBe(true)
  })

  it('may be shown again if there was no room to check it', () => {
    const { context, held, shown } = convictions(4)
    const [first] = shown(evidenceOf(other))
    expect(shown(evidenceOf(liar))).toEqual([])
    context.conclude(first?.id ?? 0, [true, true])
    const [second] = shown(evidenceOf(liar))
    context.conclude(second?.id ?? 0, [true, true])
    expect(held.has(liar)).toBe(true)
  })
})

describe('convictions (B-24)', () => {
  it('have room for every liar, one after the other, and the group rests afterwards', () => {
    const members = nodes(4)
    const hosts = members.map((node) => ({ node }))
    const world = new World({ seed: 'liars', members, hosts, carriage: 'objects', route: () => 1 })
    const [first] = world.hosts
    if (first === undefined) throw new Error('there are four')
    const until = (done: () => boolean) => world.run(world.now + 10_000, done, world.events + 100_000)
    for (let i = 0; i < LIARS; i++) {
      const liar = `liar${i}` as NodeId
      world.submit(first, `add:${liar}`)
      expect(until(() => first.core.members.includes(liar))).toBe(true)
      world.step(first, {
        kind: 'message',
        from: liar,
        message: { kind: 'evidence', evidence: lieOf(liar, first.core) },
      })
      expect(
        until(() => !first.core.members.includes(liar)),
        `liar ${i} goes`,
      ).toBe(true)
      world.submit(first, `del:${liar}`)
    }
    world.run(world.now + 1_000, () => false)
    const { height, epoch } = first.core
    // One of those convicted last does not come back, although the machine wants it; the group does not try for ever.
    world.submit(first, `add:liar${LIARS - 1}`)
    world.run(world.now + 5_000, () => false, world.events + 100_000)
    expect(first.core.epoch).toBe(epoch)
    expect(first.core.height - height).toBeLessThanOrEqual(2)
    // All agree on whom they remember, also who has it from a snapshot.
    for (const host of world.hosts.slice(1)) {
      world.crash(host)
      world.restart(host)
    }
    for (let i = 0; i < 12; i++) {
      const id = world.submit(first, `w:${i}`)
      expect(until(() => world.outcomes.get(id)?.kind === 'applied')).toBe(true)
    }
    const { checkpoint } = first.core.status()
    expect(checkpoint?.height).toBeGreaterThan(height)
    expect(world.hosts.every(({ core }) => core.status().checkpoint?.root === checkpoint?.root)).toBe(true)
  })

  it('of a lone member let others come, and then it goes', () => {
    const everyone = nodes(4)
    const hosts = everyone.map((node) => ({ node }))
    const world = new World({ seed: 'alone', members: everyone.slice(0, 1), hosts })
    const [lone, second] = world.hosts
    if (lone === undefined || second === undefined) throw new Error('there are four')
    const liar = lone.node
    world.step(lone, {
      kind: 'message',
      from: second.node,
      message: { kind: 'evidence', evidence: lieOf(liar, lone.core) },
    })
    world.run(world.now + 500, () => false)
    expect(lone.core.status().members).toMatchObject([{ node: liar, convicted: true }])
    for (const node of everyone.slice(1)) world.submit(lone, `add:${node}`)
    const hasChanged = () => world.hosts.every(({ core }) => core.members.join() === everyone.slice(1).join())
    expect(world.run(world.now + 10_000, hasChanged)).toBe(true)
    const id = world.submit(second, 'w:1')
    expect(world.run(world.now + 5_000, () => world.outcomes.get(id)?.kind === 'applied')).toBe(true)
  })

  it('are forgotten from the oldest on, but not of members or of whom the machine wants', () => {
    const group = new Group(GROUP, EPOCH, nodes(5), RULES)
    const wanted = 'wanted' as NodeId
    const execution = () =>
      new Execution(new Register([...nodes(4), wanted]), Hashing.with(fakeHash), consensusParams(), RULES)
    const convict = (at: Execution, who: readonly string[]) => {
      const header = { height: height(1), at: 0 as WallMillis }
      at.apply({ header, requests: [], evidence: who.map((signer) => ({ signer })) } as unknown as Block)
      return at.save(group, { digest: digest('x'), ...header })
    }
    const first = execution()
    const liars = Array.from({ length: 128 }, (_, i) => `liar${(i * 37) % 128}`)
    const saved = convict(first, ['e', wanted, ...liars])
    expect([...first.convicted]).toEqual(['e', wanted, ...liars.slice(2)])
    // Whoever takes it over forgets the same ones next.
    const second = execution()
    expect(second.restore(saved.chunks)).toBeDefined()
    expect(convict(second, ['more'])).toEqual(convict(first, ['more']))
    expect([...second.convicted]).toEqual(['e', wanted, ...liars.slice(3), 'more'])
  })
})
