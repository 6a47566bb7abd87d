import { z } from 'zod'
import { aboutOf, type Key, PROFILES, type Profile, written } from './key.ts'
import { RELATIONS } from './relations.ts'
import { type ResolvedConfig, valueAt } from './resolve.ts'
import { configSchema, KEYS } from './schema.ts'

/** One value as `swarm-node config show` prints it. */
export interface DescribedValue {
  readonly path: string
  /** `(set)` for a secret; null for what is not set. */
  readonly value: unknown
  readonly origin: string
  readonly help: string
}

/** Every value with its origin, in the order of the keys (CF-2, CF-8). */
export function describeConfig({ config, origins }: ResolvedConfig): readonly DescribedValue[] {
  return KEYS.map(({ path, about }) => {
    const value = valueAt(config, path) ?? null
    const shown = about.secret && value !== null ? '(set)' : value
    return { path, value: shown, origin: origins.get(path) ?? 'default', help: about.help }
  })
}

/** What editors check a configuration file with. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const about = aboutOf(zodSchema)
      // Every key may be left out of a file.
      delete jsonSchema.required
      if (about === undefined) return
      if (about.fallback !== undefined) jsonSchema.default = about.fallback as never
      if (about.kind !== 'duration') return
      const { description, default: fallback, ...number } = jsonSchema
      for (const name of Object.keys(number)) delete jsonSchema[name]
      jsonSchema.anyOf = [number, { type: 'string', pattern: '^\\d+(\\.\\d+)?(ms|s|m|h|d)$' }]
    },
  })
}

/** The reference for people: every key with its default, bounds and help, then the relations. */
export function configReference(): string {
  const sections = [...new Set(KEYS.map(({ path }) => sectionOf(path)))]
  const tables = sections.map((section) => {
    const keys = KEYS.filter(({ path }) => sectionOf(path) === section)
    const heading = section === '' ? '## General' : `## ${section}`
    return [heading, '', '| key | default | must be | |', '|---|---|---|---|', ...keys.map(referenceRow)].join('\n')
  })
  const relations = RELATIONS.map(
    ({ paths, rule, reason }) => `- ${sectionOf(paths[0] ?? '') || 'general'}: ${rule}, because ${reason}.`,
  )
  return [
    '# Configuration reference',
    '',
    'Generated from `src/config/schema.ts` by `npx vitest run test/golden/config.test.ts -u`. Later wins: default, profile,',
    'file (`--config`, YAML or JSON), environment, flags. The variable of a key is `SWARM_NODE_` and its path in capitals:',
    '`network.relay.server` is `SWARM_NODE_NETWORK_RELAY_SERVER`; there lists are `a,b` and maps `k=v,k=v`. Keys marked',
    '*cluster-wide* are fixed when a swarm is founded.',
    '',
    tables.join('\n\n'),
    '',
    '## What must hold between keys',
    '',
    ...relations,
    '',
  ].join('\n')
}

function referenceRow({ path, about }: Key): string {
  const differing = PROFILES.filter((profile) => profile in about.profiles).map(
    (profile) => `${profile}: \`${written(about, about.profiles[profile])}\``,
  )
  const fallback = about.fallback === undefined ? 'not set' : `\`${written(about, about.fallback)}\``
  const defaults = [fallback, ...differing].join('<br>')
  const help = about.cluster ? `*Cluster-wide.* ${about.help}` : about.help
  return `| \`${path}\` | ${defaults} | ${about.rule.replaceAll('|', '\\|')} | ${help} |`
}

/** A profile as a file: what it sets, written as comments beside the one key that chooses it. */
export function profileFile(profile: Profile): string {
  const lines = KEYS.filter(({ about }) => Object.keys(about.profiles).length > 0).flatMap(({ path, about }) => {
    const value = profile in about.profiles ? about.profiles[profile] : about.fallback
    return ['', `# ${about.help}`, `# ${path}: ${written(about, value)}`]
  })
  return [
    `# The profile "${profile}" (generated from src/config/schema.ts). Use it with --config, or --profile ${profile}.`,
    '# What it sets is written here as comments: a key that is not commented out would no longer follow the profile.',
    '# yaml-language-server: $schema=../swarm-node.schema.json',
    '',
    `profile: ${profile}`,
    ...lines,
    '',
  ].join('\n')
}

function sectionOf(path: string): string {
  return path.split('.').slice(0, -1).join('.')
}
