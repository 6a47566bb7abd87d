import { existsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CODE_SUFFIX, PROGRAM_ENTRY, Program } from '../../node/program.ts'
import { scratchDirectory } from '../support/scratch.ts'

describe('the shipped program', () => {
  it('loads its files as CommonJS, each once, and what is not a file of its own from Node', async () => {
    const directory = programOf({
      [PROGRAM_ENTRY]: `
        const { add, counted } = require('./sum.cjs')
        const again = require('./sum.cjs')
        const { basename } = require('node:path')
        exports.main = async ([first, second]) => {
          heard.push(add(first, second), again.counted === counted, basename('/a/b'))
        }`,
      'sum.cjs': 'module.exports = { add: (a, b) => a + b, counted: {} }',
    })
    expect(await heardFrom(directory, ['x', 'y'])).toEqual(['xy', true, 'b'])
  })

  it('runs the code that was saved, that of functions compiled when they were called included', async () => {
    const saying = (word: string) =>
      programText(`const word = () => '${word}'; exports.main = async () => { heard.push(word()) }`)
    const directory = programOf({})
    writeFileSync(join(directory, PROGRAM_ENTRY), saying('then'))
    const program = new Program(directory)
    await hearing(() => program.main([]))
    program.saveCode()
    // V8 tells texts apart by their length alone, so what the function says now shows whose code has run.
    writeFileSync(join(directory, PROGRAM_ENTRY), saying('now!'))
    expect(await heardFrom(directory)).toEqual(['then'])
    writeFileSync(join(directory, PROGRAM_ENTRY), saying('later'))
    expect(await heardFrom(directory)).toEqual(['later'])
  })

  it('runs without code, and with code that V8 refuses', async () => {
    const directory = programOf({ [PROGRAM_ENTRY]: "exports.main = async () => { heard.push('runs') }" })
    const code = join(directory, `${PROGRAM_ENTRY}${CODE_SUFFIX}`)
    expect(existsSync(code)).toBe(false)
    const program = new Program(directory)
    await hearing(() => program.main([]))
    program.saveCode()
    truncateSync(code, 20)
    expect(await heardFrom(directory)).toEqual(['runs'])
    writeFileSync(code, 'not code at all')
    expect(await heardFrom(directory)).toEqual(['runs'])
  })
})

function programOf(files: Readonly<Record<string, string>>): string {
  const directory = scratchDirectory()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), programText(text))
  return directory
}

/** As `bundle.ts` wraps it. */
function programText(text: string): string {
  return `(function (exports, require, module) {${text}\n})`
}

function heardFrom(directory: string, argv: readonly string[] = []): Promise<readonly unknown[]> {
  return hearing(() => new Program(directory).main(argv))
}

/** The programs of these tests say what they do in the global array `heard`. */
async function hearing(run: () => Promise<void>): Promise<readonly unknown[]> {
  const heard: unknown[] = []
  Object.assign(globalThis, { heard })
  await run()
  return heard
}
