import { PREFIX_BYTES } from './frame-writer.ts'
import { FRAME_BYTES_MAX } from './params.ts'

/**
 * Cuts a stream's chunks into the bodies of frames. A body that lies in one chunk is a view of it; one that does not is
 * put together in a buffer of its own, which is all that is ever kept: at most one frame (N-5).
 */
export class FrameSplitter {
  #fault: string | undefined
  readonly #prefix = new Uint8Array(PREFIX_BYTES)
  #prefixFill = 0
  #body: Uint8Array | undefined
  #bodyFill = 0

  /** Why the stream cannot be read any further: a frame beyond its bound (N-9). */
  get fault(): string | undefined {
    return this.#fault
  }

  /** The frames that this chunk completes, in order. After a fault, none. */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    const frames: Uint8Array[] = []
    let offset = 0
    while (offset < chunk.length && this.#fault === undefined) {
      if (this.#body === undefined) {
        const length = this.#whole(chunk, offset)
        if (length >= 0) {
          const start = offset + PREFIX_BYTES
          frames.push(chunk.subarray(start, start + length))
          offset = start + length
        } else offset = this.#begin(chunk, offset)
      } else offset = this.#fill(this.#body, chunk, offset, frames)
    }
    return frames
  }

  /** Length of the frame body that lies whole in the chunk, or -1. */
  #whole(chunk: Uint8Array, offset: number): number {
    if (this.#prefixFill > 0 || offset + PREFIX_BYTES > chunk.length) return -1
    const length = lengthAt(chunk, offset)
    return length > 0 && length <= FRAME_BYTES_MAX && offset + PREFIX_BYTES + length <= chunk.length ? length : -1
  }

  #begin(chunk: Uint8Array, from: number): number {
    let offset = from
    while (this.#prefixFill < PREFIX_BYTES && offset < chunk.length) {
      this.#prefix[this.#prefixFill++] = chunk[offset++] ?? 0
    }
    if (this.#prefixFill < PREFIX_BYTES) return offset
    const length = lengthAt(this.#prefix, 0)
    this.#prefixFill = 0
    if (length === 0 || length > FRAME_BYTES_MAX) this.#fault = `a frame of ${length} bytes`
    else {
      this.#body = new Uint8Array(length)
      this.#bodyFill = 0
    }
    return offset
  }

  #fill(body: Uint8Array, chunk: Uint8Array, offset: number, frames: Uint8Array[]): number {
    const part = chunk.subarray(offset, offset + body.length - this.#bodyFill)
    body.set(part, this.#bodyFill)
    this.#bodyFill += part.length
    if (this.#bodyFill === body.length) {
      this.#body = undefined
      frames.push(body)
    }
    return offset + part.length
  }
}

function lengthAt(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + offset, PREFIX_BYTES).getUint32(0)
}
