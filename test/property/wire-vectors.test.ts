import { expect, it } from 'vitest'
import { findShapes } from '../fuzz/shapes.ts'
import { faultsOf, readVectors, renewed } from '../vectors/vectors.ts'

const shapes = await findShapes()
const vectors = readVectors()

it('V-1 V-2 W-6 every encoding is what it was', () => {
  expect(faultsOf(vectors, shapes)).toEqual([])
})

it('V-1 a change of a shape is seen', () => {
  const name = 'identity/certificateBodyShape'
  const [first, ...others] = vectors.shapes[name] ?? []
  if (first === undefined) throw new Error('a certificate has vectors')
  const changed = (hex: string, value = first.value) => ({
    ...vectors,
    shapes: { ...vectors.shapes, [name]: [{ hex, value }, ...others] },
  })
  expect(faultsOf(changed(`${first.hex}00`), shapes)).toEqual([expect.stringContaining('no longer decodes')])
  expect(faultsOf(changed(first.hex, { a: 1 }), shapes)).toEqual([expect.stringContaining('another value')])
  expect(faultsOf({ ...vectors, signed: { ...vectors.signed, ticket: 'x' } }, shapes)).toEqual([
    expect.stringContaining('ticket'),
  ])
  expect(faultsOf({ ...vectors, shapes: {} }, shapes).length).toBe(shapes.length)
})

it('V-3 writing keeps what holds, and what does not hold unless told to replace it', () => {
  const broken = { ...vectors, shapes: { ...vectors.shapes, 'wire/u8': [{ hex: 'ffff', value: 1 }], gone: [] } }
  expect(faultsOf(renewed(broken, shapes, false), shapes)).toEqual([expect.stringContaining('wire/u8')])
  expect(faultsOf(renewed(broken, shapes, true), shapes)).toEqual([])
  const kept = renewed(vectors, shapes, false)
  expect(kept).toEqual(vectors)
})
