import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'rolldown'

const COMMAND_LINE = 'node/bin.ts'
const LIBRARY = 'src/index.ts'

/**
 * Writes the command line (and the library, for who publishes it) as a few files that import nothing but Node's own.
 *
 * V8 keeps the text of what it runs, with two bytes a character as soon as one character of a file is beyond Latin-1. In
 * ASCII, and with no comments but those about licences, a daemon is smaller and starts sooner.
 */
export async function bundle(directory: string, ...input: readonly string[]): Promise<void> {
  await build({
    cwd: join(import.meta.dirname, '..'),
    input: input.length === 0 ? [COMMAND_LINE] : [...input],
    platform: 'node',
    logLevel: 'warn',
    output: {
      dir: directory,
      format: 'esm',
      cleanDir: true,
      comments: { legal: true, annotation: false, jsdoc: false },
    },
    plugins: [
      {
        name: 'ascii',
        generateBundle(_, files) {
          for (const file of Object.values(files)) {
            if (file.type === 'chunk') file.code = file.code.replace(/[\u0080-\uffff]/g, escaped)
          }
        },
      },
    ],
  })
  await chmod(join(directory, 'bin.js'), 0o755)
}

/** As it may stand in strings, templates and regular expressions: nothing of ours or of the libraries has more elsewhere. */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

if (import.meta.main) await bundle('dist', COMMAND_LINE, LIBRARY)
