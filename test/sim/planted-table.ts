import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts'

export type PlantedOutcome =
  | {
      readonly found: true
      readonly seed: number
      /** So many were tried. */
      readonly seeds: number
      readonly clause: string
      readonly text: string
    }
  | { readonly found: false; readonly seeds: number }

/** A bug may hang the program; that is a failure of the list, which names bugs that checkers find. */
const CHILD_MS_MAX = 300_000

/** Plants one bug and looks for it. */
export function findPlanted(bug: PlantedBug, seeds: number = bug.seeds): PlantedOutcome {
  const script = fileURLToPath(new URL('./planted-run.ts', import.meta.url))
  const child = spawnSync(process.execPath, [script, bug.name, String(seeds)], {
    encoding: 'utf8',
    timeout: CHILD_MS_MAX,
  })
  if (child.status !== 0) throw new Error(`planting ${bug.name} failed:\n${child.stderr}`)
  return JSON.parse(child.stdout) as PlantedOutcome
}

/** SI-13: prints every planted bug (or those named) and what found it. Returns the exit code. */
export function runPlanted(names: readonly string[], count: number | undefined): number {
  const unknown = names.find((name) => !PLANTED_BUGS.some((bug) => bug.name === name))
  if (unknown !== undefined) {
    console.error(`there is no planted bug called ${unknown}`)
    return 2
  }
  let missed = 0
  for (const bug of PLANTED_BUGS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const outcome = findPlanted(bug, count)
    if (!outcome.found) missed += 1
    const what = outcome.found
      ? `found by seed ${outcome.seed}, ${outcome.seeds} tried: ${outcome.clause}`
      : `NOT FOUND in ${outcome.seeds} seeds`
    console.log(`${bug.name.padEnd(28)} ${what.padEnd(38)} ${bug.what}`)
  }
  return missed === 0 ? 0 : 1
}
