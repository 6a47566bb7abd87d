import { err, ok, type Result } from '../kernel/index.ts'
import type { DiskFile, LogIndex } from '../wire/index.ts'
import { getUint53, setUint53 } from './block.ts'
import { crc32c } from './crc32c.ts'

/**
 * The head of every file, big-endian:
 *
 *     0 magic · 8 version u16 · 10 kind u8 · 11 zero · 12 store id (16) · 28 sequence u64
 *     36 up to u64 · 44 chain u32 · 48 tail sequence u64 · 56 tail offset u32 · 60 checksum of 0..60
 *
 * The fields from 36 to 60 are a snapshot's. A segment has there, at 36, its length as a u64, and zeros.
 */
export const FILE_HEAD_BYTES = 64
export const STORE_ID_BYTES = 16
export const FORMAT_VERSION = 2

const MAGIC = new TextEncoder().encode('SWARMLOG')
const KINDS = { segment: 1, snapshot: 2 } as const
const CHECKSUM_AT = 60

export type FileKind = keyof typeof KINDS

/** Where in the chain of blocks a snapshot ends and the records after it begin. */
export interface TailPosition {
  /** The last record that the snapshot stands for; 0 if none. */
  readonly upTo: LogIndex
  /** Checksum of the block that ends with it. */
  readonly chain: number
  /** The segment and the offset at which the next block, if any, begins; or at the start of a later segment. */
  readonly sequence: number
  readonly offset: number
}

export const TAIL_OF_NOTHING: TailPosition = { upTo: 0, chain: 0, sequence: 1, offset: FILE_HEAD_BYTES }

export interface FileHead {
  readonly kind: FileKind
  readonly storeId: Uint8Array
  readonly sequence: number
  readonly tail: TailPosition
  /** The length with which a segment was made; 0 for a snapshot, whose last block is its end. */
  readonly bytes: number
}

export function encodeFileHead(head: FileHead): Uint8Array {
  const bytes = new Uint8Array(FILE_HEAD_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC)
  view.setUint16(8, FORMAT_VERSION)
  view.setUint8(10, KINDS[head.kind])
  bytes.set(head.storeId, 12)
  setUint53(view, 28, head.sequence)
  if (head.kind === 'snapshot') {
    setUint53(view, 36, head.tail.upTo)
    view.setUint32(44, head.tail.chain)
    setUint53(view, 48, head.tail.sequence)
    view.setUint32(56, head.tail.offset)
  } else setUint53(view, 36, head.bytes)
  view.setUint32(CHECKSUM_AT, crc32c(bytes, 0, CHECKSUM_AT))
  return bytes
}

export type HeadFault = 'not-ours' | 'other-version' | 'damaged'

/** Reads the head of a file that should be that one. Total. */
export function decodeFileHead(file: Uint8Array, kind: FileKind, sequence: number): Result<FileHead, HeadFault> {
  if (file.length < FILE_HEAD_BYTES) return err('damaged')
  const view = new DataView(file.buffer, file.byteOffset, FILE_HEAD_BYTES)
  // The version comes before the checksum: a later version may lay out the rest as it likes.
  if (MAGIC.some((byte, i) => file[i] !== byte)) return err('not-ours')
  if (view.getUint16(8) !== FORMAT_VERSION) return err('other-version')
  if (view.getUint32(CHECKSUM_AT) !== crc32c(file, 0, CHECKSUM_AT)) return err('damaged')
  if (view.getUint8(10) !== KINDS[kind] || getUint53(view, 28) !== sequence) return err('damaged')
  const storeId = file.slice(12, 12 + STORE_ID_BYTES)
  if (kind === 'segment') return ok({ kind, storeId, sequence, tail: TAIL_OF_NOTHING, bytes: getUint53(view, 36) })
  const tail = {
    upTo: getUint53(view, 36),
    chain: view.getUint32(44),
    sequence: getUint53(view, 48),
    offset: view.getUint32(56),
  }
  return ok({ kind, storeId, sequence, tail, bytes: 0 })
}

/** What the checksums of a file's blocks start from: unlike that of any other file of any store. */
export function blockSeed(storeId: Uint8Array, kind: FileKind, sequence: number): number {
  const view = new DataView(new ArrayBuffer(9))
  view.setUint8(0, KINDS[kind])
  setUint53(view, 1, sequence)
  return crc32c(storeId, 0, storeId.length, crc32c(new Uint8Array(view.buffer)))
}

const NAME = /^(segment|snapshot)-(\d{12})$/
const UNFINISHED = '.new'

export function fileName(kind: FileKind, sequence: number): DiskFile {
  return `${kind}-${String(sequence).padStart(12, '0')}`
}

/** The name under which a file is made until it is whole and synced (S-4). */
export function unfinished(file: DiskFile): DiskFile {
  return file + UNFINISHED
}

export type FileName =
  | { readonly kind: FileKind; readonly sequence: number }
  | { readonly kind: 'unfinished' }
  | { readonly kind: 'foreign' }

/** What a name says about its file. Foreign files are left alone. */
export function parseFileName(file: DiskFile): FileName {
  if (file.endsWith(UNFINISHED) && NAME.test(file.slice(0, -UNFINISHED.length))) return { kind: 'unfinished' }
  const match = NAME.exec(file)
  if (match === null) return { kind: 'foreign' }
  return { kind: match[1] as FileKind, sequence: Number(match[2]) }
}
