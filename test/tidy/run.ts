import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { BASELINE_PATH, tightened } from './length.ts'
import { thisRepository } from './repository.ts'
import { faultsOf, RULES } from './rules.ts'

const { values: flags } = parseArgs({ options: { write: { type: 'boolean', default: false } } })

const repository = thisRepository()
if (flags.write) {
  const baseline = JSON.stringify(tightened(repository), undefined, 2)
  writeFileSync(new URL(`../../${BASELINE_PATH}`, import.meta.url), `${baseline}\n`)
}
const faults = faultsOf(repository)
for (const fault of faults) console.error(fault)
console.log(`tidy: ${repository.files.length} files, ${RULES.length} rules, ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
