import { describe, expect, it } from 'vitest'
import { campaignOf } from './campaigns.ts'
import { run } from './wiring.ts'

const BLOCK = 10
/** A block's bound on a machine that is ten times slower than the one it was written on. */
const BLOCK_TIMEOUT_MS = 300_000

describe('claims under random faults: T-1 to T-13', () => {
  for (let first = 1; first <= 60; first += BLOCK) {
    it(`hold for seeds ${first} to ${first + BLOCK - 1}`, { timeout: BLOCK_TIMEOUT_MS }, () => {
      for (let i = 0; i < BLOCK; i++) {
        const seed = String(first + i)
        const result = run(scenarioOf(seed))
        const failures = result.violations.map(
          ({ clause, text }) => `${clause}: ${text} (npm run sim -- claims --seed ${seed} --trace)`,
        )
        expect(failures).toEqual([])
      }
    })
  }

  it('are the same run twice (SI-1)', { timeout: BLOCK_TIMEOUT_MS }, () => {
    expect(run(scenarioOf('7')).hash).toBe(run(scenarioOf('7')).hash)
  })
})

function scenarioOf(seed: string): ReturnType<NonNullable<ReturnType<typeof campaignOf>>['scenario']> {
  const campaign = campaignOf('claims')
  if (campaign === undefined) throw new Error('there is no campaign called claims')
  return campaign.scenario(seed, undefined)
}
