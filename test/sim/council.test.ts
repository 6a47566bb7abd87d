import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../src/sim/index.ts'
import { campaignOf } from './campaigns.ts'
import { run } from './wiring.ts'

function runSeed(seed: number): RunResult {
  const campaign = campaignOf('council')
  if (campaign === undefined) throw new Error('there is no campaign called council')
  return run(campaign.scenario(String(seed), undefined))
}

function failures({ scenario, violations }: RunResult): string[] {
  return violations.map(({ clause, text }) => {
    return `${clause}: ${text} (npm run sim -- council --seed ${scenario.seed} --trace)`
  })
}

/** A block's bound on a machine that is ten times slower than the one it was written on. */
const BLOCK_TIMEOUT_MS = 300_000
const BLOCK = 5

describe('a council under random faults: B-1 to B-4, B-6, B-7, B-13, B-19, B-24, GR-1 to GR-5, RC-1 to RC-3, CU-1, CE-2 to CE-8', () => {
  const met: Record<string, number> = {}

  for (let first = 1; first <= 20; first += BLOCK) {
    it(`holds for seeds ${first} to ${first + BLOCK - 1}`, { timeout: BLOCK_TIMEOUT_MS }, () => {
      for (let i = 0; i < BLOCK; i++) {
        const result = runSeed(first + i)
        expect(failures(result)).toEqual([])
        for (const [name, figure] of Object.entries(result.figures)) met[name] = (met[name] ?? 0) + figure
      }
    })
  }

  it('SI-14 met on the way what it is about: growth, loss, revocation, torn replacements, snapshots, lies', () => {
    for (const name of [
      'decisions',
      'epochs',
      'transfers',
      'replacementsCut',
      'lies',
      'revoked',
      'seated',
      'unseated',
      'motions',
      'refused',
      'cellEpochs',
      'custodiansCame',
      'takenOver',
    ]) {
      expect(met[name], name).toBeGreaterThan(0)
    }
  })

  it('is the same run twice (SI-1)', () => {
    expect(runSeed(3)).toEqual(runSeed(3))
  })
})
