import { z } from 'zod'
import { formatDuration } from './duration.ts'

/** Sets of defaults for the kinds of network a swarm can live on. */
export const PROFILES = ['local', 'lan', 'wan'] as const
export type Profile = (typeof PROFILES)[number]

/** How a value is written as text (environment, flags, genesis) and in the reference. */
export type KeyKind = 'count' | 'bytes' | 'duration' | 'flag' | 'word' | 'text' | 'list' | 'map' | 'amounts'

/** What is known about a key besides its type. */
export interface About {
  readonly kind: KeyKind
  /** What it does, one sentence. */
  readonly help: string
  /** What a value must be, to be read after "must be". */
  readonly rule: string
  /** A value that would do, as it is written in a file. */
  readonly example: unknown
  /** Undefined: not set unless someone sets it. */
  readonly fallback: unknown
  /** Where a profile differs from the fallback. */
  readonly profiles: Partial<Readonly<Record<Profile, unknown>>>
  /** Members must agree on it (CF-6). */
  readonly cluster: boolean
  /** Never printed (CF-8). */
  readonly secret: boolean
}

/** What a declaration of a key says. */
interface Told<T> {
  readonly help: string
  readonly fallback: T
  readonly profiles?: Partial<Readonly<Record<Profile, T>>>
  readonly cluster?: true
}

const registry = z.registry<About>()

function declare<S extends z.ZodType>(schema: S, about: About): S {
  const described = schema.describe(about.help) as S
  registry.add(described, about)
  return described
}

type Rest = Partial<Pick<About, 'example' | 'secret'>>

function about<T>(kind: KeyKind, rule: string, told: Told<T>, rest: Rest = {}): About {
  const { help, fallback, profiles = {}, cluster = false } = told
  return { kind, rule, help, fallback, profiles, cluster, secret: false, example: fallback, ...rest }
}

function whole(kind: KeyKind, unit: string, min: number, max: number, told: Told<number>): z.ZodInt {
  return declare(z.int().min(min).max(max), about(kind, `a whole number${unit} from ${min} to ${max}`, told))
}

/** A number of things. */
export function count(min: number, max: number, told: Told<number>): z.ZodInt {
  return whole('count', '', min, max, told)
}

export function bytes(min: number, max: number, told: Told<number>): z.ZodInt {
  return whole('bytes', ' of bytes', min, max, told)
}

/** Milliseconds, which may also be written as `30s` (CF-5). */
export function duration(minMs: number, maxMs: number, told: Told<number>): z.ZodInt {
  const rule = `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 250ms, 30s, 5m or 24h`
  return declare(z.int().min(minMs).max(maxMs), about('duration', rule, told))
}

export function flag(told: Told<boolean>): z.ZodBoolean {
  return declare(z.boolean(), about('flag', 'true or false', told))
}

export function word<const W extends readonly [string, ...string[]]>(words: W, told: Told<W[number]>) {
  return declare(z.enum(words), about('word', `one of ${words.join(', ')}`, told))
}

/** What a text must look like. */
export interface Form {
  readonly rule: string
  readonly pattern: RegExp
  /** What has a place of so many bytes, in UTF-8, says so beside its pattern. */
  readonly bytesMax?: number
  readonly example: string
}

function formed({ pattern, bytesMax }: Form): z.ZodString {
  const schema = z.string().regex(pattern)
  return bytesMax === undefined ? schema : schema.refine((value) => new TextEncoder().encode(value).length <= bytesMax)
}

export function text(form: Form, told: Told<string>): z.ZodString {
  return declare(formed(form), about('text', form.rule, told, { example: form.example }))
}

/** A text that is not set unless someone sets it. */
export function optionalText(form: Form, told: Omit<Told<undefined>, 'fallback'>, rest: Rest = {}) {
  const schema = formed(form).optional()
  return declare(schema, about('text', form.rule, { ...told, fallback: undefined }, { example: form.example, ...rest }))
}

/** Texts of one form; in the environment separated by commas. */
export function list(form: Form, itemsMax: number, told: Told<readonly string[]>) {
  const rule = `a list of at most ${itemsMax}, each ${form.rule}`
  const schema = z.array(formed(form)).max(itemsMax)
  return declare(schema, about('list', rule, told, { example: [form.example] }))
}

/** Names to texts; in the environment `name=value` separated by commas. */
export function map(key: Form, value: Form, entriesMax: number, told: Told<Readonly<Record<string, string>>>) {
  const rule = `at most ${entriesMax} entries from ${key.rule} to ${value.rule}`
  const schema = z.record(formed(key), formed(value)).refine((entries) => Object.keys(entries).length <= entriesMax)
  return declare(schema, about('map', rule, told, { example: { [key.example]: value.example } }))
}

/** Names to amounts of anything: numbers from 0; in the environment `name=amount` separated by commas. */
export function amounts(key: Form, entriesMax: number, told: Told<Readonly<Record<string, number>>>) {
  const rule = `at most ${entriesMax} entries from ${key.rule} to a number from 0`
  const schema = z.record(formed(key), z.number().min(0)).refine((entries) => Object.keys(entries).length <= entriesMax)
  return declare(schema, about('amounts', rule, told, { example: { [key.example]: 4 } }))
}

/** Names to one of some words. */
export function wordMap<const W extends readonly [string, ...string[]]>(
  key: Form,
  words: W,
  told: Told<Readonly<Record<string, W[number]>>>,
) {
  const rule = `from ${key.rule} to one of ${words.join(', ')}`
  const schema = z.record(formed(key), z.enum(words))
  return declare(schema, about('map', rule, told, { example: { [key.example]: words[0] } }))
}

/** A value as people write it in a file. */
export function written(about: About, value: unknown): string {
  if (about.kind === 'duration') return formatDuration(Number(value))
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A value as people write it in a variable or after a flag. */
export function spoken(about: About, value: unknown): string {
  if (about.kind === 'list') return (value as readonly string[]).join(',')
  if (about.kind !== 'map' && about.kind !== 'amounts') return written(about, value)
  return Object.entries(value as Readonly<Record<string, unknown>>)
    .map(([name, item]) => `${name}=${item}`)
    .join(',')
}

/** What is known about a part of the schema, if it is a key. */
export function aboutOf(schema: z.core.$ZodType): About | undefined {
  return registry.get(schema as z.ZodType)
}

/** A key with its place in the schema. */
export interface Key {
  /** Dotted, as it is written in messages. */
  readonly path: string
  /** `SWARM_NODE_` and the path in capitals. */
  readonly variable: string
  readonly schema: z.ZodType
  readonly about: About
}

/** All keys below a schema, in the order in which they are declared. */
export function keysOf(schema: z.ZodObject, prefix = ''): readonly Key[] {
  return Object.entries(schema.shape).flatMap(([name, part]): readonly Key[] => {
    const path = prefix + name
    if (part instanceof z.ZodObject) return keysOf(part, `${path}.`)
    const known = aboutOf(part)
    if (known === undefined) throw new TypeError(`${path} is not declared as a key`)
    return [{ path, variable: variableOf(path), schema: part as z.ZodType, about: known }]
  })
}

function variableOf(path: string): string {
  const words = path.replaceAll('.', '_').replace(/([a-z])([A-Z])/g, '$1_$2')
  return `SWARM_NODE_${words.toUpperCase()}`
}
