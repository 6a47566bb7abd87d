import { describe, expect, it } from 'vitest'
import { answering, type Ran, World } from './claims-world.ts'

/** Two tasks of one processor every 45 ms, of which each takes a tenth of a second: more than there is room for. */
function stream(world: World, skills: readonly string[] = ['echo'], everyMs = 45): void {
  for (let i = 0; i < 2; i++) world.submit('n0', { skills, resources: { cpu: 1 }, priority: 7, queueTimeoutMs: 5_000 })
  world.later(everyMs, () => stream(world, skills, everyMs))
}

/** Of an agent's four processors one is taken and three are saved up for `large`, which wants all; `small` has come after that. */
function savingUp(): { readonly world: World; readonly large: string; readonly small: string } {
  const world = new World()
  world.attach('n0', 'a', { slots: 8, resources: { cpu: 4 } })
  for (let i = 0; i < 2; i++) world.submit('n0', { resources: { cpu: 1 } })
  const large = world.submit('n0', { resources: { cpu: 4 } })
  world.run(world.params.agingMs)
  world.done(world.ran[0] as Ran)
  return { world, large, small: world.submit('n0', { resources: { cpu: 1 } }) }
}

describe('T-11 what wants more than comes free at once', () => {
  it('has it saved up at an agent when it has waited long enough, whatever else comes', () => {
    const world = new World()
    world.attach('n0', 'a', { slots: 8, resources: { cpu: 4 } }, answering(100))
    stream(world)
    world.run(500)
    const task = world.submit('n0', { resources: { cpu: 4 } })
    world.run(world.params.agingMs + 2_000)
    expect(world.report('n0', task).state).toBe('completed')
    expect(world.node('n0').core.counts.completed).toBeGreaterThan(1_000)
  })

  it('has it saved up at the host, where the agents that take it are others', () => {
    const world = new World()
    world.input('n0', { kind: 'capacity', resources: { cpu: 4 } })
    world.attach('n0', 'a', { slots: 8 }, answering(100))
    world.attach('n0', 'b', { skills: [{ name: 'draw', proficiency: 1 }] }, answering(100))
    stream(world)
    world.run(500)
    const task = world.submit('n0', { skills: ['draw'], resources: { cpu: 4 } })
    world.run(world.params.agingMs + 2_000)
    expect(world.report('n0', task).state).toBe('completed')
  })

  it('for another node, too', () => {
    const world = new World({ nodes: 2 })
    world.attach('n0', 'a', { slots: 8, resources: { cpu: 4 } }, answering(100))
    stream(world)
    world.run(500)
    const task = world.submit('n1', { resources: { cpu: 4 } })
    world.run(world.params.agingMs + 5_000)
    expect(world.report('n1', task).state).toBe('completed')
  })

  it('for no longer than it has waited, and what it kept from others is theirs again', () => {
    const world = new World()
    const agent = world.attach('n0', 'a', { slots: 8, resources: { cpu: 4 } })
    const ran = (): Ran[] => world.ran.splice(0)
    for (let i = 0; i < 3; i++) world.submit('n0', { resources: { cpu: 1 } })
    const [, other, last] = ran() as [Ran, Ran, Ran]
    const large = world.submit('n0', { resources: { cpu: 4 } })
    world.run(world.params.agingMs)
    world.done(last)
    // From here on it is saved up, and one goes on for longer than that.
    const small = world.submit('n0', { resources: { cpu: 1 } })
    world.submit('n0', { skills: ['echo'], resources: {} })
    expect(ran()).toMatchObject([{ order: { task: expect.not.stringMatching(small) } }])
    world.run(world.params.agingMs)
    expect(world.report('n0', small).state).toBe('running')
    world.done(other)
    expect(world.report('n0', large).state).toBe('waiting')
    world.loseAgent('n0', agent)
    world.run(1_000)
    world.attach('n0', 'b', { slots: 8, resources: { cpu: 4 } }, answering(1))
    world.run(1_000)
    expect(world.report('n0', large).state).toBe('completed')
  })

  it('nor when another agent has it', () => {
    const { world, large, small } = savingUp()
    world.attach('n0', 'b', { resources: { cpu: 4 } })
    expect(world.report('n0', large)).toMatchObject({ state: 'running', executor: { agent: 'b' } })
    expect(world.report('n0', small).state).toBe('running')
  })

  it('nor when it is not wanted any more', () => {
    const { world, large, small } = savingUp()
    expect(world.report('n0', small).state).toBe('waiting')
    world.ask('n0', { kind: 'cancel', task: large, reason: '' })
    expect(world.report('n0', small).state).toBe('running')
  })
})
