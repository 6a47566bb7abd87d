import { describe, expect, it } from 'vitest'
import { BODIES } from '../../src/swarm/index.ts'
import {
  ByteReader,
  ByteWriter,
  bytes,
  decode,
  decodeMessage,
  encode,
  encodeMessage,
  LANES,
  MESSAGE_KINDS,
  type MessageKind,
  negotiateVersion,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_OLDEST,
  record,
  SIGNATURE_BYTES,
  type Statement,
  statement,
  text,
} from '../../src/wire/index.ts'

const kinds = Object.entries(MESSAGE_KINDS)

describe('varints (W-1)', () => {
  it('have the shortest form around every power of two that they can hold', () => {
    const values = Array.from({ length: 53 }, (_, bits) => 2 ** bits).flatMap((power) => [power - 1, power, power + 1])
    for (const value of [...values, Number.MAX_SAFE_INTEGER - 1].filter(Number.isSafeInteger)) {
      const writer = new ByteWriter()
      writer.varint(value)
      const written = writer.finish()
      // Seven bits per byte, in the shortest form.
      expect(written.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)))
      const reader = new ByteReader(written)
      expect([reader.varint(), reader.remaining, reader.fault]).toEqual([value, 0, undefined])
    }
  })
})

describe('texts (W-1)', () => {
  it('hold no half characters: they would come back as others', () => {
    expect(encode(text(9), 'a😀')).toHaveLength(6)
    for (const half of ['\ud800', 'a\udc00', '\ude00\ud83d'])
      expect(() => encode(text(9), half)).toThrow(/half a character/)
  })
})

describe('message kinds', () => {
  it('W-4 W-6 have a number each, and a body each', () => {
    const codes = kinds.map(([, { code }]) => code)
    expect(new Set(codes).size).toBe(codes.length)
    for (const code of codes) expect(Number.isSafeInteger(code) && code > 0).toBe(true)
    expect(Object.keys(BODIES).sort()).toEqual(Object.keys(MESSAGE_KINDS).sort())
  })

  it.each(kinds)('W-4 %s: a body beyond its bound is refused before it is read', (kind, { code, bytesMax }) => {
    const head = (length: number): Uint8Array => {
      const writer = new ByteWriter()
      writer.varint(code)
      writer.varint(length)
      return writer.finish()
    }
    expect(decodeMessage(head(bytesMax + 1))).toEqual({ ok: false, error: expect.stringContaining(kind) })
    // Within the bound what is missing is the body itself.
    expect(decodeMessage(head(bytesMax))).toEqual({ ok: false, error: expect.stringContaining('end too early') })
    const largest = encodeMessage(kind as MessageKind, new Uint8Array(bytesMax))
    expect(decodeMessage(largest)).toMatchObject({ ok: true, value: { kind } })
  })

  it('W-4 refuses kinds that nobody has declared', () => {
    expect(decodeMessage(Uint8Array.of(0, 0)).ok).toBe(false)
    expect(decodeMessage(Uint8Array.of(0xff, 0x7f, 0)).ok).toBe(false)
  })

  it.each(kinds)('W-5 %s: bad input costs points, and good input has a rate', (_kind, rules) => {
    expect(rules.penalty).toBeGreaterThan(0)
    expect(rules.penalty).toBeLessThanOrEqual(100)
    expect(rules.perSecondMax).toBeGreaterThan(0)
    expect(LANES).toContain(rules.lane)
    // What is numbered and sent again has a sender to be told when there is no room.
    if (rules.delivery === ('resumed' as string)) expect(rules.whenFull).toBe('refuse')
  })
})

describe('statements', () => {
  it('W-3 keep the very bytes that were signed, whatever they mean', () => {
    const signed: Statement = {
      signer: 'n1' as Statement['signer'],
      // Not canonical under any shape: this layer does not look.
      bytes: Uint8Array.of(0x80, 0x80, 0x00, 0xff),
      signature: new Uint8Array(SIGNATURE_BYTES).fill(9),
    }
    const shape = statement(16)
    const passedOn = decode(shape, encode(shape, signed))
    expect(passedOn).toEqual({ ok: true, value: signed })
    expect(passedOn.ok && encode(shape, passedOn.value)).toEqual(encode(shape, signed))
  })

  it('W-3 refuse a signature of another length', () => {
    const loose = record({ bytes: bytes(4), signature: bytes(100) })
    const short = encode(loose, { bytes: new Uint8Array(1), signature: new Uint8Array(63) })
    expect(decode(record({ bytes: bytes(4), signature: bytes(SIGNATURE_BYTES, SIGNATURE_BYTES) }), short).ok).toBe(
      false,
    )
  })
})

describe('reader', () => {
  it('W-2 keeps its first fault and gives empty values after it', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2))
    expect(reader.u32()).toBe(0)
    const fault = reader.fault
    expect(fault).toContain('end too early at byte 0')
    expect([reader.u8(), reader.varint(), reader.f64(), reader.text(9), reader.raw(1).length]).toEqual([0, 0, 0, '', 0])
    reader.fail('another')
    expect(reader.fault).toBe(fault)
  })

  it('W-2 gives views that end where they should', () => {
    const whole = Uint8Array.of(9, 1, 2, 3, 9)
    const reader = new ByteReader(whole.subarray(1, 4))
    expect(reader.raw(3)).toEqual(Uint8Array.of(1, 2, 3))
    expect(reader.failed).toBe(false)
    expect(reader.raw(1).length).toBe(0)
    expect(reader.failed).toBe(true)
  })
})

describe('versions', () => {
  it('NET-4 settle on the newest that both speak', () => {
    const ours = { newest: PROTOCOL_VERSION, oldest: PROTOCOL_VERSION_OLDEST }
    expect(negotiateVersion(ours)).toBe(PROTOCOL_VERSION)
    expect(negotiateVersion({ newest: PROTOCOL_VERSION + 5, oldest: PROTOCOL_VERSION })).toBe(PROTOCOL_VERSION)
    expect(negotiateVersion({ newest: PROTOCOL_VERSION + 5, oldest: PROTOCOL_VERSION + 1 })).toBeUndefined()
    expect(negotiateVersion({ newest: PROTOCOL_VERSION_OLDEST - 1, oldest: 0 })).toBeUndefined()
    expect(negotiateVersion({ newest: 0, oldest: 9 })).toBeUndefined()
  })
})
