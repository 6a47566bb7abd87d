import { describe, expect, it } from 'vitest'
import { answering, World } from './claims-world.ts'

/** What stands right before the last award. */
function beforeAward(world: World): string | undefined {
  const at = world.effects.findLastIndex((effect) => effect.kind === 'send' && effect.message.kind === 'claims.award')
  return world.effects[at - 1]?.kind
}

describe('the peers that a journal names', () => {
  it('T-1 are awarded nothing before that is durable, whichever step wrote it', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', { slots: 4 }, answering(5))
    // What was awarded first may still wait for the disk: nothing has been heard of it.
    world.loses = (_from, _to, { kind }) => kind === 'claims.award'
    world.submit('n0')
    world.run(200)
    world.submit('n0')
    world.run(200)
    expect(beforeAward(world)).toBe('barrier')
    world.loses = () => false
    world.submit('n0')
    world.run(200)
    expect(beforeAward(world)).toBe('barrier')
    world.effects.splice(0)
    world.submit('n0')
    world.run(200)
    expect(beforeAward(world)).not.toBe('barrier')
  })

  it('T-10 are not outwaited when they held nothing as it was compacted', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a', {}, answering(10))
    world.attach('n2', 'b', { skills: [{ name: 'slow', proficiency: 1 }] })
    world.submit('n0')
    const held = world.submit('n0', { skills: ['slow'] })
    world.run(1_000)
    world.kill('n1')
    const task = world.submit('n0', { skills: ['draw'] })
    world.compact('n0')
    const named = world.node('n0').log.filter(({ kind }) => kind === 'executor')
    expect(named).toEqual([{ kind: 'executor', node: 'n2' }])
    world.kill('n0')
    world.restart('n0')
    world.attach('n0', 'c', { skills: [{ name: 'draw', proficiency: 1 }] }, answering(10))
    world.run(1_000)
    expect(world.report('n0', task).state).toBe('completed')
    expect(world.report('n0', held)).toMatchObject({ state: 'running', executor: { node: 'n2' } })
  })

  it('T-1 are named again with their next award', () => {
    const world = new World({ nodes: 2 })
    const agent = world.attach('n1', 'a', {}, answering(10))
    world.submit('n0')
    world.run(1_000)
    world.compact('n0')
    expect(world.node('n0').log.filter(({ kind }) => kind === 'executor')).toEqual([])
    world.behaviours.delete(agent)
    world.submit('n0')
    world.run(1_000)
    expect(world.node('n0').log.filter(({ kind }) => kind === 'executor')).toEqual([{ kind: 'executor', node: 'n1' }])
  })
})
