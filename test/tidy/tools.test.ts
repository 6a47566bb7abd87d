import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { scratchDirectory } from '../support/scratch.ts'

/** The tools we did not write, with our configuration: each must find what is planted for it. */

const TOP = fileURLToPath(new URL('../../', import.meta.url))
const BIN = join(TOP, 'node_modules/.bin')

/** A file each, because the linter says how things are in a tree on the disk only. */
const PLANTED: Readonly<Record<string, readonly [rule: string, source: string]>> = {
  'floating-own': ['noFloatingPromises', 'async function f() {}\nexport function g(): void {\n  f()\n}\n'],
  'floating-port': ['noFloatingPromises', 'export function g(p: { close(): Promise<void> }): void {\n  p.close()\n}\n'],
  'floating-import': [
    'noFloatingPromises',
    "import { later } from './later.ts'\nexport function g(): void {\n  later()\n}\n",
  ],
  any: ['noExplicitAny', 'export const x: any = 1\n'],
  'non-null': ['noNonNullAssertion', 'export const x = (y: string | undefined): string => y!\n'],
  'default-export': ['noDefaultExport', 'export default 1\n'],
  enum: ['noEnum', 'export enum E {\n  A,\n}\n'],
  unused: ['noUnusedVariables', 'const x = 1\n'],
  'import-type': ['useImportType', "import { Later } from './later.ts'\nexport type X = Later\n"],
  'node-protocol': ['useNodejsImportProtocol', "import { readFileSync } from 'fs'\nexport const x = readFileSync\n"],
}

/** Rules that biome's findings name, by file. */
function lintPlanted(): ReadonlyMap<string, readonly string[]> {
  const directory = scratchDirectory()
  cpSync(join(TOP, 'biome.json'), join(directory, 'biome.json'))
  write(
    directory,
    'src/later.ts',
    'export async function later(): Promise<void> {}\nexport type Later = typeof later\n',
  )
  for (const [name, [, source]] of Object.entries(PLANTED)) write(directory, `src/${name}.ts`, source)
  const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '.']
  const { stdout } = spawnSync(join(BIN, 'biome'), args, { cwd: directory, encoding: 'utf8' })
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: readonly { readonly category: string; readonly location: { readonly path: string } }[]
  }
  const found = new Map<string, string[]>()
  for (const { category, location } of diagnostics) {
    const name = basename(location.path, '.ts')
    found.set(name, [...(found.get(name) ?? []), category.split('/').at(-1) ?? ''])
  }
  return found
}

describe('biome', () => {
  it('finds what is planted, each by its rule, and nothing in what is right', () => {
    const found = lintPlanted()
    expect([...found.keys()].sort()).toEqual(Object.keys(PLANTED).sort())
    for (const [name, [rule]] of Object.entries(PLANTED)) expect([name, found.get(name)]).toEqual([name, [rule]])
  })

  it('finds what is not formatted', () => {
    const directory = scratchDirectory()
    cpSync(join(TOP, 'biome.json'), join(directory, 'biome.json'))
    write(directory, 'src/a.ts', 'export const x = "1";\n')
    const { status } = spawnSync(join(BIN, 'biome'), ['format', '--vcs-enabled=false', '.'], { cwd: directory })
    expect(status).toBe(1)
  })
})

describe('tsc', () => {
  it.each([
    ['an unchecked index', 'export const f = (list: readonly string[]): string => list[0]\n'],
    [
      'a switch that falls through',
      'export function f(x: number): void {\n  switch (x) {\n    case 1:\n      f(2)\n    case 2:\n      f(3)\n  }\n}\n',
    ],
    ['an undefined property', 'export const x: { a?: string } = { a: undefined }\n'],
    ['a parameter property', 'export class A {\n  constructor(readonly x: number) {}\n}\n'],
  ])('finds %s', (_what, source) => {
    const directory = scratchDirectory()
    const config = { extends: join(TOP, 'tsconfig.json'), compilerOptions: { types: [] }, include: ['*.ts'] }
    write(directory, 'tsconfig.json', JSON.stringify(config))
    write(directory, 'planted.ts', source)
    expect(spawnSync(join(BIN, 'tsc'), ['-p', directory], { encoding: 'utf8' }).stdout).toContain('planted.ts')
  })
})

describe('knip', () => {
  it('finds files, exports and dependencies that nothing uses', () => {
    const directory = scratchDirectory()
    cpSync(join(TOP, 'knip.json'), join(directory, 'knip.json'))
    write(
      directory,
      'package.json',
      JSON.stringify({ name: 'x', type: 'module', dependencies: { 'left-over': '1.0.0' } }),
    )
    write(directory, 'src/index.ts', "export { used } from './a/used.ts'\n")
    write(directory, 'src/a/used.ts', 'export const used = 1\nexport const spare = 2\n')
    write(directory, 'src/a/orphan.ts', 'export const orphan = 3\n')
    write(directory, 'node/bin.ts', "import { used } from '../src/index.ts'\nimport 'unlisted'\nused.toFixed()\n")
    const { stdout, status } = spawnSync(join(BIN, 'knip'), ['--no-progress'], { cwd: directory, encoding: 'utf8' })
    for (const found of ['left-over', 'spare', 'src/a/orphan.ts', 'unlisted']) expect(stdout).toContain(found)
    expect(status).toBe(1)
  })
})

it('git lists the files that are judged', () => {
  expect(execFileSync('git', ['ls-files', 'package.json'], { cwd: TOP, encoding: 'utf8' })).toBe('package.json\n')
})

function write(directory: string, path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true })
  writeFileSync(join(directory, path), text)
}
