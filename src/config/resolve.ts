import { err, ok, type Result } from '../kernel/index.ts'
import { type About, type Key, PROFILES, type Profile, spoken, written } from './key.ts'
import {
  type ConfigFlag,
  environmentLayer,
  fallbackLayer,
  fileLayer,
  flagLayer,
  type Given,
  genesisLayer,
  keyOf,
  type Layer,
  profileLayer,
} from './layers.ts'
import type { ConfigProblem } from './problem.ts'
import { RELATIONS } from './relations.ts'
import { type Config, configSchema, KEYS } from './schema.ts'

/** All that a configuration is made from. Nothing else is read. */
export interface ConfigSources {
  /** The user's home directory: where the data directory is unless XDG_STATE_HOME or someone says otherwise. */
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** The configuration file, read by the caller; its name is for messages. */
  readonly file?: { readonly name: string; readonly content: string } | undefined
  /** Values of flags, by name without dashes: texts, lists or maps. */
  readonly flags?: Readonly<Partial<Record<ConfigFlag, unknown>>> | undefined
  /** Parameters of the swarm that this node belongs to, if any. */
  readonly genesis?: Readonly<Record<string, string>> | undefined
}

export interface ResolvedConfig {
  /** Deeply frozen. */
  readonly config: Config
  /** By path, in the order of the keys (CF-2). */
  readonly origins: ReadonlyMap<string, string>
}

/** Everything decided, or every problem (CF-1, CF-3). */
export function resolveConfig(sources: ConfigSources): Result<ResolvedConfig, readonly ConfigProblem[]> {
  const file = sources.file === undefined ? undefined : fileLayer(sources.file.name, sources.file.content)
  const environment = environmentLayer(sources.env)
  const flags = flagLayer(sources.flags ?? {})
  const genesis = genesisLayer(sources.genesis ?? {})
  const local: readonly Layer[] = [file?.values ?? new Map(), environment.values, flags]
  const problems = [...(file?.problems ?? []), ...environment.problems, ...genesis.problems]

  const chosen = new Map<string, Given>()
  const layers = [fallbackLayer(), profileLayer(profileOf(local)), ...local, genesis.values]
  for (const layer of layers) for (const [path, given] of layer) chosen.set(path, given)
  placeDefaults(chosen, sources)

  const broken = new Set<string>()
  for (const key of KEYS) {
    const problem = problemOf(key, chosen.get(key.path)) ?? contradiction(key, local, genesis.values)
    if (problem === undefined) continue
    problems.push(problem)
    broken.add(key.path)
  }
  // What is broken is judged by its default from here on, so that it does not hide other problems.
  const values = new Map(
    KEYS.map(({ path, about }) => [path, broken.has(path) ? about.fallback : chosen.get(path)?.value]),
  )
  const config = build(values)
  for (const relation of RELATIONS) {
    if (relation.paths.some((path) => broken.has(path)) || relation.holds(config)) continue
    const [path = ''] = relation.paths
    const others = relation.paths.slice(1).map((other) => `${other} = ${values.get(other)}`)
    problems.push({
      path,
      value: values.get(path),
      origin: chosen.get(path)?.origin ?? 'default',
      rule: `${relation.rule} must hold (${others.join(', ')}), because ${relation.reason}`,
      fix: `Change ${relation.paths.filter((other) => chosen.get(other)?.origin !== 'default').join(' or ') || path}.`,
    })
  }
  if (problems.length > 0) return err(problems)
  const origins = new Map(KEYS.map(({ path }) => [path, chosen.get(path)?.origin ?? 'default']))
  return ok({ config: deeplyFrozen(config), origins })
}

/** The cluster-wide values as a founder writes them into the genesis (CF-6). */
export function clusterParameters(config: Config): Readonly<Record<string, string>> {
  const cluster = KEYS.filter(({ about }) => about.cluster)
  return Object.fromEntries(cluster.map(({ path }) => [path, JSON.stringify(valueAt(config, path))]))
}

/** A wrong profile is told as a problem of its key; meanwhile the rest is judged by the default one. */
function profileOf(local: readonly Layer[]): Profile {
  const given =
    local.findLast((layer) => layer.has('profile'))?.get('profile')?.value ?? keyOf('profile')?.about.fallback
  return PROFILES.find((profile) => profile === given) ?? 'lan'
}

/** The two defaults that depend on where this runs (spec/interfaces.md, "Where things are"). */
function placeDefaults(chosen: Map<string, Given>, { env, home }: ConfigSources): void {
  if (chosen.get('data')?.origin === 'default') {
    const state = env.XDG_STATE_HOME
    const base = state === undefined || state === '' ? `${home}/.local/state` : state
    chosen.set('data', { value: `${base}/swarm-node`, origin: 'default' })
  }
  if (chosen.get('socket')?.origin === 'default') {
    chosen.set('socket', { value: `${chosen.get('data')?.value}/swarm.sock`, origin: 'default' })
  }
}

function problemOf(key: Key, given: Given | undefined): ConfigProblem | undefined {
  const { path, about, schema } = key
  const value = given?.value
  const { origin = 'default' } = given ?? {}
  const isSet = origin !== 'default'
  // Undefined is how the schema says "not set"; whoever writes a key means to set it.
  if (isSet ? value !== undefined && schema.safeParse(value).success : schema.safeParse(value).success) return undefined
  return {
    path,
    value: about.secret ? undefined : value,
    origin,
    rule: `must be ${about.rule}`,
    fix: about.secret ? 'Change it or leave it out.' : `For example: ${exampleFor(about, origin)}`,
  }
}

/** As it would be written there. */
function exampleFor(about: About, origin: string): string {
  return /^(?:environment|flag) /.test(origin) ? spoken(about, about.example) : written(about, about.example)
}

/** Someone here wants another value than the swarm was founded with. */
function contradiction(key: Key, local: readonly Layer[], genesis: Layer): ConfigProblem | undefined {
  const agreed = genesis.get(key.path)
  const wanted = local.findLast((layer) => layer.has(key.path))?.get(key.path)
  if (agreed === undefined || wanted === undefined) return undefined
  if (JSON.stringify(agreed.value) === JSON.stringify(wanted.value)) return undefined
  return {
    path: key.path,
    value: wanted.value,
    origin: wanted.origin,
    rule: `is cluster-wide, and the swarm was founded with ${JSON.stringify(agreed.value)}`,
    fix: 'Leave it out here.',
  }
}

function build(values: ReadonlyMap<string, unknown>): Config {
  const tree: Record<string, unknown> = {}
  for (const [path, value] of values) {
    const names = path.split('.')
    const last = names.pop() as string
    let section = tree
    for (const name of names) {
      section[name] ??= {}
      section = section[name] as Record<string, unknown>
    }
    if (value !== undefined) section[last] = value
  }
  // Once in a process: code made for this schema would cost more than it saves.
  return configSchema.parse(tree, { jitless: true })
}

export function valueAt(config: Config, path: string): unknown {
  return path.split('.').reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], config)
}

function deeplyFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) deeplyFrozen(part)
  return Object.freeze(value)
}
