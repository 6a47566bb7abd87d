import { describe, expect, it } from 'vitest'
import { answering, type Behaviour, type Ran, World } from './claims-world.ts'

const ECHO = [{ name: 'echo', proficiency: 1 }]
const DRAW = [{ name: 'draw', proficiency: 1 }]

const first = (world: World): Ran => {
  const [ran] = world.ran
  if (ran === undefined) throw new Error('nothing ran')
  return ran
}

describe('room that comes free', () => {
  it('T-9 of what the host shares is for any agent that waits for it, whoever had it', () => {
    const world = new World()
    world.input('n0', { kind: 'capacity', resources: { cpu: 2 } })
    world.attach('n0', 'a', { skills: ECHO }, answering(100))
    world.attach('n0', 'b', { skills: DRAW }, answering(100))
    world.submit('n0', { resources: { cpu: 2 } })
    const task = world.submit('n0', { skills: ['draw'], resources: { cpu: 2 } })
    world.run(250)
    expect(world.report('n0', task).state).toBe('completed')
  })

  it('T-9 also when it comes back with the loss of an agent, and to the last of many', () => {
    const world = new World()
    world.input('n0', { kind: 'capacity', resources: { cpu: 1 } })
    const lost = world.attach('n0', 'a')
    world.submit('n0', { resources: { cpu: 1 }, queueTimeoutMs: 1 })
    for (let i = 0; i < 20; i++) world.attach('n0', `b${i}`, { skills: DRAW }, answering(10))
    const task = world.submit('n0', { skills: ['draw'], require: ['agent==b19'], resources: { cpu: 1 } })
    world.loseAgent('n0', lost)
    world.run(1_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { agent: 'b19' } })
  })

  it('T-7 is known to be free also where nobody has wanted to know the outcome for long', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', { slots: 2 })
    world.submit('n0', { runTimeoutMs: 1_000 })
    world.run(200)
    world.kill('n0')
    world.run(13 * world.params.leaseMs + 2_000)
    world.done(first(world))
    expect([...world.node('n1').core.agents()]).toMatchObject([{ slotsUsed: 0, slotsStuck: 0 }])
  })

  it('is not kept for the offers of a coordinator to which the link is gone', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a')
    world.submit('n1')
    for (let i = 0; i < 10; i++) world.submit('n0', { priority: 9, tenant: `t${i}` })
    world.run(100)
    world.kill('n0')
    const task = world.submit('n1')
    world.done(first(world))
    expect(world.report('n1', task).state).toBe('running')
    expect(world.observed.filter(({ kind }) => kind === 'coordinator-shunned')).toEqual([])
  })
})

describe('a demand that is taken back', () => {
  it('CL-7 has its place for no longer than another one, also when an agent here takes the task at once', () => {
    // Some more than are kept idle and fail at once.
    const world = new World({ params: { demandsMax: 1_104 } })
    const fails: Behaviour = (ran) => (ran.order.attempt === 1 ? world.fail(ran) : world.done(ran))
    for (let i = 0; i < 60; i++) world.attach('n0', `a${i}`, {}, fails)
    world.attach('n0', 'b', { skills: DRAW }, answering(0))
    for (let round = 1; round <= 3; round++) {
      for (let i = 0; i < 60; i++) world.submit('n0', { tenant: `f${round}-${i}` })
      world.run(1)
      for (let i = 0; i < 1_100; i++) {
        world.submit('n0', { skills: ['draw'], tenant: `q${round}-${i}` })
        world.run(0)
      }
      world.run(1_000)
      expect(world.node('n0').core.counts).toMatchObject({ waiting: 0, completed: round * 1_160 })
    }
  })
})
