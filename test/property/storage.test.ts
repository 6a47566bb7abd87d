import { describe, expect, it } from 'vitest'
import { newCoverage, violationOf } from './storage-campaign.ts'

const SEEDS = 600

describe('the log on a faulty disk', () => {
  it('S-1 S-2 S-5 S-7: keeps what it reported durable, invents nothing, repeats nothing', { timeout: 60_000 }, () => {
    const coverage = newCoverage()
    for (let i = 0; i < SEEDS; i++) {
      const violation = violationOf(`storage/${i}`, coverage)
      expect(violation, `seed storage/${i}`).toBeUndefined()
    }
    // A campaign proves something only about what happened in it.
    for (const [what, count] of Object.entries(coverage)) expect(count, what).toBeGreaterThan(SEEDS / 100)
  })
})
