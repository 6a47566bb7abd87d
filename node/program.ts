import type { Script } from 'node:vm'
import { optimiseLate } from './code-tiers.ts'

/** Where the program lies beside its entry, and with which of its files it begins. */
export const PROGRAM_DIRECTORY = 'program'
export const PROGRAM_ENTRY = 'main.cjs'
/** V8 refuses code of another V8, but tells neither the machine nor the patches of a Node apart. */
export const CODE_SUFFIX = `.${process.version}-${process.arch}.code`

type Exports = Record<string, unknown>
type Wrapped = (exports: Exports, require: (name: string) => unknown, module: { exports: Exports }) => void

/**
 * The program as it is shipped: files that are each the text of one CommonJS wrapper, and beside them the code that V8 has
 * compiled of them in a process that did what a daemon does (`record-code.ts`). Node's own cache is taken before a module
 * runs, and so lacks every function that is compiled when it is first called: nearly all of them.
 *
 * Code of another V8, or of other flags, is refused by V8: then everything is compiled again, as without.
 */
export class Program {
  /** An `import` of these would make Node load all that they could ever export: 2% of what a start costs. */
  readonly #fs = process.getBuiltinModule('node:fs')
  readonly #vm = process.getBuiltinModule('node:vm')
  readonly #directory: string
  readonly #modules = new Map<string, { exports: Exports }>()
  readonly #scripts = new Map<string, Script>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Runs the command line. */
  async main(argv: readonly string[]): Promise<void> {
    optimiseLate()
    const { main } = this.#load(PROGRAM_ENTRY) as { main(argv: readonly string[]): Promise<void> }
    await main(argv)
  }

  /** Leaves what has been compiled so far to the processes that come after this one. */
  saveCode(): void {
    for (const [file, script] of this.#scripts) this.#fs.writeFileSync(this.#codeOf(file), script.createCachedData())
  }

  #load(file: string): Exports {
    const known = this.#modules.get(file)
    if (known !== undefined) return known.exports
    const module = { exports: {} }
    this.#modules.set(file, module)
    const filename = `${this.#directory}/${file}`
    const cachedData = this.#savedCode(file)
    const script = new this.#vm.Script(this.#fs.readFileSync(filename, 'latin1'), {
      filename,
      ...(cachedData && { cachedData }),
    })
    this.#scripts.set(file, script)
    const wrapped = script.runInThisContext() as Wrapped
    wrapped(module.exports, (name) => this.#require(name), module)
    return module.exports
  }

  #require(name: string): unknown {
    if (name.startsWith('./')) return this.#load(name.slice(2))
    return process.getBuiltinModule(name)
  }

  #savedCode(file: string): Buffer | undefined {
    try {
      return this.#fs.readFileSync(this.#codeOf(file))
    } catch {
      return undefined
    }
  }

  /** V8 compares only the lengths of the texts: whoever writes another text here removes the code of the last. */
  #codeOf(file: string): string {
    return `${this.#directory}/${file}${CODE_SUFFIX}`
  }
}
