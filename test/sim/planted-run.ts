import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { PLANTED_BUGS } from './planted-bugs.ts'

/**
 * Runs seeds with one bug planted in the shipped source, until one finds it: `node planted-run.ts NAME [COUNT]`.
 * Prints one line of JSON. A process of its own, because the source is patched as it is loaded.
 */
const bug = PLANTED_BUGS.find(({ name }) => name === process.argv[2])
if (bug === undefined) throw new Error(`there is no planted bug called ${process.argv[2]}`)
const url = new URL(`../../src/${bug.file}`, import.meta.url).href
const patched = patch(readFileSync(fileURLToPath(url), 'utf8'), bug.find, bug.replace)

let planted = false
registerHooks({
  load: (requested, context, nextLoad) => {
    const loaded = nextLoad(requested, context)
    if (requested !== url) return loaded
    planted = true
    return { ...loaded, source: patched }
  },
})

const { campaignOf } = await import('./campaigns.ts')
const { run } = await import('./wiring.ts')
if (!planted) throw new Error(`${bug.file} was not loaded`)

const campaign = campaignOf(bug.campaign)
const count = Number(process.argv[3] ?? bug.seeds)
let outcome: object = { found: false, seeds: count }
for (let i = 0; i < count && campaign !== undefined; i++) {
  const seed = String(i + (bug.firstSeed ?? 1))
  const [violation] = run(campaign.scenario(seed, undefined)).violations
  if (violation === undefined) continue
  outcome = {
    found: true,
    seed: Number(seed),
    seeds: i + 1,
    clause: violation.clause,
    text: violation.text.split('\n')[0],
  }
  break
}
console.log(JSON.stringify(outcome))

function patch(source: string, find: string, replace: string): string {
  const parts = source.split(find)
  // A bug that is planted nowhere, or in two places, is not the bug that the list describes.
  if (parts.length !== 2) throw new Error(`the text to replace occurs ${parts.length - 1} times: ${find}`)
  return parts.join(replace)
}
