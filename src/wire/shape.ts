import { assert, err, isNodeId, type NodeId, ok, type Result } from '../kernel/index.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { recordOf, variantOf, withKind } from './unrolled.ts'

/** What a shape is made of, as data: tests draw values from it, and the wire document is generated from it. */
export type Schema =
  | { readonly type: 'u8' | 'u32' | 'f64' | 'flag' | 'nodeId' }
  | { readonly type: 'count'; readonly max: number }
  | { readonly type: 'text'; readonly bytesMax: number }
  | { readonly type: 'bytes'; readonly bytesMin: number; readonly bytesMax: number }
  | { readonly type: 'hex'; readonly bytes: number }
  | { readonly type: 'word'; readonly words: readonly string[] }
  | { readonly type: 'list'; readonly item: Schema; readonly itemsMax: number }
  | { readonly type: 'dictionary'; readonly keyBytesMax: number; readonly value: Schema; readonly entriesMax: number }
  | { readonly type: 'optional'; readonly value: Schema }
  | { readonly type: 'record'; readonly fields: Readonly<Record<string, Schema>> }
  | { readonly type: 'variant'; readonly cases: Readonly<Record<string, Schema>> }
  | { readonly type: 'only'; readonly kind: string; readonly value: Schema }

/**
 * One description of a value gives its type, its encoder, its decoder and its schema.
 *
 * W-1: every value has exactly one encoding. W-2: `read` is total; after a fault the value it returns means nothing.
 */
export interface Shape<T> {
  readonly schema: Schema
  write(writer: ByteWriter, value: T): void
  read(reader: ByteReader): T
}

/** The type that a shape describes. */
export type Value<S> = S extends Shape<infer T> ? T : never

/** Canonical bytes of a value. A value outside its shape is a bug of ours. */
export function encode<T>(shape: Shape<T>, value: T): Uint8Array {
  // Most values are small and many: one writer serves all of them, since no shape encodes while it writes.
  SCRATCH.clear()
  shape.write(SCRATCH, value)
  return SCRATCH.take()
}

/** The same for whoever copies it at once: the bytes last until the next value is encoded. */
export function encodeForCopy<T>(shape: Shape<T>, value: T): Uint8Array {
  SCRATCH.clear()
  shape.write(SCRATCH, value)
  return SCRATCH.view()
}

const SCRATCH = new ByteWriter(8192)

/** Reads a value that takes up all of the bytes; anything else is a reason, never a throw (W-2). */
export function decode<T>(shape: Shape<T>, bytes: Uint8Array): Result<T> {
  const reader = new ByteReader(bytes)
  const value = shape.read(reader)
  if (!reader.failed && reader.remaining > 0) reader.fail('bytes are left over')
  return reader.fault === undefined ? ok(value) : err(reader.fault)
}

export const u8: Shape<number> = {
  schema: { type: 'u8' },
  write: (w, value) => {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xff, 'not a byte', { value })
    w.u8(value)
  },
  read: (r) => r.u8(),
}

export const u32: Shape<number> = {
  schema: { type: 'u32' },
  write: (w, value) => {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, 'not 32 bits', { value })
    w.u32(value)
  },
  read: (r) => r.u32(),
}

/** A finite number. NaN and the infinities have no place on the wire. */
export const f64: Shape<number> = {
  schema: { type: 'f64' },
  write: (w, value) => {
    assert(Number.isFinite(value), 'not a finite number', { value })
    w.f64(value)
  },
  read: (r) => {
    const value = r.f64()
    if (Number.isFinite(value)) return value
    r.fail('a number is not finite')
    return 0
  },
}

export const flag: Shape<boolean> = {
  schema: { type: 'flag' },
  write: (w, value) => w.u8(value ? 1 : 0),
  read: (r) => {
    const byte = r.u8()
    if (byte > 1) r.fail('a flag is neither 0 nor 1')
    return byte === 1
  },
}

/** A whole number from 0 to `max` (at most 2^53 - 1), typed as the caller's brand. */
export function count<T extends number = number>(max: number = Number.MAX_SAFE_INTEGER): Shape<T> {
  return {
    schema: { type: 'count', max },
    write: (w, value) => {
      assert(value <= max, 'a count is above its bound', { value, max })
      w.varint(value)
    },
    read: (r) => {
      const value = r.varint()
      if (value > max) r.fail(`a number is above ${max}`)
      return value as T
    },
  }
}

/** Valid UTF-8 of at most `bytesMax` bytes, typed as the caller's brand. */
export function text<T extends string = string>(bytesMax: number): Shape<T> {
  return {
    schema: { type: 'text', bytesMax },
    write: (w, value) => {
      const bytes = w.text(value)
      assert(bytes <= bytesMax, 'a text is too long', { value, bytesMax })
    },
    read: (r) => r.text(bytesMax) as T,
  }
}

/** A node id. */
export const nodeId: Shape<NodeId> = {
  schema: { type: 'nodeId' },
  write: (w, value) => {
    assert(isNodeId(value), 'not a node id', { value })
    w.text(value)
  },
  read: (r) => {
    const value = r.text(64)
    if (isNodeId(value)) return value
    r.fail('not a node id')
    return '0' as NodeId
  },
}

/** Bytes that this layer does not look into. */
export function bytes(bytesMax: number, bytesMin = 0): Shape<Uint8Array> {
  return {
    schema: { type: 'bytes', bytesMin, bytesMax },
    write: (w, value) => {
      const fits = value.length >= bytesMin && value.length <= bytesMax
      assert(fits, 'bytes are out of bounds', { length: value.length, bytesMin, bytesMax })
      w.varint(value.length)
      w.raw(value)
    },
    read: (r) => {
      const length = r.varint()
      if (length < bytesMin || length > bytesMax) r.fail(`bytes are not ${bytesMin} to ${bytesMax} long`)
      return r.raw(r.failed ? 0 : length)
    },
  }
}

/** Exactly `length` bytes, without a prefix. */
export function fixedBytes(length: number): Shape<Uint8Array> {
  return {
    schema: { type: 'bytes', bytesMin: length, bytesMax: length },
    write: (w, value) => {
      assert(value.length === length, 'bytes have another length', { length: value.length, expected: length })
      w.raw(value)
    },
    read: (r) => r.raw(length),
  }
}

/** Exactly `length` bytes, raw on the wire and lower-case hex in memory, where digests are keys. */
export function hex<T extends string = string>(length: number): Shape<T> {
  return {
    schema: { type: 'hex', bytes: length },
    write: (w, value) => {
      assert(value.length === 2 * length, 'a hex text has another length', { value, bytes: length })
      w.hex(value)
    },
    read: (r) => r.hex(length) as T,
  }
}

/** One of a fixed list of words. Words may be added at the end, never moved: their place is their number. */
export function word<const W extends readonly string[]>(words: W): Shape<W[number]> {
  const codes = new Map<string, number>(words.map((name, i) => [name, i]))
  return {
    schema: { type: 'word', words },
    write: (w, value) => {
      const code = codes.get(value)
      assert(code !== undefined, 'not one of the words', { value, words })
      w.u8(code)
    },
    read: (r) => {
      const value = words[r.u8()]
      if (value !== undefined) return value
      r.fail('an unknown word')
      return words[0] as W[number]
    },
  }
}

export function list<T>(item: Shape<T>, itemsMax: number): Shape<readonly T[]> {
  return {
    schema: { type: 'list', item: item.schema, itemsMax },
    write: (w, values) => {
      assert(values.length <= itemsMax, 'a list is too long', { length: values.length, itemsMax })
      w.varint(values.length)
      for (const value of values) item.write(w, value)
    },
    read: (r) => {
      const length = r.varint()
      if (length > itemsMax) r.fail(`a list has more than ${itemsMax} items`)
      const values: T[] = []
      // Grows as it reads: a length without the bytes to back it costs nothing.
      for (let i = 0; i < length && !r.failed; i++) values.push(item.read(r))
      return values
    },
  }
}

/** Texts to values; on the wire in strictly ascending order of the keys' UTF-16 code units, so that W-1 holds. */
export function dictionary<T>(
  keyBytesMax: number,
  value: Shape<T>,
  entriesMax: number,
): Shape<Readonly<Record<string, T>>> {
  const key = text(keyBytesMax)
  return {
    schema: { type: 'dictionary', keyBytesMax, value: value.schema, entriesMax },
    write: (w, record) => {
      const keys = Object.keys(record).sort()
      assert(keys.length <= entriesMax, 'a dictionary is too large', { size: keys.length, entriesMax })
      w.varint(keys.length)
      for (const name of keys) {
        key.write(w, name)
        value.write(w, record[name] as T)
      }
    },
    read: (r) => {
      const length = r.varint()
      if (length > entriesMax) r.fail(`a dictionary has more than ${entriesMax} entries`)
      const entries: [string, T][] = []
      let previous: string | undefined
      for (let i = 0; i < length && !r.failed; i++) {
        const name = key.read(r)
        if (previous !== undefined && name <= previous) r.fail('keys are not in ascending order')
        previous = name
        entries.push([name, value.read(r)])
      }
      // fromEntries defines own properties, so a key such as __proto__ is only a key.
      return Object.fromEntries(entries)
    },
  }
}

export function optional<T>(value: Shape<T>): Shape<T | undefined> {
  return {
    schema: { type: 'optional', value: value.schema },
    write: (w, present) => {
      w.u8(present === undefined ? 0 : 1)
      if (present !== undefined) value.write(w, present)
    },
    read: (r) => {
      const tag = r.u8()
      if (tag > 1) r.fail('an optional value is neither absent nor present')
      return tag === 1 && !r.failed ? value.read(r) : undefined
    },
  }
}

type Fields = Readonly<Record<string, Shape<unknown>>>
type RecordOf<F extends Fields> = { readonly [K in keyof F]: Value<F[K]> }

/** Fields in the order in which they are declared, without names: declaration order is the wire format. */
export function record<F extends { readonly [name: string]: Shape<never> | Shape<unknown> }>(
  fields: F,
): Shape<{ readonly [K in keyof F]: Value<F[K]> }> {
  const shapes = fields as unknown as Fields
  return recordOf({ type: 'record', fields: schemasOf(shapes) }, shapes) as Shape<RecordOf<F & Fields>>
}

/**
 * One of several records, told apart by `kind`. The number of a case is its place in the declaration: cases may be
 * added at the end, never moved.
 */
export function variant<C extends { readonly [kind: string]: Shape<never> | Shape<unknown> }>(
  cases: C,
): Shape<{ readonly [K in keyof C]: { readonly kind: K } & Value<C[K]> }[keyof C]> {
  type Chosen = { readonly [K in keyof C]: { readonly kind: K } & Value<C[K]> }[keyof C]
  const shapes = cases as unknown as Fields
  return variantOf({ type: 'variant', cases: schemasOf(shapes) }, shapes) as Shape<Chosen>
}

function schemasOf(shapes: Fields): Readonly<Record<string, Schema>> {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, shape.schema]))
}

/** A record that can be of one kind only where it stands: `kind` is part of the value, and takes no bytes. */
export function only<const K extends string, T extends object>(
  kind: K,
  shape: Shape<T>,
): Shape<{ readonly kind: K } & T> {
  return {
    schema: { type: 'only', kind, value: shape.schema },
    write: (w, value) => {
      assert(value.kind === kind, 'not of the only kind', { kind: value.kind, only: kind })
      shape.write(w, value)
    },
    read: withKind(shape as Shape<unknown>, kind) as Shape<{ readonly kind: K } & T>['read'],
  }
}

/** The same bytes under a narrower type: for branded values and for checks that a shape alone cannot express. */
export function refine<T, U extends T>(shape: Shape<T>, rule: string, holds: (value: T) => value is U): Shape<U> {
  return {
    schema: shape.schema,
    write: (w, value) => {
      assert(holds(value), rule, { value })
      shape.write(w, value)
    },
    read: (r) => {
      const value = shape.read(r)
      if (!r.failed && !holds(value)) r.fail(rule)
      return value as U
    },
  }
}
