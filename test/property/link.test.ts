import { expect, test } from 'vitest'
import { Random } from '../../src/kernel/index.ts'
import { LinkWorld } from './link-world.ts'

const SEEDS = 80
const STEPS = 3000

test('N-1 to N-8, N-10, N-11 hold over pipes that tear, delay and are replaced, and through restarts', () => {
  const seen = { delivered: 0, gaps: 0, retransmitted: 0, full: 0, rooms: 0, reconnects: 0 }
  for (let seed = 0; seed < SEEDS; seed++) {
    const world = new LinkWorld(new Random(`link ${seed}`))
    try {
      world.run(STEPS)
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
    for (const key of Object.keys(seen) as (keyof typeof seen)[]) seen[key] += world.counts[key]
  }
  // The weather was bad enough to mean something.
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(SEEDS)
})
