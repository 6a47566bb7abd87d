import { describe, expect, it } from 'vitest'
import { BLOCK_HEAD_BYTES, BlockBuilder, readBlock } from '../../../src/storage/block.ts'
import { crc32c } from '../../../src/storage/crc32c.ts'
import {
  decodeFileHead,
  encodeFileHead,
  FORMAT_VERSION,
  parseFileName,
  TAIL_OF_NOTHING,
} from '../../../src/storage/format.ts'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('CRC32C', () => {
  it.each([
    ['123456789', ascii('123456789'), 0xe3069283],
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['0 to 31', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['31 to 0', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ])('agrees with RFC 3720 on %s', (_name, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected)
  })

  it('agrees with itself whatever the alignment and the cut', () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => (i * 31) & 0xff)
    const whole = crc32c(bytes, 3, 90)
    for (let cut = 3; cut <= 90; cut++) expect(crc32c(bytes, cut, 90, crc32c(bytes, 3, cut))).toBe(whole)
  })
})

describe('block', () => {
  const build = (...records: string[]): BlockBuilder => {
    const block = new BlockBuilder()
    for (const record of records) block.append(ascii(record))
    return block
  }

  it('reads back what was built, at any offset', () => {
    const { bytes, checksum } = build('a', '', 'ccc').seal({
      firstIndex: 2 ** 40 + 5,
      chain: 77,
      seed: 123,
      isBeside: true,
    })
    const file = new Uint8Array(bytes.length + 20)
    file.set(bytes, 9)
    const block = readBlock(file, 9, 123)
    expect(block).toMatchObject({ firstIndex: 2 ** 40 + 5, recordCount: 3, chain: 77, checksum, length: bytes.length })
    expect(block?.records.map((record) => new TextDecoder().decode(record))).toEqual(['a', '', 'ccc'])
  })

  it('S-2: no bit of it can change unnoticed', () => {
    const { bytes } = build('some', 'records').seal({ firstIndex: 1, chain: 0, seed: 5, isBeside: false })
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(readBlock(damaged, 0, 5), `bit ${bit}`).toBeUndefined()
    }
  })

  it('is none in another file, in zeros, or when it is cut short', () => {
    const { bytes } = build('x').seal({ firstIndex: 1, chain: 0, seed: 5, isBeside: false })
    expect(readBlock(bytes, 0, 6)).toBeUndefined()
    expect(readBlock(new Uint8Array(100), 0, 5)).toBeUndefined()
    for (let length = 0; length < bytes.length; length++) {
      expect(readBlock(bytes.subarray(0, length), 0, 5)).toBeUndefined()
    }
  })

  it('grows beyond its first buffer and is reused without traces', () => {
    const block = build('x'.repeat(100_000))
    block.reset()
    expect(block.length).toBe(BLOCK_HEAD_BYTES)
    block.append(ascii('y'))
    const { bytes } = block.seal({ firstIndex: 1, chain: 0, seed: 0, isBeside: false })
    expect(readBlock(bytes, 0, 0)?.records).toEqual([ascii('y')])
  })
})

describe('file head', () => {
  const storeId = Uint8Array.from({ length: 16 }, (_, i) => i)
  const tail = { upTo: 2 ** 35, chain: 0xfedcba98, sequence: 7, offset: 4242 }

  it('reads back', () => {
    const head = { kind: 'snapshot', storeId, sequence: 3, tail, bytes: 0 } as const
    expect(decodeFileHead(encodeFileHead(head), 'snapshot', 3)).toEqual({ ok: true, value: head })
  })

  it('S-10: tells another version from damage, and one file from another', () => {
    const bytes = encodeFileHead({ kind: 'segment', storeId, sequence: 3, tail: TAIL_OF_NOTHING, bytes: 4096 })
    expect(decodeFileHead(bytes, 'segment', 4)).toEqual({ ok: false, error: 'damaged' })
    expect(decodeFileHead(bytes, 'snapshot', 3)).toEqual({ ok: false, error: 'damaged' })
    expect(decodeFileHead(bytes.subarray(0, 63), 'segment', 3)).toEqual({ ok: false, error: 'damaged' })
    const later = bytes.slice()
    later[9] = FORMAT_VERSION + 1
    expect(decodeFileHead(later, 'segment', 3)).toEqual({ ok: false, error: 'other-version' })
    later[0] = 0
    expect(decodeFileHead(later, 'segment', 3)).toEqual({ ok: false, error: 'not-ours' })
  })

  it('leaves foreign files alone', () => {
    expect(parseFileName('segment-000000000012')).toEqual({ kind: 'segment', sequence: 12 })
    expect(parseFileName('snapshot-000000000001.new')).toEqual({ kind: 'unfinished' })
    for (const file of ['notes.txt', 'segment-12', 'notes.new', 'segment-000000000012.bak']) {
      expect(parseFileName(file)).toEqual({ kind: 'foreign' })
    }
  })
})
