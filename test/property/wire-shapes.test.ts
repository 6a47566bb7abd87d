import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytes,
  count,
  decode,
  dictionary,
  encode,
  f64,
  flag,
  list,
  MESSAGE_KINDS,
  nodeId,
  only,
  optional,
  record,
  type Shape,
  text,
  u8,
  variant,
  word,
} from '../../src/wire/index.ts'
import { valuesOf } from '../fuzz/arbitrary.ts'
import { findShapes } from '../fuzz/shapes.ts'

const shapes = await findShapes()

/** Every construct of the codec, nested, whether or not a protocol uses it yet. */
const everything: Shape<unknown> = record({
  counts: list(count(), 9),
  small: count(5),
  names: dictionary(20, optional(text(40)), 9),
  kind: variant({ plain: record({}), pair: record({ left: u8, right: f64 }), deep: record({ items: list(flag, 3) }) }),
  raw: bytes(30, 2),
  who: optional(nodeId),
  word: word(['first', 'second']),
  one: only('one', record({ left: u8 })),
}) as Shape<unknown>

const cases = [{ name: 'everything', shape: everything }, ...shapes]

describe('wire', () => {
  it('has shapes to check', () => {
    expect(shapes.length).toBeGreaterThan(20)
    expect(new Set(shapes.map(({ name }) => name)).size).toBe(shapes.length)
    expect(Object.keys(MESSAGE_KINDS).length).toBeGreaterThan(0)
  })

  it.each(cases)('W-1 $name: what is encoded decodes to the same value', ({ shape }) => {
    fc.assert(
      fc.property(valuesOf(shape), (value) => {
        const decoded = decode(shape, encode(shape, value))
        expect(decoded).toEqual({ ok: true, value })
      }),
      { numRuns: 50 },
    )
  })

  it.each(cases)('W-1 $name: equal values have equal bytes, whatever the order of their keys', ({ shape }) => {
    fc.assert(
      fc.property(valuesOf(shape), (value) => {
        expect(encode(shape, reversed(value))).toEqual(encode(shape, value))
      }),
      { numRuns: 30 },
    )
  })

  it.each(cases)('W-2 $name: no proper prefix decodes, and none with bytes left over', ({ shape }) => {
    fc.assert(
      fc.property(valuesOf(shape), fc.nat(), fc.nat(255), (value, at, extra) => {
        const whole = encode(shape, value)
        if (whole.length > 0) expect(decode(shape, whole.subarray(0, at % whole.length)).ok).toBe(false)
        expect(decode(shape, Uint8Array.of(...whole, extra)).ok).toBe(false)
      }),
      { numRuns: 50 },
    )
  })

  it('W-1 refuses numbers that are not spelled in the shortest way, or are too large', () => {
    const number = count()
    for (const hex of ['8000', '818000', 'ffffffffffffff10', 'ffffffffffffffffff01', '80']) {
      expect(decode(number, new Uint8Array(Buffer.from(hex, 'hex'))).ok).toBe(false)
    }
    expect(decode(number, encode(number, Number.MAX_SAFE_INTEGER))).toEqual({
      ok: true,
      value: Number.MAX_SAFE_INTEGER,
    })
  })

  it('W-1 refuses keys out of order or twice, also by code units beyond the basic plane', () => {
    const names = dictionary(8, flag, 4)
    const spelled = (...keys: string[]): Uint8Array =>
      new Uint8Array(
        Buffer.concat(
          [[keys.length], ...keys.map((key) => [Buffer.byteLength(key), ...Buffer.from(key), 1])].map((part) =>
            Buffer.from(part),
          ),
        ),
      )
    expect(decode(names, spelled('a', 'b')).ok).toBe(true)
    expect(decode(names, spelled('b', 'a')).ok).toBe(false)
    expect(decode(names, spelled('a', 'a')).ok).toBe(false)
    const low = '\u{1f600}'
    const high = '\uffee'
    expect(decode(names, spelled(low, high)).ok).toBe(true)
    expect(decode(names, spelled(high, low)).ok).toBe(false)
  })

  it('W-1 takes keys such as __proto__ for what they are', () => {
    const names = dictionary(20, u8, 4)
    const value = Object.fromEntries([
      ['__proto__', 1],
      ['constructor', 2],
      ['10', 3],
      ['9', 4],
    ])
    expect(decode(names, encode(names, value))).toEqual({ ok: true, value })
  })

  it('takes plain names for fields only, for they become code', () => {
    expect(() => encode(record({ 'a: s0, b': u8 }), { 'a: s0, b': 1 })).toThrow('a field has a plain name')
    expect(() => decode(record({ __proto__x: u8 }), new Uint8Array(1))).toThrow('a field has a plain name')
  })

  it.each(['c080', 'eda080', 'f8808080', 'ff', 'e28200'])('W-1 refuses text that is not UTF-8: %s', (hex) => {
    const inner = Buffer.from(hex, 'hex')
    expect(decode(text(9), Uint8Array.of(inner.length, ...inner)).ok).toBe(false)
  })

  it('W-2 spends nothing on lengths that nothing backs', () => {
    const huge = list(record({}), Number.MAX_SAFE_INTEGER)
    const claimed = encode(count(), Number.MAX_SAFE_INTEGER)
    expect(decode(list(u8, Number.MAX_SAFE_INTEGER), claimed).ok).toBe(false)
    expect(decode(bytes(Number.MAX_SAFE_INTEGER), claimed).ok).toBe(false)
    expect(decode(huge, Uint8Array.of(3))).toEqual({ ok: true, value: [{}, {}, {}] })
  })
})

/** The same value with the keys of its objects in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  )
}
