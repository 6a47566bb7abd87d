import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FAULT_KINDS, type RunResult } from '../../src/sim/index.ts'
import { campaignOf } from './campaigns.ts'
import { run } from './wiring.ts'

/** One command away from the whole story. */
function failures(result: RunResult, nodes?: number): string[] {
  const { name, seed } = result.scenario
  const size = nodes === undefined ? '' : ` --nodes ${nodes}`
  return result.violations.map(
    ({ clause, text }) => `${clause}: ${text} (npm run sim -- ${name} --seed ${seed}${size} --trace)`,
  )
}

function runSeed(name: string, seed: string, nodes?: number): RunResult {
  const campaign = campaignOf(name)
  if (campaign === undefined) throw new Error(`there is no campaign called ${name}`)
  return run(campaign.scenario(seed, nodes))
}

/** Seeds per block, so that a failure names a block and vitest shows that something moves. */
const BLOCK = 20

/** A block's bound on a machine that is ten times slower than the one it was written on. */
const BLOCK_TIMEOUT_MS = 300_000

describe('membership under random faults: M-1 to M-7', () => {
  const seen = new Map<string, number>()

  for (let first = 1; first <= 200; first += BLOCK) {
    it(`holds for seeds ${first} to ${first + BLOCK - 1}`, { timeout: BLOCK_TIMEOUT_MS }, () => {
      for (let i = 0; i < BLOCK; i++) {
        const result = runSeed('membership', String(first + i))
        expect(failures(result)).toEqual([])
        for (const kind of FAULT_KINDS) seen.set(kind, (seen.get(kind) ?? 0) + result.faults[kind])
      }
    })
  }

  it('met every kind of fault on the way (SI-12)', () => {
    for (const kind of FAULT_KINDS) expect(seen.get(kind), kind).toBeGreaterThan(0)
  })

  it('is the same run twice (SI-1)', () => {
    expect(runSeed('membership', '11')).toEqual(runSeed('membership', '11'))
  })
})

describe('formation: M-7', { timeout: BLOCK_TIMEOUT_MS }, () => {
  for (const nodes of [1, 2, 7, 33]) {
    it(`brings ${nodes} together`, () => expect(failures(runSeed('formation', '1', nodes), nodes)).toEqual([]))
  }
})

describe('seeds that failed once', { timeout: BLOCK_TIMEOUT_MS }, () => {
  interface Regression {
    readonly campaign: string
    readonly seed: string
    readonly nodes?: number
    readonly reason: string
  }
  const file = new URL('./regressions.json', import.meta.url)
  const regressions = JSON.parse(readFileSync(file, 'utf8')) as readonly Regression[]

  it('are each kept with a reason', () => {
    expect(regressions.filter(({ reason }) => reason.length < 20)).toEqual([])
  })

  for (const { campaign, seed, nodes, reason } of regressions) {
    it(`${campaign} ${seed}: ${reason}`, () => expect(failures(runSeed(campaign, seed, nodes), nodes)).toEqual([]))
  }
})
