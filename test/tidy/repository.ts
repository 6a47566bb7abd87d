import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAst } from 'rolldown/parseAst'

/** The files to be judged. Tests judge ones that are made up. */
export interface Repository {
  /** Paths from the top, with slashes, sorted. */
  readonly files: readonly string[]
  read(path: string): string
}

/** One broken rule at one place, for a person: `path:line: what is wrong and what to do`. */
export type Fault = string

export interface Rule {
  readonly name: string
  check(repository: Repository): readonly Fault[]
}

/** What oxc's parser gives (ESTree with TypeScript), as far as the rules look. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

const TOP = new URL('../../', import.meta.url)

/** The working tree as git sees it: tracked files, and new ones that are not ignored. */
export function thisRepository(): Repository {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: fileURLToPath(TOP),
    encoding: 'utf8',
  })
  const files = [...new Set(listed.split('\0'))].filter((path) => path !== '' && existsSync(new URL(path, TOP)))
  return { files: files.sort(), read: (path) => readFileSync(new URL(path, TOP), 'utf8') }
}

/** A made-up repository. */
export function repositoryOf(contents: Readonly<Record<string, string>>): Repository {
  return { files: Object.keys(contents).sort(), read: (path) => contents[path] ?? '' }
}

const parsed = new Map<string, Node>()

/** The syntax tree of a TypeScript file. Undefined for what does not parse: the type checker says so better. */
export function parse(source: string): Node | undefined {
  const known = parsed.get(source)
  if (known !== undefined) return known
  try {
    const tree = parseAst(source, { lang: 'ts' }) as unknown as Node
    parsed.set(source, tree)
    return tree
  } catch {
    return undefined
  }
}

/** Visits every node, parents first, with the node that holds it. */
export function visit(node: Node, see: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  see(node, parent)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) visit(child, see, node)
    }
  }
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

/** The name of an identifier or private name, else undefined. */
export function nameOf(node: unknown): string | undefined {
  return isNode(node) && typeof node.name === 'string' ? node.name : undefined
}

export function lineOf(source: string, offset: number): number {
  let line = 1
  for (let at = source.indexOf('\n'); at !== -1 && at < offset; at = source.indexOf('\n', at + 1)) line += 1
  return line
}

export function isTypeScript(path: string): boolean {
  return path.endsWith('.ts')
}
