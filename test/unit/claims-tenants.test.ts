import { describe, expect, it } from 'vitest'
import { answering, World } from './claims-world.ts'

describe('a full table of tenants', () => {
  it('has room for a newcomer as long as somebody in it waits for nothing', () => {
    const world = new World({ params: { tenantsMax: 10 } })
    world.attach('n0', 'a', { slots: 1 }, answering(1))
    // The second of each waits, and is charged.
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 2; j++) world.submit('n0', { tenant: `t${i}` })
      world.run(1_000)
    }
    expect(world.refusal('n0', { tenant: 'newcomer' })).toBeUndefined()
  })

  it('CL-5 forgets whoever owes least', () => {
    const world = new World({ params: { tenantsMax: 3 } })
    world.attach('n0', 'a', { slots: 1 }, answering(10))
    world.input('n0', { kind: 'weights', weights: { much: 0.01, some: 0.1 } })
    world.submit('n0', { tenant: 'little' })
    // These wait, and each is charged in proportion to its weight.
    for (const tenant of ['much', 'little', 'some']) world.submit('n0', { tenant })
    world.run(10_000)
    world.submit('n0', { tenant: 'newcomer' })
    world.ran.splice(0)
    for (const tenant of ['much', 'some', 'newcomer']) world.submit('n0', { tenant })
    world.run(1_000)
    expect(world.ran.map(({ order }) => order.tenant)).toEqual(['newcomer', 'some', 'much'])
  })

  it('is no obstacle for a task that is accepted already', () => {
    const world = new World({ params: { tenantsMax: 3 } })
    world.attach('n0', 'a', { slots: 1 })
    const task = world.submit('n0', { tenant: 'first' })
    for (const tenant of ['second', 'third', 'fourth']) world.submit('n0', { tenant })
    const [ran] = world.ran
    if (ran === undefined) throw new Error('nothing ran')
    // It will wait under another demand, for whoever has not failed it; the second has its slot, and its place goes to the fifth.
    world.fail(ran)
    world.submit('n0', { tenant: 'fifth' })
    world.run(1_000)
    expect(world.refusal('n0', { tenant: 'sixth' })?.code).toBe('OVERLOADED')
    world.attach('n0', 'b', { slots: 3 }, answering(1))
    world.run(1_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { agent: 'b' } })
  })
})

describe('a tenant that was forgotten', () => {
  it('CL-5 has one share when it is back, whatever it waits for', () => {
    const world = new World({ params: { tenantsMax: 2 } })
    world.attach('n0', 'a', { slots: 1 }, answering(10))
    // It has waited for one demand, and is then forgotten in favour of others.
    for (let i = 0; i < 2; i++) world.submit('n0', { tenant: 'back' })
    world.run(1_000)
    for (let i = 0; i < 20; i++) {
      for (const tenant of ['other', `passing${i}`]) for (let j = 0; j < 2; j++) world.submit('n0', { tenant })
      world.run(1_000)
    }
    world.ran.splice(0)
    world.submit('n0', { tenant: 'other' })
    for (let i = 0; i < 20; i++) {
      world.submit('n0', { tenant: 'back', budget: 9 })
      world.submit('n0', { tenant: 'back' })
      world.submit('n0', { tenant: 'other' })
    }
    world.run(201)
    const others = world.ran.filter(({ order }) => order.tenant === 'other').length
    expect(others).toBeGreaterThanOrEqual(9)
  })
})
