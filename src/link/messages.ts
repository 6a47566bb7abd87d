import { count, encode, record, type Value } from '../wire/index.ts'
import type { FrameWriter } from './frame-writer.ts'

/** Numbers of messages and epochs stay far from where whole numbers end, so that adding to them is exact. */
const NUMBER_MAX = 2 ** 52
const EPOCH_MAX = 2 ** 48 - 1
const WINDOW_BYTES_MAX = 2 ** 32

export const HELLO = 0
export const DATA = 1

/** The first frame on a stream, each way. The fields of a data frame are written and read in place (README). */
export const hello = record({
  epoch: count(EPOCH_MAX),
  peerEpoch: count(EPOCH_MAX),
  received: count(NUMBER_MAX),
  base: count(NUMBER_MAX),
  windowBytes: count(WINDOW_BYTES_MAX),
})
export type Hello = Value<typeof hello>

/** A hello as it goes on the stream. */
export function helloFrame(writer: FrameWriter, value: Hello): Uint8Array {
  const bytes = encode(hello, value)
  writer.begin(HELLO, 1 + bytes.length)
  writer.raw(bytes)
  return writer.finish()
}
