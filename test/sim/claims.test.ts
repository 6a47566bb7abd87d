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

describe('claims among members that lie: T-1 to T-8, T-13, CL-7, CL-13, CL-17 to CL-19', () => {
  const LIAR_SEEDS = ['1', '4', '6', '9', '11', '15', '24', '31']

  it(`hold for seeds ${LIAR_SEEDS.join(', ')}`, { timeout: BLOCK_TIMEOUT_MS }, () => {
    let lies = 0
    for (const seed of LIAR_SEEDS) {
      const result = run(scenarioOf(seed, 'claims-liar'))
      expect(result.violations.map(({ clause, text }) => `claims-liar ${seed}: ${clause}: ${text}`)).toEqual([])
      lies += result.figures.lies ?? 0
    }
    expect(lies).toBeGreaterThan(1_000)
  })

  it('are the same run twice (SI-1)', { timeout: BLOCK_TIMEOUT_MS }, () => {
    expect(run(scenarioOf('4', 'claims-liar')).hash).toBe(run(scenarioOf('4', 'claims-liar')).hash)
  })
})

function scenarioOf(seed: string, name = 'claims'): ReturnType<NonNullable<ReturnType<typeof campaignOf>>['scenario']> {
  const campaign = campaignOf(name)
  if (campaign === undefined) throw new Error(`there is no campaign called ${name}`)
  return campaign.scenario(seed, undefined)
}
