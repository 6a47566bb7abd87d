import { assert } from '../kernel/index.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import type { Schema, Shape } from './shape.ts'

/**
 * Records and variants as straight code. A loop over fields shares its call sites and property look-ups among all
 * shapes there are, and the engine can specialise none of them: unrolled, messages are read and written about twice as
 * fast. The text is made on the first use of a shape, of field names in this repository and of nothing else.
 */

type Fields = Readonly<Record<string, Shape<unknown>>>
type Write = (writer: ByteWriter, value: unknown) => void
type Read = (reader: ByteReader) => unknown

/** How records read themselves with a `kind` in front of their fields. */
const WITH_KIND = new WeakMap<Shape<unknown>, (kind: string) => Read>()

export function recordOf(schema: Schema, fields: Fields): Shape<unknown> {
  const shape = onFirstUse(
    schema,
    () => recordWriter(fields),
    () => recordReader(fields),
  )
  WITH_KIND.set(shape, (kind) => recordReader(fields, kind))
  return shape
}

export function variantOf(schema: Schema, cases: Fields): Shape<unknown> {
  return onFirstUse(
    schema,
    () => variantWriter(cases),
    () => variantReader(cases),
  )
}

/** Reads a value of a shape and says of what kind it is. */
export function withKind(shape: Shape<unknown>, kind: string): Read {
  const make = WITH_KIND.get(shape)
  return make === undefined ? (reader) => ({ kind, ...(shape.read(reader) as object) }) : make(kind)
}

/** Programs load all shapes and use few. */
function onFirstUse(schema: Schema, writer: () => Write, reader: () => Read): Shape<unknown> {
  const shape: { readonly schema: Schema; write: Write; read: Read } = {
    schema,
    write: (w, value) => {
      shape.write = writer()
      shape.write(w, value)
    },
    read: (r) => {
      shape.read = reader()
      return shape.read(r)
    },
  }
  return shape
}

function recordWriter(fields: Fields): Write {
  const lines = Object.keys(fields).map((name, i) => `s${i}.write(w, v.${plain(name)})`)
  return compiled(`(w, v) => { ${lines.join('; ')} }`, Object.values(fields)) as Write
}

function recordReader(fields: Fields, kind?: string): Read {
  const values = Object.keys(fields).map((name, i) => `${plain(name)}: s${i}.read(r)`)
  if (kind !== undefined) values.unshift(`kind: ${JSON.stringify(kind)}`)
  return compiled(`(r) => ({ ${values.join(', ')} })`, Object.values(fields)) as Read
}

function variantWriter(cases: Fields): Write {
  const lines = Object.keys(cases).map(
    (kind, i) => `case ${JSON.stringify(kind)}: w.u8(${i}); s${i}.write(w, v); break;`,
  )
  return compiled(
    `(w, v) => { switch (v.kind) { ${lines.join(' ')} default: none(v.kind) } }`,
    Object.values(cases),
  ) as Write
}

function variantReader(cases: Fields): Read {
  const reads = Object.entries(cases).map(([kind, shape]) => withKind(shape, kind))
  const lines = reads.map((_, i) => `case ${i}: return s${i}(r);`)
  return compiled(
    `(r) => { switch (r.u8()) { ${lines.join(' ')} default: r.fail('an unknown case'); return {} } }`,
    reads,
  ) as Read
}

/** What the source evaluates to, with `s0`, `s1`, … as given. */
function compiled(source: string, given: readonly unknown[]): unknown {
  const names = given.map((_, i) => `s${i}`)
  return new Function('none', ...names, `return ${source}`)(none, ...given)
}

function none(kind: unknown): void {
  assert(false, 'not one of the cases', { kind })
}

/** Names become code, so only plain ones do. */
function plain(name: string): string {
  assert(/^[a-z][A-Za-z0-9]*$/.test(name), 'a field has a plain name', { name })
  return name
}
