import { assert } from '../kernel/index.ts'
import { FRAME_BYTES, FRAME_BYTES_MAX } from './params.ts'

/** Length prefix of a frame on the stream: big-endian, of the body alone. */
export const PREFIX_BYTES = 4

/** Small frames are cut from slabs of this size: a buffer of its own costs more than the rest of a short frame. */
const SLAB_BYTES = FRAME_BYTES

/** Writes one frame after the other, each once and into fresh bytes, its length known in advance but for the header. */
export class FrameWriter {
  #slab = new Uint8Array(0)
  #start = 0
  #offset = 0

  /** Begins a frame of at most `bodyBytesMax`. */
  begin(type: number, bodyBytesMax: number): void {
    assert(bodyBytesMax <= FRAME_BYTES_MAX, 'a frame is too long', { bodyBytesMax })
    if (this.#offset + PREFIX_BYTES + bodyBytesMax > this.#slab.length) {
      this.#slab = new Uint8Array(Math.max(SLAB_BYTES, PREFIX_BYTES + bodyBytesMax))
      this.#offset = 0
    }
    this.#start = this.#offset
    this.#offset += PREFIX_BYTES
    this.#slab[this.#offset++] = type
  }

  /** Unsigned LEB128, as `ByteReader.varint` reads it. */
  varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#slab[this.#offset++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#slab[this.#offset++] = rest
  }

  raw(bytes: Uint8Array): void {
    this.#slab.set(bytes, this.#offset)
    this.#offset += bytes.length
  }

  /** The frame, prefix included. The bytes are the caller's from here on. */
  finish(): Uint8Array {
    const frame = this.#slab.subarray(this.#start, this.#offset)
    const bodyBytes = frame.length - PREFIX_BYTES
    frame[0] = bodyBytes >>> 24
    frame[1] = bodyBytes >>> 16
    frame[2] = bodyBytes >>> 8
    frame[3] = bodyBytes
    return frame
  }
}
