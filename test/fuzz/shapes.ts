import { readdirSync, readFileSync } from 'node:fs'
import type { Shape } from '../../src/wire/index.ts'

export interface NamedShape {
  /** Folder and export, for example `membership/pingBody`. */
  readonly name: string
  readonly shape: Shape<unknown>
}

const ROOT = new URL('../../src/', import.meta.url)
/** Only modules that use the codec can declare shapes. Those of `net` load libp2p, and pass on what others declare. */
const USES_CODEC = /from '(?:\.\.\/wire\/index|\.\/shape)\.ts'/
const NOT_LOADED = /^net\//

/** F-5: every shape that a module under `src/` exports, once, in order of name. */
export async function findShapes(): Promise<readonly NamedShape[]> {
  const found = new Map<Shape<unknown>, string>()
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  for (const file of files.sort()) {
    const url = new URL(file, ROOT)
    if (NOT_LOADED.test(file) || !USES_CODEC.test(readFileSync(url, 'utf8'))) continue
    const module: Readonly<Record<string, unknown>> = await import(url.href)
    const folder = file.split('/').slice(0, -1).join('/')
    for (const [name, value] of Object.entries(module)) {
      if (isShape(value) && !found.has(value)) found.set(value, `${folder}/${name}`)
    }
  }
  return [...found].map(([shape, name]) => ({ name, shape })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function isShape(value: unknown): value is Shape<unknown> {
  if (typeof value !== 'object' || value === null) return false
  return 'schema' in value && 'write' in value && 'read' in value
}
