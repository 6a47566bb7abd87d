import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Plugin } from 'rolldown'
import { PROGRAM_DIRECTORY, PROGRAM_ENTRY } from './program.ts'
import { recordCode } from './record-code.ts'

const ENTRY = 'node/shipped-bin.ts'
const COMMAND_LINE = 'node/cli/main.ts'
const LIBRARY = { index: 'src/index.ts' }

/** The library without what it loads only when asked for: the network (`src/net`) and the trials of liars. */
const CORE = /^(?!.*node_modules).*\/src\/(?!net\/|byzantine\/)[a-z]+\//

const ROOT = join(import.meta.dirname, '..')
const COMMENTS = { legal: true, annotation: false, jsdoc: false } as const

/**
 * V8 keeps the text of what it runs, with two bytes a character as soon as one character of a file is beyond Latin-1. In
 * ASCII, and with no comments but those about licences, a daemon is smaller and starts sooner.
 */
const ascii: Plugin = {
  name: 'ascii',
  generateBundle(_, files) {
    for (const file of Object.values(files)) {
      if (file.type === 'chunk') file.code = file.code.replace(/[\u0080-\uffff]/g, escaped)
    }
  },
}

/**
 * libp2p keeps protocols and addresses in the order of a language where any order would do, and the first comparison of
 * this kind makes a process load the tables for it: 4% of a start.
 */
const plainOrder: Plugin = {
  name: 'plain-order',
  transform(code, id) {
    if (!/@libp2p\/peer-(store|record)\//.test(id)) return undefined
    return code.replace(/(\S+)\.localeCompare\((.+)\);/g, '((l, r) => (l < r ? -1 : l > r ? 1 : 0))($1, $2);')
  },
}

/** Noise hashes with Node's own SHA-256, and makes this one in WebAssembly ready all the same, in every process. */
const nativeHash: Plugin = {
  name: 'native-hash',
  load(id) {
    if (!/@chainsafe\/as-sha256\/lib\/index\.js$/.test(id)) return undefined
    return `import { createHash } from 'node:crypto'
export const digest = (data) => createHash('sha256').update(data).digest()`
  },
}

/**
 * Writes the command line, `bin.js` and what it loads, which imports nothing but Node's own.
 *
 * @param library written beside it, for who publishes it
 */
export async function bundle(directory: string, library: Readonly<Record<string, string>> = {}): Promise<void> {
  await build({
    cwd: ROOT,
    input: { bin: ENTRY, ...library },
    platform: 'node',
    logLevel: 'warn',
    output: { dir: directory, format: 'esm', cleanDir: true, comments: COMMENTS },
    plugins: [ascii],
  })
  await bundleProgram(join(directory, PROGRAM_DIRECTORY))
  await chmod(join(directory, 'bin.js'), 0o755)
}

/** As `program.ts` loads it. */
async function bundleProgram(directory: string): Promise<void> {
  await build({
    cwd: ROOT,
    input: { main: COMMAND_LINE },
    platform: 'node',
    logLevel: 'warn',
    output: {
      dir: directory,
      format: 'cjs',
      cleanDir: true,
      entryFileNames: PROGRAM_ENTRY,
      chunkFileNames: '[name].cjs',
      // What a file has from another is a getter's call away each time, so what a daemon runs most is one file.
      codeSplitting: { groups: [{ name: 'core', test: CORE }] },
      comments: COMMENTS,
    },
    plugins: [
      ascii,
      plainOrder,
      nativeHash,
      {
        name: 'wrapped',
        generateBundle(_, files) {
          for (const file of Object.values(files)) {
            if (file.type === 'chunk') file.code = `(function (exports, require, module) {${file.code}\n})`
          }
        },
      },
    ],
  })
}

/** As it may stand in strings, templates and regular expressions: nothing of ours or of the libraries has more elsewhere. */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

if (import.meta.main) {
  await bundle('dist', LIBRARY)
  try {
    await recordCode(join('dist', PROGRAM_DIRECTORY))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    console.warn(
      `A swarm of the program did not form here, so it comes without compiled code and starts slower: ${reason}`,
    )
  }
}
