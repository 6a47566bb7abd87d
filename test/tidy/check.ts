import { spawn } from 'node:child_process'

/** `npm run check`: every check of the repository but the tests, side by side; all findings at once. */
const CHECKS: Readonly<Record<string, readonly string[]>> = {
  lint: ['biome', 'check', '--error-on-warnings'],
  types: ['tsc', '-p', '.'],
  knip: ['knip', '--no-progress'],
  tidy: ['node', 'test/tidy/run.ts'],
  vectors: ['node', 'test/vectors/run.ts'],
}

interface Checked {
  readonly name: string
  readonly passed: boolean
  readonly output: string
  readonly seconds: number
}

const results = await Promise.all(Object.entries(CHECKS).map(([name, command]) => run(name, command)))
for (const { name, passed, output } of results) {
  if (!passed) console.log(`── ${name}\n${output.trimEnd()}\n`)
}
for (const { name, passed, seconds } of results) {
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name.padEnd(8)} ${seconds.toFixed(1)} s`)
}
const failed = results.filter(({ passed }) => !passed).length
console.log(`${results.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

/** npm has put the project's binaries on the path. */
function run(name: string, [command = '', ...args]: readonly string[]): Promise<Checked> {
  const startedAt = Date.now()
  return new Promise((resolve) => {
    let output = ''
    const end = (passed: boolean): void => resolve({ name, passed, output, seconds: (Date.now() - startedAt) / 1000 })
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    child.on('error', (error) => {
      output += error.message
      end(false)
    })
    child.on('close', (code) => end(code === 0))
  })
}
