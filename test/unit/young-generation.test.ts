import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)
const MODULE = new URL('../../node/young-generation.ts', import.meta.url).href
const MIB = 1024 * 1024

/** Makes garbage of which much outlives a collection, until the space for new objects is as large as it gets. */
const PROGRAM = `
  const { boundYoungGeneration, youngBytes } = await import(process.argv[1])
  if (process.argv[2] === 'bounded') boundYoungGeneration()
  let kept = []
  let most = 0
  for (let turn = 0; turn < 150; turn++) {
    for (let i = 0; i < 40_000; i++) {
      kept.push({ i, list: [i] })
      if (kept.length > 80_000) kept = []
    }
    most = Math.max(most, youngBytes())
    await new Promise((resolve) => setImmediate(resolve))
  }
  console.log(most)
`

/** The most that V8 set aside for new objects, in a process of its own that allows as much as a large machine does. */
async function mostYoungBytes(how: 'bounded' | 'usual'): Promise<number> {
  const flags = ['--max-semi-space-size=64', '--input-type=module']
  const { stdout } = await run(process.execPath, [...flags, '-e', PROGRAM, MODULE, how])
  return Number(stdout)
}

it('keeps the space for new objects within 32 MiB, and V8 alone does not', async () => {
  const [bounded, usual] = await Promise.all([mostYoungBytes('bounded'), mostYoungBytes('usual')])
  // Large enough to be of use, too.
  expect(bounded).toBeGreaterThanOrEqual(16 * MIB)
  // The next size would be 64 MiB. Threads that share a collection leave pages behind that count for a moment (up to 7 MiB
  // seen with two cores and eight of these programs).
  expect(bounded).toBeLessThan(48 * MIB)
  expect(usual).toBeGreaterThan(48 * MIB)
})
