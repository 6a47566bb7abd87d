import { existsSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { findShapes } from '../fuzz/shapes.ts'
import { faultsOf, readVectors, renewed, VECTORS_FILE } from './vectors.ts'

const { values: flags } = parseArgs({
  options: { write: { type: 'boolean', default: false }, replace: { type: 'boolean', default: false } },
})

const shapes = await findShapes()
if (flags.write) {
  const old = existsSync(VECTORS_FILE) ? readVectors() : undefined
  writeFileSync(VECTORS_FILE, `${JSON.stringify(renewed(old, shapes, flags.replace), undefined, 1)}\n`)
}
const faults = faultsOf(readVectors(), shapes)
for (const fault of faults) console.error(fault)
console.log(`vectors: ${shapes.length} shapes, ${faults.length} faults`)
if (faults.length > 0) {
  console.error("'npm run vectors -- --write' adds and drops; with '--replace' it changes the wire format")
  process.exitCode = 1
}
