import { missingPlatforms } from './lock.ts'
import type { Fault, Repository, Rule } from './repository.ts'

const TOP_LEVEL = new Set([
  '.ci',
  '.dockerignore',
  '.gitattributes',
  '.gitignore',
  '.npmrc',
  'CHANGELOG.md',
  'Dockerfile',
  'LICENSE',
  'README.md',
  'biome.json',
  'config',
  'knip.json',
  'node',
  'package-lock.json',
  'package.json',
  'src',
  'test',
  'tsconfig.build.json',
  'tsconfig.json',
  'vitest.config.ts',
])

const SCRIPTS = ['bench', 'build', 'check', 'fuzz', 'lock', 'prepare', 'sim', 'test', 'tidy', 'vectors']

export const packageRules: Rule = {
  name: 'package',
  check: (repository) => [...layoutFaults(repository), ...lockFaults(repository), ...manifestFaults(repository)],
}

function layoutFaults(repository: Repository): readonly Fault[] {
  const extra = new Set(repository.files.map((path) => path.split('/')[0] ?? '').filter((name) => !TOP_LEVEL.has(name)))
  return [...extra].map((name) => `${name}: not part of the agreed top level`)
}

function lockFaults(repository: Repository): readonly Fault[] {
  const text = repository.read('package-lock.json')
  const platforms = missingPlatforms(JSON.parse(text || '{"packages":{}}'))
  if (platforms.length > 0) {
    return [`package-lock.json: npm ci will refuse it without ${platforms.slice(0, 3).join(', ')} …: npm run lock`]
  }
  const addresses = text.match(/"resolved":/g)?.length ?? 0
  if (addresses === 0) return []
  return [`package-lock.json: ${addresses} download addresses: install with .npmrc's omit-lockfile-registry-resolved`]
}

function manifestFaults(repository: Repository): readonly Fault[] {
  const manifest = JSON.parse(repository.read('package.json') || '{}') as {
    readonly license?: string
    readonly engines?: { readonly node?: string }
    readonly scripts?: Readonly<Record<string, string>>
    readonly allowScripts?: unknown
  }
  const faults: Fault[] = []
  const demand = (holds: boolean, what: string): void => {
    if (!holds) faults.push(`package.json: ${what}`)
  }
  demand(manifest.license === 'Apache-2.0 OR MIT', 'the licence is Apache-2.0 OR MIT')
  demand(/^>=22\.13/.test(manifest.engines?.node ?? ''), 'engines.node is >=22.13')
  demand(JSON.stringify(manifest.allowScripts) === '{"node":true}', 'install scripts are allowed for node alone')
  for (const script of SCRIPTS) demand(manifest.scripts?.[script] !== undefined, `the script ${script} is missing`)
  return faults
}
