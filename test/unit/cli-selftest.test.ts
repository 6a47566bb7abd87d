import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runSelfChecks } from '../../node/self-checks.ts'
import { FAKE_CRYPTO, IN_WORDS, LIES, nodes, tryLie } from '../../src/byzantine/index.ts'
import { runCommand } from '../support/command-line.ts'
import { scratchDirectory } from '../support/scratch.ts'

describe('selftest', () => {
  it('checks keys, disk, clock and loopback, leaves nothing behind, and makes no data directory', async () => {
    const parent = scratchDirectory()
    const { stdout, code } = await runCommand(['selftest', '--json', '--data', join(parent, 'not-there')])
    const { passed, checks } = JSON.parse(stdout)
    expect(checks.map((check: { name: string }) => check.name)).toEqual(['crypto', 'disk', 'clock', 'loopback'])
    expect({ passed, code }).toEqual({ passed: true, code: 0 })
    expect(readdirSync(parent)).toEqual([])
  })

  it('says which part fails, and goes on with the others', async () => {
    const data = join(scratchDirectory(), 'no-entry')
    mkdirSync(data, { mode: 0o500 })
    const checks = await runSelfChecks(process.getuid?.() === 0 ? '/proc' : data)
    expect(checks.filter(({ passed }) => !passed).map(({ name }) => name)).toEqual(['disk'])
  })

  it('--byzantine tries every lie, decides each time, and convicts nobody but the liar', {
    timeout: 120_000,
  }, async () => {
    const { stdout, code } = await runCommand(['selftest', '--byzantine', '--json'])
    const { passed, trials } = JSON.parse(stdout)
    expect(trials.map((trial: { lie: string }) => trial.lie)).toEqual(LIES)
    expect(trials.flatMap((trial: { problems: string[] }) => trial.problems)).toEqual([])
    const proof = trials.find((trial: { lie: string }) => trial.lie === 'double-vote')
    expect(proof).toMatchObject({ convicted: true, evidence: [expect.stringMatching(/ and /)] })
    expect({ passed, code }).toEqual({ passed: true, code: 0 })
  })

  it('every lie is told in words', () => {
    expect(LIES.filter((lie) => IN_WORDS[lie] === undefined)).toEqual([])
    expect(Object.keys(IN_WORDS).filter((lie) => !LIES.includes(lie))).toEqual([])
  })

  it('BZ-1 the same seed, the same trial', () => {
    const options = { nodes: nodes(5), crypto: FAKE_CRYPTO, seed: 'again' }
    expect(tryLie('double-vote', options)).toEqual(tryLie('double-vote', options))
  })
})
