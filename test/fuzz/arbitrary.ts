import fc from 'fast-check'
import { InvariantError, unreachable } from '../../src/kernel/index.ts'
import { encode, type Schema, type Shape } from '../../src/wire/index.ts'

/** Longest list, text or byte string that is drawn: longer ones buy time, not insight. */
const LENGTH_MAX = 24

/** Values of a shape. Those that a refinement forbids, which the schema does not show, are left out. */
export function valuesOf(shape: Shape<unknown>): fc.Arbitrary<unknown> {
  return arbitraryOf(shape.schema).filter((value) => fits(shape, value))
}

/** Valid encodings of a shape: the same ones for the same seed. */
export function samplesOf(shape: Shape<unknown>, sampleCount: number, seed: number): readonly Uint8Array[] {
  return fc.sample(valuesOf(shape), { numRuns: sampleCount, seed }).map((value) => encode(shape, value))
}

function fits(shape: Shape<unknown>, value: unknown): boolean {
  try {
    encode(shape, value)
    return true
  } catch (error) {
    if (error instanceof InvariantError) return false
    throw error
  }
}

function arbitraryOf(schema: Schema): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'u8':
      return fc.integer({ min: 0, max: 0xff })
    case 'u32':
      return fc.integer({ min: 0, max: 0xffff_ffff })
    case 'f64':
      return fc.oneof(
        { weight: 9, arbitrary: fc.double({ min: 0, max: 1000, noNaN: true }) },
        { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
      )
    case 'flag':
      return fc.boolean()
    case 'nodeId':
      return fc.stringMatching(/^[A-Za-z0-9]{1,60}$/)
    case 'count':
      return fc.oneof(fc.maxSafeNat(), fc.nat(300)).map((value) => Math.min(value, schema.max))
    case 'text':
      return fc.string({ unit: 'binary', maxLength: LENGTH_MAX }).map((text) => cut(text, schema.bytesMax))
    case 'bytes':
      return fc.uint8Array({
        minLength: schema.bytesMin,
        maxLength: Math.min(schema.bytesMax, Math.max(schema.bytesMin, LENGTH_MAX)),
      })
    case 'hex':
      return fc
        .uint8Array({ minLength: schema.bytes, maxLength: schema.bytes })
        .map((bytes) => Buffer.from(bytes).toString('hex'))
    case 'word':
      return fc.constantFrom(...schema.words)
    case 'list':
      return fc.array(arbitraryOf(schema.item), { maxLength: Math.min(schema.itemsMax, LENGTH_MAX) })
    case 'dictionary':
      return fc.dictionary(
        fc.string({ unit: 'binary', maxLength: LENGTH_MAX }).map((text) => cut(text, schema.keyBytesMax)),
        arbitraryOf(schema.value),
        { maxKeys: Math.min(schema.entriesMax, LENGTH_MAX), noNullPrototype: true },
      )
    case 'optional':
      return fc.option(arbitraryOf(schema.value), { nil: undefined })
    case 'record':
      return recordOf(schema.fields)
    case 'only':
      return arbitraryOf(schema.value).map((value) => ({ kind: schema.kind, ...(value as object) }))
    case 'variant':
      return fc.oneof(
        ...Object.entries(schema.cases).map(([kind, fields]) =>
          arbitraryOf(fields).map((value) => ({ kind, ...(value as object) })),
        ),
      )
    default:
      return unreachable(schema)
  }
}

function recordOf(fields: Readonly<Record<string, Schema>>): fc.Arbitrary<unknown> {
  const arbitraries = Object.entries(fields).map(([name, field]) => [name, arbitraryOf(field)] as const)
  return fc.record(Object.fromEntries(arbitraries), { noNullPrototype: true })
}

/** As many whole characters as fit. */
function cut(text: string, bytesMax: number): string {
  let kept = ''
  let bytes = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > bytesMax) break
    kept += character
  }
  return kept
}
