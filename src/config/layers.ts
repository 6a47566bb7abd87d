import { parseDocument } from 'yaml'
import { parseDuration } from './duration.ts'
import type { Key, Profile } from './key.ts'
import type { ConfigProblem } from './problem.ts'
import { KEYS } from './schema.ts'
import { nearest } from './suggest.ts'

/** A value as someone gave it, ready to be judged. */
export interface Given {
  readonly value: unknown
  readonly origin: string
}

/** Values by path. */
export type Layer = ReadonlyMap<string, Given>

export interface ReadLayer {
  readonly values: Layer
  readonly problems: readonly ConfigProblem[]
}

/** What a flag of `start` and `up` sets; its name without the dashes. */
export const FLAG_PATHS = {
  data: 'data',
  socket: 'socket',
  profile: 'profile',
  listen: 'network.listen',
  region: 'node.region',
  zone: 'node.zone',
  label: 'node.labels',
  http: 'http.listen',
  nodes: 'up.nodes',
} as const satisfies Record<string, string>
export type ConfigFlag = keyof typeof FLAG_PATHS

/** Variables that are for whoever reads the file, not keys. */
const OTHER_VARIABLES = ['SWARM_NODE_CONFIG']
const VARIABLE_PREFIX = 'SWARM_NODE_'

const SECTIONS = new Set(KEYS.flatMap(({ path }) => parentsOf(path)))
const BY_PATH = new Map(KEYS.map((key) => [key.path, key]))
const BY_VARIABLE = new Map(KEYS.map((key) => [key.variable, key]))
const PATHS = [...BY_PATH.keys()]

export function keyOf(path: string): Key | undefined {
  return BY_PATH.get(path)
}

export function fallbackLayer(): Layer {
  return new Map(KEYS.map(({ path, about }) => [path, { value: about.fallback, origin: 'default' }]))
}

export function profileLayer(profile: Profile): Layer {
  const differing = KEYS.filter(({ about }) => profile in about.profiles)
  return new Map(
    differing.map(({ path, about }) => [path, { value: about.profiles[profile], origin: `profile ${profile}` }]),
  )
}

/** A file's content, YAML or (which is the same) JSON. */
export function fileLayer(name: string, content: string): ReadLayer {
  const origin = `file ${name}`
  const values = new Map<string, Given>()
  const problems: ConfigProblem[] = []
  const document = parseDocument(content, { prettyErrors: true })
  for (const error of document.errors) {
    const line = error.linePos?.[0].line
    const path = line === undefined ? name : `${name}:${line}`
    // Below it the parser shows the place.
    const [message = 'it does not parse'] = error.message.split(/:?\n/)
    problems.push({ path, value: undefined, origin, rule: `must be YAML or JSON: ${message}`, fix: 'Mend that line.' })
  }
  if (problems.length === 0) readSection(document.toJS() ?? {}, '', origin, values, problems)
  return { values, problems }
}

function readSection(
  section: unknown,
  path: string,
  origin: string,
  values: Map<string, Given>,
  problems: ConfigProblem[],
): void {
  if (typeof section !== 'object' || section === null || Array.isArray(section)) {
    const inside = PATHS.filter((known) => known.startsWith(path === '' ? '' : `${path}.`))
    const rule = `must be a section with keys, such as ${inside[0]}`
    problems.push({ path: path || 'the file', value: section, origin, rule, fix: 'Put the keys below it, indented.' })
    return
  }
  for (const [name, value] of Object.entries(section)) {
    const below = path === '' ? name : `${path}.${name}`
    const key = BY_PATH.get(below)
    if (values.has(below)) {
      problems.push({
        path: below,
        value,
        origin,
        rule: 'is given twice',
        fix: 'Keep it in its section or dotted, once.',
      })
    } else if (key !== undefined) values.set(below, { value: fromFile(key, value), origin })
    else if (SECTIONS.has(below)) readSection(value, below, origin, values, problems)
    else problems.push(unknownKey(below, value, origin))
  }
}

function unknownKey(path: string, value: unknown, origin: string): ConfigProblem {
  // Near by its whole path, or the same name in another section.
  const sameName = PATHS.find((known) => known.split('.').at(-1) === path.split('.').at(-1))
  const meant = nearest(path, [...PATHS, ...SECTIONS]) ?? sameName
  const fix = meant === undefined ? 'Remove it; `swarm-node config show` lists the keys.' : `Did you mean ${meant}?`
  return { path, value, origin, rule: 'is not a key', fix }
}

export function environmentLayer(env: Readonly<Record<string, string | undefined>>): ReadLayer {
  const values = new Map<string, Given>()
  const problems: ConfigProblem[] = []
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(VARIABLE_PREFIX) || text === undefined || text === '') continue
    if (OTHER_VARIABLES.includes(variable)) continue
    const origin = `environment ${variable}`
    const key = BY_VARIABLE.get(variable)
    if (key !== undefined) {
      values.set(key.path, { value: fromText(key, text), origin })
      continue
    }
    const known = [...BY_VARIABLE.keys(), ...OTHER_VARIABLES]
    // The same name in a section, as flags have it: SWARM_NODE_REGION for SWARM_NODE_NODE_REGION.
    const sameName = known.find((each) => each.endsWith(variable.slice(VARIABLE_PREFIX.length - 1)))
    const meant = sameName ?? nearest(variable, known)
    const fix = meant === undefined ? `Unset it: unset ${variable}` : `Did you mean ${meant}?`
    problems.push({ path: variable, value: undefined, origin: 'environment', rule: 'is not a variable of ours', fix })
  }
  return { values, problems }
}

/** Flags that were not given are left out or undefined; so are empty lists and maps, which are how parsers start. */
export function flagLayer(flags: Readonly<Partial<Record<ConfigFlag, unknown>>>): Layer {
  const values = new Map<string, Given>()
  for (const [flag, value] of Object.entries(flags)) {
    const key = BY_PATH.get(FLAG_PATHS[flag as ConfigFlag])
    if (key === undefined || value === undefined || isEmpty(value)) continue
    const given = typeof value === 'string' ? fromText(key, value) : value
    values.set(key.path, { value: given, origin: `flag --${flag}` })
  }
  return values
}

/** Cluster-wide values as the genesis spells them: JSON (CF-6). */
export function genesisLayer(parameters: Readonly<Record<string, string>>): ReadLayer {
  const values = new Map<string, Given>()
  const problems: ConfigProblem[] = []
  for (const [path, text] of Object.entries(parameters)) {
    if (BY_PATH.get(path)?.about.cluster === true) values.set(path, { value: fromJson(text), origin: 'genesis' })
    else {
      const rule = 'this version knows no such cluster-wide parameter, but the swarm was founded with it'
      problems.push({ path, value: text, origin: 'genesis', rule, fix: 'Install the version that other members run.' })
    }
  }
  return { values, problems }
}

function fromFile(key: Key, value: unknown): unknown {
  return key.about.kind === 'duration' && typeof value === 'string' ? (parseDuration(value) ?? value) : value
}

/** Text to a value of the key's kind; left as it is, to be refused, where it does not fit. */
function fromText(key: Key, text: string): unknown {
  switch (key.about.kind) {
    case 'duration':
      return parseDuration(text) ?? numberOr(text)
    case 'count':
    case 'bytes':
      return numberOr(text)
    case 'flag':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'list':
      return text.split(',').map((item) => item.trim())
    case 'map':
      return Object.fromEntries(text.split(',').map(entryOf))
    case 'amounts':
      return Object.fromEntries(text.split(',').map(amountOf))
    case 'word':
    case 'text':
      return text
  }
}

function entryOf(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text.trim(), ''] : [text.slice(0, at).trim(), text.slice(at + 1).trim()]
}

function amountOf(text: string): readonly [string, string | number] {
  const [name, amount] = entryOf(text)
  return [name, /^\d+(?:\.\d+)?$/.test(amount) ? Number(amount) : amount]
}

function numberOr(text: string): number | string {
  return /^-?\d+$/.test(text) ? Number(text) : text
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function parentsOf(path: string): readonly string[] {
  const names = path.split('.')
  return names.slice(0, -1).map((_, i) => names.slice(0, i + 1).join('.'))
}
