import { describe, expect, it } from 'vitest'
import { excluding, type Few, has, including } from '../../src/claims/few.ts'
import { Random } from '../../src/kernel/index.ts'
import { answering, World } from './claims-world.ts'

describe('a few', () => {
  it('is a set, however many come and go', () => {
    const random = new Random('few')
    let few: Few<number> = []
    const set = new Set<number>()
    for (let i = 0; i < 5_000; i++) {
      const item = random.below(i < 2_500 ? 12 : 60)
      if (random.chance(0.5)) {
        few = including(few, item, [item])
        set.add(item)
      } else {
        few = excluding(few, item)
        set.delete(item)
      }
      expect(has(few, item)).toBe(set.has(item))
      expect([...few]).toEqual([...set])
    }
  })

  it('leaves a list that is shared as it is', () => {
    const alone: readonly number[] = [1]
    const both = including(including([], 1, alone), 2, [2])
    excluding(both, 1)
    expect(alone).toEqual([1])
    expect(including([], 1, alone)).toBe(alone)
  })
})

describe('agents each of which is of a class of its own', () => {
  function worldOf(agents: number): World {
    const world = new World()
    for (let i = 0; i < agents; i++) world.attach('n0', `a${i}`, { labels: { host: `h${i}` } }, answering(10))
    return world
  }

  it('T-5 all of them take their part, and come and go', () => {
    const world = worldOf(100)
    const tasks = Array.from({ length: 1_000 }, (_, i) => world.submit('n0', { tenant: `t${i % 50}` }))
    world.run(35)
    for (let i = 0; i < 60; i++) world.loseAgent('n0', `a${i}@n0` as never)
    world.run(1_000)
    expect(tasks.filter((task) => world.report('n0', task).state !== 'completed')).toEqual([])
    expect(new Set(world.ran.map(({ agent }) => agent)).size).toBe(100)
  })
})
