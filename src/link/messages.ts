import { ByteWriter, count, record, type Value } from '../wire/index.ts'

/** Numbers of messages and epochs stay far from where whole numbers end, so that adding to them is exact. */
export const NUMBER_MAX = 2 ** 52
export const EPOCH_MAX = 2 ** 48 - 1

export const HELLO = 0
export const DATA = 1

/** Length prefix of a frame on the stream: big-endian, of the body alone. */
export const PREFIX_BYTES = 4

/** The first frame on a stream, each way. */
export const hello = record({
  epoch: count(EPOCH_MAX),
  peerEpoch: count(EPOCH_MAX),
  received: count(NUMBER_MAX),
  base: count(NUMBER_MAX),
  windowBytes: count(2 ** 32),
})
export type Hello = Value<typeof hello>

/** A hello as it goes on the stream. */
export function helloFrame(value: Hello): Uint8Array {
  const writer = new ByteWriter(64)
  writer.u32(0)
  writer.u8(HELLO)
  hello.write(writer, value)
  return prefixed(writer)
}

/** Where a data frame stands: see the README's table. */
export interface DataHeader {
  readonly ack: number
  readonly limit: number
  readonly first: number
}

/** A writer that has the place for the prefix and the header of a data frame. */
export function startData(header: DataHeader, capacityBytes: number): ByteWriter {
  const writer = new ByteWriter(capacityBytes)
  writer.u32(0)
  writer.u8(DATA)
  writer.varint(header.ack)
  writer.varint(header.limit)
  writer.varint(header.first)
  return writer
}

/** The frame with its length put in front. */
export function prefixed(writer: ByteWriter): Uint8Array {
  const bytes = writer.finish()
  new DataView(bytes.buffer).setUint32(0, bytes.length - PREFIX_BYTES)
  return bytes
}
