import { readdirSync, readFileSync } from 'node:fs'
import type { Shape } from '../../src/wire/index.ts'

export interface NamedShape {
  /** Folder and export, for example `membership/pingBody`; in a table, folder and key. */
  readonly name: string
  readonly shape: Shape<unknown>
}

const ROOT = new URL('../../src/', import.meta.url)
/** Only modules that use the codec can declare shapes. Those of `net` load libp2p, and pass on what others declare. */
const USES_CODEC = /from '(?:\.\.\/wire\/index|\.\/shape)\.ts'/
const NOT_LOADED = /^net\//

/** F-5: every shape that a module under `src/` exports, by itself or in a table, once, in order of name. */
export async function findShapes(): Promise<readonly NamedShape[]> {
  const found = new Map<Shape<unknown>, string>()
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  for (const file of files.sort()) {
    const url = new URL(file, ROOT)
    if (NOT_LOADED.test(file) || !USES_CODEC.test(readFileSync(url, 'utf8'))) continue
    const module: Readonly<Record<string, unknown>> = await import(url.href)
    const folder = file.split('/').slice(0, -1).join('/')
    const exported = Object.entries(module)
    // A shape's own name comes before its key in a table.
    for (const [name, shape] of [
      ...exported.filter(isNamedShape),
      ...exported.flatMap(([, value]) => tableOf(value)),
    ]) {
      if (!found.has(shape)) found.set(shape, `${folder}/${name}`)
    }
  }
  return [...found].map(([shape, name]) => ({ name, shape })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** A table of shapes, such as the bodies of a protocol's messages. */
function tableOf(value: unknown): readonly (readonly [string, Shape<unknown>])[] {
  if (typeof value !== 'object' || value === null || isShape(value)) return []
  return Object.entries(value).filter(isNamedShape)
}

function isNamedShape(entry: readonly [string, unknown]): entry is [string, Shape<unknown>] {
  return isShape(entry[1])
}

function isShape(value: unknown): value is Shape<unknown> {
  if (typeof value !== 'object' || value === null) return false
  return 'schema' in value && 'write' in value && 'read' in value
}
