import { readdirSync, readFileSync } from 'node:fs'
import type { Shape } from '../../src/wire/index.ts'

export interface NamedShape {
  /** Folder and export, for example `membership/pingBody`. */
  readonly name: string
  readonly shape: Shape<unknown>
}

const ROOT = new URL('../../src/', import.meta.url)
/** What a module that declares shapes looks like; the others need not be loaded. */
const DECLARES_SHAPES =
  /export const \w+(?:: Shape<.*>)? = (?:statement|record|variant|refine|list|dictionary|bytes|text)\(|export const \w+: Shape</

/** F-5: every shape that a module under `src/` exports, once, in order of name. */
export async function findShapes(): Promise<readonly NamedShape[]> {
  const found = new Map<Shape<unknown>, string>()
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  for (const file of files.sort()) {
    const url = new URL(file, ROOT)
    if (!DECLARES_SHAPES.test(readFileSync(url, 'utf8'))) continue
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
