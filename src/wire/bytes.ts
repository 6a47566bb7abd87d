import { assert } from '../kernel/index.ts'
import { Interned } from './interned.ts'

const encoder = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const SLAB_BYTES = 8192
/** Whoever keeps a short value keeps its slab: this bounds how much more than itself that is. */
const SHARING_BYTES_MAX = 512
let slab = new ArrayBuffer(SLAB_BYTES)
let slabUsed = 0

/** Appends canonical bytes to a buffer that grows by doubling. Values out of their shape's range are our own bug. */
export class ByteWriter {
  #bytes: Uint8Array
  /** That of the bytes: asking them for it takes longer than most values do. */
  #buffer: ArrayBufferLike
  #view: DataView
  /** Where what is being written begins: what is before was taken, and belongs to others. */
  #start = 0
  #length = 0

  constructor(capacityBytes = 256) {
    this.#bytes = new Uint8Array(capacityBytes)
    this.#buffer = this.#bytes.buffer
    this.#view = new DataView(this.#buffer)
  }

  get length(): number {
    return this.#length - this.#start
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.#length, value)
    this.#length += 4
  }

  f64(value: number): void {
    this.#reserve(8)
    this.#view.setFloat64(this.#length, value)
    this.#length += 8
  }

  /** Unsigned LEB128 of a safe integer, in its shortest form. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is a safe whole number', { value })
    this.#reserve(8)
    let rest = value
    // Remainders of what does not fit 32 bits take longer than all the rest.
    while (rest > 0x7fff_ffff) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    let low = rest | 0
    while (low >= 0x80) {
      this.#bytes[this.#length++] = (low & 0x7f) | 0x80
      low >>= 7
    }
    this.#bytes[this.#length++] = low
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Lower-case hex digits as the bytes they stand for. */
  hex(digits: string): void {
    const length = digits.length >> 1
    this.#reserve(length)
    const bytes = this.#bytes
    const at = this.#length
    for (let i = 0; i < length; i++) {
      bytes[at + i] = (nibble(digits.charCodeAt(2 * i)) << 4) | nibble(digits.charCodeAt(2 * i + 1))
    }
    this.#length = at + length
  }

  /** Length-prefixed UTF-8. Returns the number of bytes the text took. */
  text(value: string): number {
    if (this.#ascii(value)) return value.length
    assert(value.isWellFormed(), 'a text holds half a character', { value })
    const mostBytes = value.length * 3
    if (mostBytes < 0x80) {
      // The prefix is one byte whatever the text holds, so it can be encoded in place.
      this.#reserve(1 + mostBytes)
      const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#length + 1))
      this.#bytes[this.#length] = written
      this.#length += 1 + written
      return written
    }
    const bytes = encoder.encode(value)
    this.varint(bytes.length)
    this.raw(bytes)
    return bytes.length
  }

  /** Most texts are names: a call into the encoder costs more than they do. Nothing is written if it is no such text. */
  #ascii(value: string): boolean {
    const { length } = value
    if (length >= 0x80) return false
    this.#reserve(1 + length)
    const bytes = this.#bytes
    const start = this.#length + 1
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code >= 0x80) return false
      bytes[start + i] = code
    }
    bytes[this.#length] = length
    this.#length = start + length
    return true
  }

  /** Forgets what was written and keeps the room for it. */
  clear(): void {
    this.#length = this.#start
  }

  /** Hands over what was written and begins anew. Short values share a slab and are not copied, large ones are. */
  take(): Uint8Array {
    if (this.length > SHARING_BYTES_MAX) {
      const copy = this.#bytes.slice(this.#start, this.#length)
      this.#length = this.#start
      return copy
    }
    const bytes = this.view()
    if (this.#bytes.length > SLAB_BYTES) {
      const copy = bytes.slice()
      this.#renew()
      return copy
    }
    this.#start = this.#length
    if (this.#bytes.length - this.#start < SHARING_BYTES_MAX) this.#renew()
    return bytes
  }

  /** A copy of what was written. Short ones share a slab, as Node's own buffers do: a buffer each costs several times as much. */
  finish(): Uint8Array {
    const { length } = this
    if (length > SHARING_BYTES_MAX) return this.#bytes.slice(this.#start, this.#length)
    if (slabUsed + length > SLAB_BYTES) {
      slab = new ArrayBuffer(SLAB_BYTES)
      slabUsed = 0
    }
    const copy = new Uint8Array(slab, slabUsed, length)
    slabUsed += length
    copy.set(this.view())
    return copy
  }

  /** What was written, until something else is. */
  view(): Uint8Array {
    return new Uint8Array(this.#buffer, this.#start, this.length)
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes > this.#bytes.length) this.#grow(bytes)
  }

  #grow(bytes: number): void {
    const { length } = this
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, length + bytes))
    grown.set(this.view())
    this.#use(grown)
    this.#length = length
  }

  #renew(): void {
    this.#use(new Uint8Array(SLAB_BYTES))
  }

  #use(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#buffer = bytes.buffer
    this.#view = new DataView(bytes.buffer)
    this.#start = 0
    this.#length = 0
  }
}

/**
 * Reads canonical bytes that may be hostile. The first fault sticks: every later read returns an empty value at no
 * cost, so decoders need no error paths of their own and no exception is ever thrown. Ask {@link fault} at the end.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  #buffer: ArrayBufferLike | undefined
  #offset = 0
  #fault: string | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Why the bytes are not what they should be; undefined while all is well. */
  get fault(): string | undefined {
    return this.#fault
  }

  get failed(): boolean {
    return this.#fault !== undefined
  }

  get offset(): number {
    return this.#offset
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  fail(reason: string): void {
    this.#fault ??= `${reason} at byte ${this.#offset}`
  }

  u8(): number {
    if (!this.#has(1)) return 0
    return this.#bytes[this.#offset++] as number
  }

  u32(): number {
    if (!this.#has(4)) return 0
    const value = this.#viewed().getUint32(this.#offset)
    this.#offset += 4
    return value
  }

  f64(): number {
    if (!this.#has(8)) return 0
    const value = this.#viewed().getFloat64(this.#offset)
    this.#offset += 8
    return value
  }

  varint(): number {
    if (!this.#has(1)) return 0
    const first = this.#bytes[this.#offset] as number
    // Most are one byte.
    if (first < 0x80) {
      this.#offset += 1
      return first
    }
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      if (!this.#has(1)) return 0
      const byte = this.#bytes[this.#offset++] as number
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (byte === 0 && i > 0) this.fail('a number is not in its shortest form')
        if (value > Number.MAX_SAFE_INTEGER) this.fail('a number is too large')
        return this.failed ? 0 : value
      }
      scale *= 0x80
    }
    this.fail('a number is too long')
    return 0
  }

  /** A view of the next bytes, not a copy: whoever keeps it keeps the whole frame. */
  raw(length: number): Uint8Array {
    if (!this.#has(length)) return new Uint8Array(0)
    this.#buffer ??= this.#bytes.buffer
    const bytes = new Uint8Array(this.#buffer, this.#bytes.byteOffset + this.#offset, length)
    this.#offset += length
    return bytes
  }

  /** The next bytes as lower-case hex. */
  hex(length: number): string {
    if (!this.#has(length)) return ''
    const text = DIGESTS.of(this.#bytes, this.#offset, length, hexOf)
    this.#offset += length
    return text
  }

  /** Length-prefixed UTF-8 of at most `bytesMax` bytes. */
  text(bytesMax: number): string {
    const length = this.varint()
    if (length > bytesMax) this.fail(`a text is longer than ${bytesMax} bytes`)
    if (this.failed || !this.#has(length)) return ''
    if (length <= SHORT_TEXT_BYTES && isAscii(this.#bytes, this.#offset, length)) {
      const text = NAMES.of(this.#bytes, this.#offset, length, asciiOf)
      this.#offset += length
      return text
    }
    try {
      return strictUtf8.decode(this.raw(length))
    } catch {
      this.fail('a text is not UTF-8')
      return ''
    }
  }

  /** Few values need one, and making it costs as much as reading a small message. */
  #viewed(): DataView {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
  }

  #has(bytes: number): boolean {
    if (this.#fault !== undefined) return false
    if (this.#offset + bytes <= this.#bytes.length) return true
    this.fail('the bytes end too early')
    return false
  }
}

/** Longest text that is handled by hand, and remembered: the names of nodes, groups and kinds are no longer. */
const SHORT_TEXT_BYTES = 64

const NAMES = new Interned()
const DIGESTS = new Interned()

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The value of a lower-case hex digit. */
function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87
}

function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

function isAscii(bytes: Uint8Array, from: number, length: number): boolean {
  for (let i = from; i < from + length; i++) if ((bytes[i] as number) >= 0x80) return false
  return true
}

function asciiOf(bytes: Uint8Array): string {
  return strictUtf8.decode(bytes)
}
