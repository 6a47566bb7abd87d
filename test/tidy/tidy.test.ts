import { describe, expect, it } from 'vitest'
import { bannedWords } from './banned-words.ts'
import { clauses } from './clauses.ts'
import { imports } from './imports.ts'
import { BASELINE_PATH, length, tightened } from './length.ts'
import { completed, missingPlatforms } from './lock.ts'
import { packageRules } from './package.ts'
import { type Repository, type Rule, repositoryOf, thisRepository } from './repository.ts'
import { rooms } from './rooms.ts'
import { RULES } from './rules.ts'
import { leaks, tests, unfinished } from './texts.ts'
import { units } from './units.ts'

const CORE = 'src/membership/core.ts'

function faults(rule: Rule, contents: Readonly<Record<string, string>>): readonly string[] {
  return rule.check(repositoryOf(contents))
}

/** One file, one rule, and whether that is a fault. */
function judged(rule: Rule, path: string, source: string): boolean {
  return faults(rule, { [path]: source }).length > 0
}

describe('imports', () => {
  it.each([
    ['src/kernel/random.ts', "import { encode } from '../wire/index.ts'"],
    [CORE, "import { Link } from '../link/index.ts'"],
    [CORE, "import type { Link } from '../link/index.ts'"],
    [CORE, "import { KeyPair } from '../identity/index.ts'"],
    [CORE, "import { type Signer, KeyPair } from '../identity/index.ts'"],
    [CORE, "import { ByteReader } from '../wire/bytes.ts'"],
    [CORE, "import { readFileSync } from 'node:fs'"],
    [CORE, "import { createLibp2p } from 'libp2p'"],
    [CORE, "export { Swarm } from '../swarm/index.ts'"],
    [CORE, "const later = import('../swarm/index.ts')"],
    [CORE, "type Key = import('node:crypto').KeyObject"],
    [CORE, "import { thing } from '../index.ts'"],
    [CORE, "import { thing } from '../../test/support/thing.ts'"],
    ['src/swarm/swarm.ts', "import { Membership } from '../membership/core.ts'"],
    ['src/swarm/swarm.ts', "import { hostname } from 'node:os'"],
    ['src/sim/network.ts', "import { Host } from '../net/index.ts'"],
    ['src/sim/network.ts', "import { Membership } from '../membership/index.ts'"],
    ['src/sim/network.ts', "import { performance } from 'node:perf_hooks'"],
    ['src/runtime/load.ts', "import { multiaddr } from '@multiformats/multiaddr'"],
    ['src/storage/log.ts', "import { Link } from '../link/index.ts'"],
    ['node/daemon.ts', "import { Swarm } from '../src/swarm/index.ts'"],
    ['node/daemon.ts', "import { createLibp2p } from 'libp2p'"],
  ])('%s may not: %s', (path, source) => expect(judged(imports, path, source)).toBe(true))

  it.each([
    [CORE, "import { assert } from '../kernel/index.ts'\nimport { encode } from '../wire/index.ts'"],
    [CORE, "import type { Signer } from '../identity/index.ts'\nimport type { Role } from '../identity/types.ts'"],
    [CORE, "import { type Signer, type Verifier } from '../identity/index.ts'"],
    [CORE, "import { PARAMS } from './params.ts'"],
    ['src/swarm/swarm.ts', "import { Membership } from '../membership/index.ts'"],
    ['src/net/host.ts', "import { createLibp2p } from 'libp2p'\nimport { Link } from '../link/index.ts'"],
    ['src/index.ts', "export { Host } from './net/host.ts'"],
    ['node/daemon.ts', "import { Swarm } from '../src/index.ts'\nimport { readFile } from 'node:fs/promises'"],
    ['test/unit/x.test.ts', "import { createLibp2p } from 'libp2p'"],
  ])('%s may: %s', (path, source) => expect(judged(imports, path, source)).toBe(false))
})

describe('banned words', () => {
  it.each([
    'const now = Date.now()',
    'const date = new Date()',
    'const date = new Clock(Date)',
    'const text = Date(1)',
    'const at = performance.now()',
    'const chance = Math.random()',
    'setTimeout(() => {}, 1)',
    'async function f() {}',
    'const f = async () => 1',
    'class C { async m() {} }',
    'function f(): Promise<void> { throw 1 }',
    'console.log(1)',
    'const id = crypto.randomUUID()',
    'process.exit(1)',
    'const box = { Date }',
  ])('in a core: %s', (source) => {
    expect(judged(bannedWords, CORE, source)).toBe(true)
    expect(judged(bannedWords, 'src/net/host.ts', source)).toBe(false)
  })

  it.each([
    '// Date.now() and async are banned here',
    "const text = 'async Date process'",
    'const x = input.process',
    'const text = new Date(input.wallNow).toISOString()',
    'const y = { process: 1, crypto: 2 }',
    'interface Facts { readonly performance: number }',
    'const r = Math.floor(1.5)',
  ])('not one: %s', (source) => expect(judged(bannedWords, CORE, source)).toBe(false))
})

describe('length', () => {
  const lines = (count: number): string => '  f()\n'.repeat(count)
  const functionOf = (count: number): string => `export function long() {\n${lines(count - 2)}}\n`
  const key = 'src/a/b.ts#long'

  it('of files', () => {
    expect(judged(length, 'test/unit/a.test.ts', '\n'.repeat(501))).toBe(true)
    expect(judged(length, 'test/unit/a.test.ts', '\n'.repeat(500))).toBe(false)
  })

  it.each([functionOf(61), `const long = () => {\n${lines(60)}}\n`, `class A {\n  long() {\n${lines(60)}  }\n}\n`])(
    'of functions, in what ships (%#)',
    (source) => {
      expect(faults(length, { 'src/a/b.ts': source })).toEqual([expect.stringContaining(key)])
      expect(judged(length, 'test/unit/b.test.ts', source)).toBe(false)
    },
  )

  it('lets functions of 60 lines be', () => expect(judged(length, 'src/a/b.ts', functionOf(60))).toBe(false))

  it('of functions only shrinks', () => {
    const with70 = (lineCount: number) => ({
      'src/a/b.ts': functionOf(lineCount),
      [BASELINE_PATH]: JSON.stringify({ [key]: 70 }),
    })
    expect(faults(length, with70(70))).toEqual([])
    expect(faults(length, with70(71))).toEqual([expect.stringContaining('at most 70')])
    expect(faults(length, with70(65))).toEqual([expect.stringContaining('shorter than its entry')])
    expect(tightened(repositoryOf(with70(65)))).toEqual({ [key]: 65 })
    expect(tightened(repositoryOf(with70(60)))).toEqual({})
    expect(tightened(repositoryOf(with70(90)))).toEqual({ [key]: 70 })
    expect(tightened(repositoryOf({ 'src/a/b.ts': functionOf(90) }))).toEqual({})
  })
})

describe('units', () => {
  it.each([
    ['src/link/params.ts', 'export const ACK_DELAY = 5'],
    ['src/net/link-params.ts', 'export const WINDOW = 64 * KIB'],
    ['src/membership/params.ts', 'export interface P { readonly probeCycle: number }'],
    ['src/config/schema.ts', 'export interface P { readonly timeout: number }'],
  ])('are missing in %s: %s', (path, source) => expect(judged(units, path, source)).toBe(true))

  it.each([
    ['src/link/params.ts', 'export const ACK_DELAY_MS = 5\nexport const FRAME_BYTES_MAX = 4 * KIB\nconst KIB = 1024'],
    ['src/membership/params.ts', 'export interface P { readonly probeCycleMs: number; readonly rings: number }'],
    ['src/net/params.ts', 'export const DIALS_PER_SECOND_PER_SOURCE = 3'],
    ['src/net/host.ts', 'export const ANSWER = 42'],
  ])('are there in %s: %s', (path, source) => expect(judged(units, path, source)).toBe(false))
})

describe('clauses', () => {
  const README = 'src/link/README.md'
  const readme = 'Clauses\n- N-1 [s] One.\n- N-2 Two.\n'

  it('are named by tests', () => {
    const named = { [README]: readme, 'test/unit/link.test.ts': "it('N-1 and N-2 hold', f)" }
    expect(faults(clauses, named)).toEqual([])
    expect(faults(clauses, { ...named, 'test/unit/link.test.ts': "it('N-1 and N-22 hold', f)" })).toEqual([
      expect.stringContaining('N-2'),
    ])
    expect(faults(clauses, { [README]: readme, 'src/link/core.ts': '// N-1 N-2' })).toHaveLength(2)
  })

  it('stand in one place', () => {
    const twice = { [README]: readme, 'src/net/README.md': '- N-2 Else.', 'test/a.test.ts': '// N-1 N-2' }
    expect(faults(clauses, twice)).toEqual([expect.stringContaining('too')])
  })
})

describe('rooms', () => {
  it('have a README and a facade, and protocols all six files', () => {
    expect(faults(rooms, { 'src/net/host.ts': '' })).toHaveLength(2)
    expect(faults(rooms, { 'src/net/README.md': '', 'src/net/index.ts': '' })).toEqual([])
    expect(faults(rooms, { 'src/claims/README.md': '', 'src/claims/index.ts': '' })).toHaveLength(4)
  })

  it('are told of file by file', () => {
    const readme = 'Here: `index.ts`.\n| `a.ts`, `gone.ts` | what |\n| a word | of `b.ts`, and `elsewhere.ts` |\n'
    const files = { 'src/net/index.ts': '', 'src/net/a.ts': '', 'src/net/b.ts': '', 'src/net/c.ts': '' }
    expect(faults(rooms, { ...files, 'src/net/README.md': readme })).toEqual([
      'src/net/README.md: does not say what c.ts holds',
      'src/net/README.md: lists gone.ts, which is not there',
    ])
    expect(faults(rooms, { 'node/README.md': '', 'node/daemon.ts': '', 'node/cli/task.ts': '' })).toHaveLength(1)
  })

  it('have names in kebab-case', () => {
    expect(
      faults(rooms, { 'test/unit/someThing.test.ts': '', 'node/Daemon.ts': '', 'node/http-server.ts': '' }),
    ).toHaveLength(2)
  })
})

describe('texts', () => {
  // In pieces, or this file would break the rules that it tests.
  const of = (...pieces: readonly string[]): string => pieces.join('')

  it.each([
    of('it.sk', "ip('x')"),
    of('test.on', 'ly()'),
    of('describe.sk', 'ip.each([1])'),
    of('it.sk', 'ipIf(x)'),
    of('x', 'it(1)'),
  ])('a test is switched off: %s', (source) => expect(judged(tests, 'test/unit/a.test.ts', source)).toBe(true))

  it('a test is on', () =>
    expect(judged(tests, 'test/unit/a.test.ts', "it('x', f); items.skip(3); exit(0)")).toBe(false))

  it.each([
    of('/wo', 'rk/main'),
    of('cd /ho', 'me/jane/x'),
    of('"/ro', 'ot/.npm"'),
    of('.libr', 'ary/x'),
    of('https://regis', 'try.npm', 'js.org/x'),
    of('../sha', 'red/spec'),
  ])('something leaks: %s', (text) => {
    for (const path of ['src/a/b.ts', 'README.md', 'Dockerfile', '.ci/run', 'config/x.yaml']) {
      expect(judged(leaks, path, text)).toBe(true)
    }
  })

  it('nothing leaks', () => {
    expect(judged(leaks, 'src/a/b.ts', 'registry.counter(x); framework/main; $HOME/x; new Registry.Gauge()')).toBe(
      false,
    )
  })

  it('something is unfinished', () => {
    expect(judged(unfinished, 'src/a/b.ts', of('// TO', 'DO later'))).toBe(true)
    expect(judged(unfinished, 'src/a/b.ts', '// nothing to do')).toBe(false)
  })
})

describe('package', () => {
  const real = thisRepository()
  const changed = (path: string, from: string, to: string): Repository => {
    const text = real.read(path)
    expect(text).toContain(from)
    return { files: real.files, read: (asked) => (asked === path ? text.replace(from, to) : real.read(asked)) }
  }

  it('is as agreed', () => expect(packageRules.check(real)).toEqual([]))

  it.each([
    ['package.json', '"Apache-2.0 OR MIT"', '"MIT"'],
    ['package.json', '">=22.13', '">=20.13'],
    ['package.json', '"node": true', '"node": true, "other": true'],
    ['package.json', '"fuzz":', '"fuss":'],
    ['package-lock.json', '"version":', '"resolved": "x", "version":'],
    ['package-lock.json', '"node_modules/@biomejs/cli-win32-x64"', '"node_modules/elsewhere"'],
  ])('%s may not have %s changed', (path, from, to) => {
    expect(packageRules.check(changed(path, from, to))).toHaveLength(1)
  })

  it('has no other files at the top', () => {
    const extra: Repository = { files: [...real.files, 'notes.md'], read: real.read }
    expect(packageRules.check(extra)).toEqual([expect.stringContaining('notes.md')])
  })
})

describe('lock file', () => {
  const tool = {
    version: '1.2.3',
    dev: true,
    optionalDependencies: { '@t/cli-linux-x64-musl': '1.2.3', '@t/odd': '1.2.3' },
  }

  it('is completed with platforms that their names tell, and with no others', () => {
    const whole = completed({ packages: { 'node_modules/tool': tool } })
    expect(whole.packages['node_modules/@t/cli-linux-x64-musl']).toEqual({
      version: '1.2.3',
      cpu: ['x64'],
      dev: true,
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    })
    expect(missingPlatforms(whole)).toEqual(['@t/odd'])
    expect(completed(whole)).toEqual(whole)
  })
})

it('every rule has a name of its own and says nothing of an empty repository, but for what must be there', () => {
  expect(new Set(RULES.map(({ name }) => name)).size).toBe(RULES.length)
  for (const rule of RULES) {
    if (rule !== packageRules) expect([rule.name, rule.check(repositoryOf({}))]).toEqual([rule.name, []])
  }
})
