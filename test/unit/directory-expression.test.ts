import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Attributes, evaluate, parseExpression } from '../../src/directory/index.ts'

const NODE: Readonly<Record<string, readonly string[]>> = {
  region: ['eu-west'],
  org: ['acme'],
  'gpu.model': ['V100'],
  cpu: ['8'],
  disk: ['ssd', 'hdd'],
}
const attributes: Attributes = (name) => (name === 'agent' ? 'unknown' : (NODE[name] ?? []))

function holds(text: string): boolean | undefined {
  const parsed = parseExpression(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.error.message} at ${parsed.error.position}`)
  return evaluate(parsed.value, attributes)
}

describe('expressions', () => {
  test.each([
    ['region==eu-west', true],
    ['region == "eu-west"', true],
    ["region != 'us-east'", true],
    ['gpu.model in (V100,T4)', true],
    ['gpu.model in (T4)', false],
    ['gpu.model not in (T4)', true],
    ['cpu>=4', true],
    ['cpu>8', false],
    ['cpu==8.0', true],
    ['cpu<10', true],
    ['!(org==acme)', false],
    ['not org==acme', false],
    ['region==eu-west && cpu>=16', false],
    ['region==eu-west || cpu>=16', true],
    ['cpu>=16 and cpu>=16 or region==eu-west', true],
    ['region==eu-west, cpu>=4', true],
    ['gpu.model', true],
    ['fpga', false],
    ['!fpga', true],
  ])('%s is %s', (text, expected) => {
    expect(holds(text)).toBe(expected)
  })

  test('an absent attribute fulfils no comparison', () => {
    for (const text of ['fpga==x', 'fpga<5', 'fpga>5', 'fpga in (x)']) expect(holds(text)).toBe(false)
    expect(holds('!(fpga==x)')).toBe(true)
    expect(holds('fpga!=x')).toBe(true)
  })

  test('words are not ordered: only numbers compare by size', () => {
    expect(holds('region>=a')).toBe(false)
    expect(holds('region<zz')).toBe(false)
  })

  test('D-7: what cannot be told is unknown, and only decided by what can', () => {
    expect(holds('agent==bob')).toBeUndefined()
    expect(holds('!(agent==bob)')).toBeUndefined()
    expect(holds('agent==bob && cpu>=100')).toBe(false)
    expect(holds('agent==bob || cpu>=4')).toBe(true)
    expect(holds('disk==ssd')).toBeUndefined()
    expect(holds('!(disk==ssd)')).toBeUndefined()
    expect(holds('disk in (ssd,hdd)')).toBe(true)
    expect(holds('disk==tape')).toBe(false)
  })

  test.each([
    ['', 1, 'expected the name of a label, found the end'],
    ['region==', 9, 'expected a value, found the end'],
    ['region==eu)', 11, "expected the end, found ')'"],
    ['(region==eu', 12, "expected ')', found the end"],
    ['a in b', 6, "expected '(', found 'b'"],
    ['a == b # c', 8, "'#' has no meaning here"],
    ['a == "b', 6, `'"' has no meaning here`],
    ['a not b', 7, "expected 'in', found 'b'"],
    ['and', 1, "expected the name of a label, found 'and'"],
  ])('D-6: %s is refused at %i', (text, position, message) => {
    expect(parseExpression(text)).toEqual({ ok: false, error: { message, position } })
  })

  test('D-6: depth, size and length are bounded', () => {
    const deep = `${'('.repeat(100)}a${')'.repeat(100)}`
    const wide = Array.from({ length: 200 }, () => 'a').join('||')
    const refusals = [deep, '!'.repeat(100), wide, 'a'.repeat(2000)].map((text) => parseExpression(text).ok)
    expect(refusals).toEqual([false, false, false, false])
  })

  test('D-6: any text is read or refused at a place inside it, never a throw', () => {
    const piece = fc.constantFrom(
      'a',
      'in',
      'not',
      '(',
      ')',
      ',',
      '==',
      '!=',
      '!',
      '&&',
      '||',
      ' ',
      '"',
      "'",
      '4',
      '<',
      '>=',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    )
    fc.assert(
      fc.property(text, (input) => {
        const parsed = parseExpression(input)
        if (parsed.ok) evaluate(parsed.value, attributes)
        else expect(parsed.error.position >= 1 && parsed.error.position <= input.length + 1).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})
