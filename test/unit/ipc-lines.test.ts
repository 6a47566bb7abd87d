import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineDecoder } from '../../src/ipc/lines.ts'

const utf8 = new TextEncoder()

describe('LineDecoder', () => {
  it('I-1: gives the same lines split at every offset, characters of several bytes included', () => {
    const text = '{"a":"é"}\n\n{"b":"🐝 swarm"}\r\nlast\n'
    const bytes = utf8.encode(text)
    const expected = text.split('\n').slice(0, -1)
    for (let offset = 0; offset <= bytes.length; offset++) {
      const decoder = new LineDecoder(64)
      const first = decoder.push(bytes.subarray(0, offset))
      const second = decoder.push(bytes.subarray(offset))
      expect([...first.lines, ...second.lines]).toEqual(expected)
      expect(first.fault ?? second.fault).toBeUndefined()
    }
  })

  it('I-1: gives the same lines whatever the pieces', () => {
    const line = fc.string({ unit: 'binary', maxLength: 40 }).map((s) => s.replaceAll('\n', ' '))
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(30), { minLength: 1 }), (lines, sizes) => {
        const bytes = utf8.encode(lines.map((l) => `${l}\n`).join(''))
        const decoder = new LineDecoder(1024)
        const seen: string[] = []
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = 1 + (sizes[i % sizes.length] ?? 0)
          seen.push(...decoder.push(bytes.subarray(at, at + size)).lines)
          at += size
        }
        expect(seen).toEqual(lines)
      }),
    )
  })

  it('I-2: takes a line of exactly the limit, and not one byte more, in one piece or in many', () => {
    for (const pieceBytes of [1, 3, 1000]) {
      for (const [length, fault] of [
        [100, undefined],
        [101, 'too-long'],
      ] as const) {
        const decoder = new LineDecoder(100)
        const bytes = utf8.encode(`${'x'.repeat(length)}\n`)
        let last: string | undefined
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          last ??= decoder.push(bytes.subarray(at, at + pieceBytes)).fault
        }
        expect(last).toBe(fault)
      }
    }
  })

  it('I-2: faults on a line that is too long before its newline comes', () => {
    expect(new LineDecoder(10).push(utf8.encode('x'.repeat(11)))).toEqual({ lines: [], fault: 'too-long' })
  })

  it('I-2: returns the lines before a fault, and nothing after it', () => {
    const decoder = new LineDecoder(100)
    const broken = Uint8Array.of(...utf8.encode('good\n'), 0xff, 0x0a, ...utf8.encode('after\n'))
    expect(decoder.push(broken)).toEqual({ lines: ['good'], fault: 'not-utf8' })
    expect(decoder.push(utf8.encode('after\n'))).toEqual({ lines: [] })
  })

  it('I-2: a line cut inside a character is no text', () => {
    expect(new LineDecoder(100).push(Uint8Array.of(0xc3, 0x0a)).fault).toBe('not-utf8')
  })
})
