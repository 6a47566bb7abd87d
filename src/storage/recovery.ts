import { err, ok, type Result, SwarmError } from '../kernel/index.ts'
import type { DiskFile, DiskPort, LogIndex } from '../wire/index.ts'
import { type Block, readBlock } from './block.ts'
import {
  blockSeed,
  decodeFileHead,
  FILE_HEAD_BYTES,
  type FileHead,
  type FileKind,
  fileName,
  parseFileName,
  TAIL_OF_NOTHING,
  type TailPosition,
} from './format.ts'

/** A segment as the log goes on with it. */
export interface Segment {
  readonly sequence: number
  readonly file: DiskFile
  readonly bytes: number
  /** What its blocks' checksums start from. */
  readonly seed: number
}

/** What the files say. Nothing has been changed on disk yet. */
export interface Recovered {
  /** Undefined for a store without files: a new one. */
  readonly storeId: Uint8Array | undefined
  /** The snapshot's records, then those after it. Views into the files' bytes. */
  readonly records: readonly Uint8Array[]
  /** Where the next record goes: after this index, chained to this checksum, at this place. */
  readonly end: TailPosition
  /** In order of sequence. The one of `end.sequence` is being filled, those after it are empty. */
  readonly segments: readonly Segment[]
  readonly snapshotSequence: number
  /** The last block, and one it was written beside, as they stand in their file: to be made durable again (S-6). */
  readonly lastBlock: { readonly file: DiskFile; readonly offset: number; readonly bytes: Uint8Array } | undefined
  /** Leftovers: unfinished files, and what the snapshot made superfluous. */
  readonly remove: readonly DiskFile[]
  /** Bytes of the blocks after the snapshot. */
  readonly tailBytes: number
}

/** Reads a store. Every fault is coded and says where it is and what to do (S-2, S-4, S-10). */
export function recover(disk: DiskPort): Result<Recovered, SwarmError> {
  try {
    return ok(readStore(disk))
  } catch (fault) {
    if (fault instanceof SwarmError) return err(fault)
    throw fault
  }
}

function readStore(disk: DiskPort): Recovered {
  const names = listStore(disk)
  const snapshotSequence = names.snapshots.at(-1) ?? 0
  const snapshot = snapshotSequence > 0 ? readSnapshot(disk, snapshotSequence) : undefined
  const start = snapshot?.head.tail ?? TAIL_OF_NOTHING
  const needed = names.segments.filter((sequence) => sequence >= start.sequence)
  const superfluous = [
    ...names.snapshots.slice(0, -1).map((sequence) => fileName('snapshot', sequence)),
    ...names.segments.filter((sequence) => sequence < start.sequence).map((sequence) => fileName('segment', sequence)),
  ]
  const remove = [...names.unfinished, ...superfluous]
  if (snapshot === undefined && needed.length === 0) {
    return {
      storeId: undefined,
      records: [],
      end: start,
      segments: [],
      snapshotSequence: 0,
      lastBlock: undefined,
      remove,
      tailBytes: 0,
    }
  }
  for (const [i, sequence] of (needed.length === 0 ? [0] : needed).entries()) {
    const wanted = start.sequence + i
    if (sequence !== wanted) throw damaged(fileName('segment', wanted), 0, undefined, 'the file is missing')
  }
  const files = needed.map((sequence) => readFile(disk, 'segment', sequence, snapshot?.head.storeId))
  const tail = readTail(files, start)
  return {
    storeId: (files[0] as StoreFile).head.storeId,
    records: [...(snapshot?.records ?? []), ...tail.records],
    end: tail.end,
    segments: files.map((file) => file.segment),
    snapshotSequence,
    lastBlock: tail.lastBlock,
    remove,
    tailBytes: tail.bytes,
  }
}

interface StoreNames {
  readonly segments: readonly number[]
  readonly snapshots: readonly number[]
  readonly unfinished: readonly DiskFile[]
}

function listStore(disk: DiskPort): StoreNames {
  const listed = disk.list()
  if (!listed.ok)
    throw new SwarmError('DATA_DIRECTORY_UNREADABLE', `the store cannot be listed: ${listed.error.message}`)
  const segments: number[] = []
  const snapshots: number[] = []
  const unfinished: DiskFile[] = []
  for (const { file } of listed.value) {
    const name = parseFileName(file)
    if (name.kind === 'segment') segments.push(name.sequence)
    if (name.kind === 'snapshot') snapshots.push(name.sequence)
    if (name.kind === 'unfinished') unfinished.push(file)
  }
  return { segments: segments.sort(ascending), snapshots: snapshots.sort(ascending), unfinished }
}

interface StoreFile {
  readonly head: FileHead
  readonly bytes: Uint8Array
  readonly segment: Segment
}

function readFile(disk: DiskPort, kind: FileKind, sequence: number, storeId: Uint8Array | undefined): StoreFile {
  const file = fileName(kind, sequence)
  const read = disk.read(file)
  if (!read.ok) throw new SwarmError('DATA_DIRECTORY_UNREADABLE', `${file} cannot be read: ${read.error.message}`)
  const head = decodeFileHead(read.value, kind, sequence)
  if (!head.ok) {
    if (head.error !== 'other-version') throw damaged(file, 0, undefined, 'the header is not what was written')
    const message = `${file} was written by another version of swarm-node. Start the version that wrote it, drain it, and let the node join again with an empty data directory.`
    throw new SwarmError('UNSUPPORTED_VERSION', message, { data: { file } })
  }
  if (read.value.length < head.value.bytes)
    throw damaged(file, read.value.length, undefined, `it was cut, and had ${head.value.bytes} bytes`)
  if (storeId?.some((byte, i) => head.value.storeId[i] !== byte))
    throw damaged(file, 0, undefined, 'it is of another store')
  const seed = blockSeed(head.value.storeId, kind, sequence)
  return { head: head.value, bytes: read.value, segment: { sequence, file, bytes: read.value.length, seed } }
}

/** A snapshot got its name when it was whole, so anything that is not right about it is damage (S-4). */
function readSnapshot(disk: DiskPort, sequence: number): { head: FileHead; records: readonly Uint8Array[] } {
  const file = readFile(disk, 'snapshot', sequence, undefined)
  const records: Uint8Array[] = []
  let chain = 0
  let offset = FILE_HEAD_BYTES
  for (;;) {
    const block = readBlock(file.bytes, offset, file.segment.seed)
    const follows = block !== undefined && block.chain === chain && block.firstIndex === records.length + 1
    if (!follows) throw damaged(file.segment.file, offset, undefined, 'a block of the snapshot is not what was written')
    if (block.recordCount === 0) return { head: file.head, records }
    for (const record of block.records) records.push(record)
    chain = block.checksum
    offset += block.length
  }
}

interface Tail {
  readonly records: readonly Uint8Array[]
  readonly end: TailPosition
  readonly lastBlock: Recovered['lastBlock']
  readonly bytes: number
}

/** Follows the chain of blocks from `start` through the segments, and decides what ends it: zeros, a tear, or damage. */
function readTail(files: readonly StoreFile[], start: TailPosition): Tail {
  const records: Uint8Array[] = []
  let lastBlock: Recovered['lastBlock']
  let lastOffset: number | undefined
  let end = start
  let bytes = 0
  /** Segments without a block since the chain's last one: where that is, and where something other than zeros begins. */
  let open: { readonly file: StoreFile; readonly from: number }[] = []

  for (const file of files) {
    let offset = file.segment.sequence === start.sequence ? start.offset : FILE_HEAD_BYTES
    lastOffset = undefined
    for (;;) {
      const block = readSegmentBlock(file, offset)
      if (block === undefined) break
      if (block.firstIndex !== end.upTo + 1 || block.chain !== end.chain)
        throw missing(open[0] ?? { file, from: offset }, end.upTo + 1)
      for (const record of block.records) records.push(record)
      const from = block.isBeside ? (lastOffset ?? offset) : offset
      lastOffset = offset
      offset += block.length
      lastBlock = { file: file.segment.file, offset: from, bytes: file.bytes.subarray(from, offset) }
      bytes += block.length
      end = {
        upTo: end.upTo + block.recordCount,
        chain: block.checksum,
        sequence: file.segment.sequence,
        offset,
      }
      open = []
    }
    open.push({ file, from: offset })
  }

  for (const { file, from } of open) {
    if (allZero(file.bytes, from)) continue
    const later = proofOfDamage(file, from + 1)
    if (later !== undefined) {
      throw damaged(file.segment.file, from, end.upTo + 1, `a whole block follows at byte ${later}`)
    }
    // S-3: torn, so nothing more goes into this segment.
    end = { ...end, sequence: file.segment.sequence, offset: file.segment.bytes }
  }
  return { records, end, lastBlock, bytes }
}

/** A segment's block has records: the empty block is a snapshot's end. */
function readSegmentBlock(file: StoreFile, offset: number): Block | undefined {
  const block = readBlock(file.bytes, offset, file.segment.seed)
  return block === undefined || block.recordCount === 0 ? undefined : block
}

/**
 * A block after a bad one proves that the bad one had been durable (S-2), unless the two were written side by side: then
 * the one after both does. Looks at every byte: lengths may be bad.
 */
function proofOfDamage(file: StoreFile, from: number): number | undefined {
  let isFirst = true
  for (let offset = from; offset < file.bytes.length; offset++) {
    const block = readSegmentBlock(file, offset)
    if (block === undefined) continue
    if (!isFirst || !block.isBeside) return offset
    isFirst = false
    offset += block.length - 1
  }
  return undefined
}

function missing(at: { readonly file: StoreFile; readonly from: number }, index: LogIndex): SwarmError {
  return damaged(at.file.segment.file, at.from, index, 'the blocks that follow do not continue it')
}

function allZero(bytes: Uint8Array, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false
  return true
}

function ascending(a: number, b: number): number {
  return a - b
}

/** Damage is never repaired by guessing: it is told with its place, and a person decides. Of accepted tasks there are no copies. */
function damaged(file: DiskFile, offset: number, index: LogIndex | undefined, why: string): SwarmError {
  const record = index === undefined ? '' : `, record ${index}`
  const message =
    `the store is damaged in ${file} at byte ${offset}${record}: ${why}. ` +
    'Check the disk. Restore the data directory from a backup, or move its store away and start with a new ticket (--join): ' +
    'what the swarm has decided it then hears from the others, but tasks that it had accepted are lost.'
  return new SwarmError('STORE_DAMAGED', message, { data: { file, offset, index } })
}
