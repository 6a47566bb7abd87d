import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/*
 * `npm run bench -- NAME [ARG…]` runs `test/bench/NAME.bench.ts` in a process of its own. A bench measures us, the floor
 * and the peer in one run and prints ratios: absolute figures drift from machine to machine. Its first doc comment says
 * what it compares.
 */

const HERE = new URL('./', import.meta.url)
const SUFFIX = '.bench.ts'
const FIRST_DOC = /^\/\*\*\n \* (.*?)\n \*\//ms

process.exitCode = main(process.argv[2], process.argv.slice(3))

function main(name: string | undefined, args: readonly string[]): number {
  const names = readdirSync(HERE)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
  if (name !== undefined && names.includes(name)) {
    if (args.includes('--help')) {
      console.log(`npm run bench -- ${name} [ARG…]\n\n  ${docOf(name).replaceAll('\n', '\n  ')}`)
      return 0
    }
    return spawnSync(process.execPath, [fileOf(name), ...args], { stdio: 'inherit' }).status ?? 1
  }
  const asked = name === undefined || name === '--help'
  if (!asked) console.error(`there is no bench named ${name}`)
  console.log('npm run bench -- NAME [ARG…]')
  for (const known of names) console.log(`\n  ${known}\n    ${summaryOf(known)}`)
  return asked ? 0 : 2
}

function summaryOf(name: string): string {
  const [summary = ''] = docOf(name).split('\n\n')
  return summary.replaceAll('\n', '\n    ')
}

function docOf(name: string): string {
  const comment = FIRST_DOC.exec(readFileSync(fileOf(name), 'utf8'))?.[1] ?? ''
  return comment.replaceAll(/^ \* ?/gm, '')
}

function fileOf(name: string): string {
  return fileURLToPath(new URL(`${name}${SUFFIX}`, HERE))
}
