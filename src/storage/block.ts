import type { LogIndex } from '../wire/index.ts'
import { crc32c } from './crc32c.ts'

/**
 * One group commit as it stands in a file, big-endian:
 *
 *     0 body bytes u32 · 4 records u32, highest bit: beside · 8 first index u64 · 16 chain u32 · 20 head check u32 · 24 checksum u32
 *     28 body: for each record its length u32 and its bytes
 *
 * `beside`: the block before was still on its way to the disk when this one was handed to it (S-2).
 * `chain` is the checksum of the block before. The head check covers 0..20 and is seeded with the file's own seed; the
 * checksum continues it over the body, so it covers everything before it too.
 */
export const BLOCK_HEAD_BYTES = 28
export const RECORD_HEAD_BYTES = 4
const HEAD_CHECK_AT = 20
const CHECKSUM_AT = 24
const BESIDE_BIT = 0x8000_0000

const CAPACITY_BYTES_MIN = 16 * 1024

/** What a block says of itself beside its records. */
export interface BlockHead {
  readonly firstIndex: LogIndex
  readonly chain: number
  /** Of its file. */
  readonly seed: number
  readonly isBeside: boolean
}

/** Collects records in the very bytes that will be written. Reused from group to group. */
export class BlockBuilder {
  #bytes = new Uint8Array(CAPACITY_BYTES_MIN)
  #view = new DataView(this.#bytes.buffer)
  #length = BLOCK_HEAD_BYTES
  #recordCount = 0

  /** Bytes that the block takes in the file. */
  get length(): number {
    return this.#length
  }

  get recordCount(): number {
    return this.#recordCount
  }

  append(record: Uint8Array): void {
    const end = this.#length + RECORD_HEAD_BYTES + record.length
    if (end > this.#bytes.length) this.#grow(end)
    this.#view.setUint32(this.#length, record.length)
    this.#bytes.set(record, this.#length + RECORD_HEAD_BYTES)
    this.#length = end
    this.#recordCount += 1
  }

  /** Fills in the head. The bytes are a view that lasts until {@link reset}. */
  seal({ firstIndex, chain, seed, isBeside }: BlockHead): { readonly bytes: Uint8Array; readonly checksum: number } {
    const view = this.#view
    view.setUint32(0, this.#length - BLOCK_HEAD_BYTES)
    view.setUint32(4, this.#recordCount + (isBeside ? BESIDE_BIT : 0))
    setUint53(view, 8, firstIndex)
    view.setUint32(16, chain)
    const headCheck = crc32c(this.#bytes, 0, HEAD_CHECK_AT, seed)
    view.setUint32(HEAD_CHECK_AT, headCheck)
    const checksum = crc32c(this.#bytes, BLOCK_HEAD_BYTES, this.#length, headCheck)
    view.setUint32(CHECKSUM_AT, checksum)
    return { bytes: this.#bytes.subarray(0, this.#length), checksum }
  }

  reset(): void {
    this.#length = BLOCK_HEAD_BYTES
    this.#recordCount = 0
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, bytes))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

export interface Block {
  readonly firstIndex: LogIndex
  readonly recordCount: number
  readonly chain: number
  readonly checksum: number
  readonly isBeside: boolean
  /** Bytes that the block takes in the file. */
  readonly length: number
  /** Views into the file's bytes. */
  readonly records: readonly Uint8Array[]
}

/** The block that begins there; undefined if none does. Total over any bytes. */
export function readBlock(file: Uint8Array, offset: number, seed: number): Block | undefined {
  if (offset + BLOCK_HEAD_BYTES > file.length) return undefined
  const view = new DataView(file.buffer, file.byteOffset + offset, BLOCK_HEAD_BYTES)
  const headCheck = view.getUint32(HEAD_CHECK_AT)
  if (headCheck !== crc32c(file, offset, offset + HEAD_CHECK_AT, seed)) return undefined
  const length = BLOCK_HEAD_BYTES + view.getUint32(0)
  const checksum = view.getUint32(CHECKSUM_AT)
  if (offset + length > file.length) return undefined
  if (checksum !== crc32c(file, offset + BLOCK_HEAD_BYTES, offset + length, headCheck)) return undefined
  const marked = view.getUint32(4)
  const isBeside = marked >= BESIDE_BIT
  const body = file.subarray(offset + BLOCK_HEAD_BYTES, offset + length)
  const records = splitRecords(body, isBeside ? marked - BESIDE_BIT : marked)
  if (records === undefined) return undefined
  const firstIndex = getUint53(view, 8)
  const chain = view.getUint32(16)
  return { firstIndex, recordCount: records.length, chain, checksum, isBeside, length, records }
}

function splitRecords(body: Uint8Array, count: number): Uint8Array[] | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  const records: Uint8Array[] = []
  let offset = 0
  while (records.length < count) {
    if (offset + RECORD_HEAD_BYTES > body.length) return undefined
    const start = offset + RECORD_HEAD_BYTES
    offset = start + view.getUint32(offset)
    if (offset > body.length) return undefined
    records.push(body.subarray(start, offset))
  }
  return offset === body.length ? records : undefined
}

/** Numbers up to 2^53 - 1 as 64 bits, without the cost of BigInt. */
export function setUint53(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / 0x1_0000_0000))
  view.setUint32(offset + 4, value >>> 0)
}

export function getUint53(view: DataView, offset: number): number {
  return view.getUint32(offset) * 0x1_0000_0000 + view.getUint32(offset + 4)
}
