import { assert, type Result, SwarmError } from '../kernel/index.ts'
import type { DiskFault, DiskPort, LogHandler, LogIndex, LogPort, LogRefusal } from '../wire/index.ts'
import { BLOCK_HEAD_BYTES, BlockBuilder, RECORD_HEAD_BYTES } from './block.ts'
import { storeFailed } from './fault.ts'
import { FILE_HEAD_BYTES, fileName, type TailPosition } from './format.ts'
import { type LogParams, segmentBytesMin } from './params.ts'
import type { Recovered, Segment } from './recovery.ts'
import { drive, makeSegment, type Steps, writeSnapshot } from './steps.ts'

/** A block on its way to the disk. */
interface Flight {
  readonly group: BlockBuilder
  /** Where the log ends with it. */
  readonly end: TailPosition
  hasLanded: boolean
}

interface Place {
  readonly segment: Segment
  readonly offset: number
}

interface Compaction {
  readonly records: readonly Uint8Array[]
  readonly upTo: LogIndex
  /** Known once the record `upTo` is durable; the snapshot waits for that. */
  tail: TailPosition | undefined
}

/**
 * A segmented append-only log with group commit (S-1 to S-9 in ./README.md). It keeps two lanes of disk operations: one
 * for blocks, one at a time or two small ones; one for what is prepared beside them (the next segment, a snapshot).
 */
export class SegmentedLog implements LogPort {
  readonly #disk: DiskPort
  readonly #params: LogParams
  readonly #storeId: Uint8Array
  #handler: LogHandler | undefined

  /** Oldest first. Blocks go into the one that `#end` names; those after it are empty. */
  #segments: readonly Segment[]
  /** How far the log is durable, and where that is. */
  #end: TailPosition
  #lastIndex: LogIndex
  #snapshotSequence: number
  #bytesSinceCompaction: number

  /** Complete groups, oldest first; `#filling` comes after them. */
  readonly #groups: BlockBuilder[] = []
  #filling = new BlockBuilder()
  /** The last builder that was written, for the next group. */
  #spareBuilder: BlockBuilder | undefined
  #queuedBytes = 0
  #turnAsked = false
  /** Oldest first. */
  readonly #flights: Flight[] = []
  /** A group waits for a segment. */
  #blocked = false

  #preparing = false
  #compaction: Compaction | undefined
  #diskFull = false

  #failure: SwarmError | undefined
  #onClosed: (() => void) | undefined

  /** Use `openLog`. */
  constructor(disk: DiskPort, params: LogParams, storeId: Uint8Array, found: Recovered) {
    this.#disk = disk
    this.#params = params
    this.#storeId = storeId
    this.#segments = found.segments
    this.#end = found.end
    this.#lastIndex = found.end.upTo
    this.#snapshotSequence = found.snapshotSequence
    this.#bytesSinceCompaction = found.tailBytes
  }

  /** Whom to tell. Once, before the first `append`. */
  attach(handler: LogHandler): void {
    assert(this.#handler === undefined, 'a log has one handler')
    this.#handler = handler
  }

  get lastIndex(): LogIndex {
    return this.#lastIndex
  }

  get durableIndex(): LogIndex {
    return this.#end.upTo
  }

  get bytesSinceCompaction(): number {
    return this.#bytesSinceCompaction
  }

  append(record: Uint8Array, mayWait = false): LogIndex {
    assert(record.length <= this.#params.recordBytesMax, 'a record is too long', { bytes: record.length })
    assert(this.#handler !== undefined, 'a log without a handler cannot report')
    const bytes = RECORD_HEAD_BYTES + record.length
    this.#mustTake(bytes)
    if (this.#filling.length + bytes > BLOCK_HEAD_BYTES + this.#params.blockBytesMax) this.#closeGroup()
    this.#filling.append(record)
    this.#queuedBytes += bytes
    this.#bytesSinceCompaction += bytes
    this.#lastIndex += 1
    if (!mayWait) this.#writeAfterTurn()
    return this.#lastIndex
  }

  hurry(): void {
    this.#writeAfterTurn()
  }

  refusal(): LogRefusal | undefined {
    if (this.#failure !== undefined) return 'STORE_FAILED'
    if (this.#diskFull) {
      this.#prepare()
      return 'DISK_FULL'
    }
    return this.#queuedBytes > this.#params.queuedBytesMax / 2 ? 'OVERLOADED' : undefined
  }

  compact(records: readonly Uint8Array[]): void {
    if (this.#failure !== undefined || this.#onClosed !== undefined) return
    const recordBytesMax = this.#params.recordBytesMax
    const fits = records.every((record) => record.length <= recordBytesMax)
    assert(fits, 'a record of a snapshot is too long', { recordBytesMax })
    // The group ends here, so that the snapshot ends between two blocks. One that still waits says less: it is dropped.
    this.#closeGroup()
    const tail = this.#end.upTo === this.#lastIndex ? this.#end : undefined
    this.#compaction = { records, upTo: this.#lastIndex, tail }
    this.#bytesSinceCompaction = 0
    // The snapshot waits for what it stands for, which may have been in no hurry.
    this.#writeAfterTurn()
    this.#disk.afterTurn(() => this.#prepare())
  }

  /** Takes nothing more. `closed` is called once nothing is on its way to the disk; what was appended is durable then,
   * unless the log has failed or the disk is full. */
  close(closed: () => void): void {
    assert(this.#onClosed === undefined, 'a log is closed once')
    this.#onClosed = closed
    this.#compaction = undefined
    this.#writeAfterTurn()
    this.#disk.afterTurn(() => this.#closeWhenIdle())
  }

  #mustTake(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#onClosed !== undefined) throw new SwarmError('SHUTTING_DOWN', 'the log is closed')
    if (this.#queuedBytes + bytes <= this.#params.queuedBytesMax) return
    const data = { queuedBytes: this.#queuedBytes }
    if (this.#diskFull) throw new SwarmError('DISK_FULL', 'the disk is full: free space, and the log goes on', { data })
    throw new SwarmError('OVERLOADED', 'too many bytes wait for the disk', { data })
  }

  #closeGroup(): void {
    if (this.#filling.recordCount === 0) return
    this.#groups.push(this.#filling)
    this.#renewFilling()
  }

  #renewFilling(): void {
    this.#filling = this.#spareBuilder ?? new BlockBuilder()
    this.#spareBuilder = undefined
  }

  /** Where the next block goes if it fits. */
  get #next(): TailPosition {
    return this.#flights.at(-1)?.end ?? this.#end
  }

  #writeAfterTurn(): void {
    if (this.#turnAsked || !this.#mayStart(0)) return
    this.#turnAsked = true
    this.#disk.afterTurn(() => {
      this.#turnAsked = false
      this.#write()
    })
  }

  /** S-2: whether a block of so many bytes may be handed to the disk now. */
  #mayStart(bytes: number): boolean {
    const [flight, second] = this.#flights
    const { besideBytesMax } = this.#params
    return flight === undefined || (second === undefined && Math.max(bytes, flight.group.length) <= besideBytesMax)
  }

  /** Starts the next group, if there is one, what is in flight allows it (S-2), and there is room for it. */
  #write(): void {
    const group = this.#groups[0] ?? this.#filling
    if (this.#failure !== undefined || group.recordCount === 0 || !this.#mayStart(group.length)) return
    const place = this.#placeFor(group.length)
    this.#blocked = place === undefined
    if (place === undefined) {
      this.#prepare()
      return
    }
    // So that a block in the next segment proves that all of this one were durable.
    if (this.#flights.length > 0 && place.segment.sequence !== this.#next.sequence) return
    if (this.#groups.shift() === undefined) this.#renewFilling()
    this.#start(group, place)
  }

  #start(group: BlockBuilder, { segment, offset }: Place): void {
    const { upTo, chain } = this.#next
    const isBeside = this.#flights.length > 0
    const { bytes, checksum } = group.seal({ firstIndex: upTo + 1, chain, seed: segment.seed, isBeside })
    const after = { upTo: upTo + group.recordCount, chain: checksum }
    const end = { ...after, sequence: segment.sequence, offset: offset + group.length }
    const flight = { group, end, hasLanded: false }
    this.#flights.push(flight)
    this.#disk.submit({ kind: 'write', file: segment.file, offset, bytes, sync: true }, (fault) => {
      if (this.#failure !== undefined) return
      if (fault === undefined) this.#landed(flight)
      else this.#fail(fault)
    })
  }

  /** S-1: a block counts once those before it do. */
  #landed(flight: Flight): void {
    flight.hasLanded = true
    if (this.#flights[0] !== flight) return
    for (let first = this.#flights[0]; first?.hasLanded === true; first = this.#flights[0]) {
      this.#flights.shift()
      this.#settle(first)
    }
    const { upTo } = this.#end
    // The disk first, then the news: whoever hears it has work to do meanwhile.
    this.#write()
    this.#prepare()
    this.#handler?.onDurable(upTo)
    this.#closeWhenIdle()
  }

  #settle({ group, end }: Flight): void {
    this.#end = end
    this.#queuedBytes -= group.length - BLOCK_HEAD_BYTES
    group.reset()
    this.#spareBuilder = group
    if (this.#compaction?.upTo === end.upTo) this.#compaction.tail = end
  }

  /** In the segment that is being filled, or at the start of the next one. */
  #placeFor(bytes: number): Place | undefined {
    const { sequence, offset } = this.#next
    const current = this.#segments.findIndex((segment) => segment.sequence === sequence)
    const segment = this.#segments[current]
    if (segment !== undefined && offset + bytes <= segment.bytes) return { segment, offset }
    const next = this.#segments[current + 1]
    return next === undefined ? undefined : { segment: next, offset: FILE_HEAD_BYTES }
  }

  /** Starts what is to be done beside the blocks, one thing at a time, room before tidiness. */
  #prepare(): void {
    if (this.#preparing || this.#failure !== undefined) return
    const last = this.#segments.at(-1)
    assert(last !== undefined, 'a log has a segment')
    const { sequence, offset } = this.#next
    const spare = last.sequence > sequence
    if (!spare && (this.#blocked || offset * 2 > last.bytes)) this.#extend(last)
    else this.#snapshot()
  }

  /** S-8: a segment more, before the last one is full. */
  #extend(last: Segment): void {
    const bytes = Math.min(this.#params.segmentBytesMax, Math.max(segmentBytesMin(this.#params), last.bytes * 2))
    this.#beside(makeSegment(this.#storeId, last.sequence + 1, bytes), (made) => {
      this.#diskFull = !made.ok
      if (!made.ok) {
        // A snapshot may fit where a segment does not, and gives space back.
        this.#snapshot()
        return
      }
      this.#segments = [...this.#segments, made.value]
      this.#write()
      this.#prepare()
    })
  }

  #snapshot(): void {
    const compaction = this.#compaction
    if (compaction?.tail === undefined) return
    const { records, tail } = compaction
    this.#compaction = undefined
    const oldSnapshot = this.#snapshotSequence > 0 ? [fileName('snapshot', this.#snapshotSequence)] : []
    const oldSegments = this.#segments.filter((segment) => segment.sequence < tail.sequence)
    const sequence = this.#snapshotSequence + 1
    const plan = {
      storeId: this.#storeId,
      sequence,
      tail,
      records,
      blockBytesMax: this.#params.blockBytesMax,
      replaces: [...oldSnapshot, ...oldSegments.map((segment) => segment.file)],
    }
    this.#beside(writeSnapshot(plan), (written) => {
      // A full disk leaves everything as it was; the owner asks again after as many bytes as this time.
      if (!written.ok) return
      this.#snapshotSequence = sequence
      this.#segments = this.#segments.filter((segment) => segment.sequence >= tail.sequence)
      this.#prepare()
    })
  }

  /** Takes the steps while blocks go on being written. `then` sees success or a full disk; all else is fatal. */
  #beside<T>(steps: Steps<Result<T, DiskFault>>, then: (outcome: Result<T, DiskFault>) => void): void {
    this.#preparing = true
    const going = (): boolean => this.#failure === undefined
    drive(this.#disk, steps, going, (outcome) => {
      this.#preparing = false
      if (!outcome.ok && outcome.error.kind !== 'full') {
        this.#fail(outcome.error)
        return
      }
      then(outcome)
      this.#closeWhenIdle()
    })
  }

  /** S-7: said once; from here on nothing is taken and nothing is written. */
  #fail(fault: DiskFault): void {
    if (this.#failure !== undefined) return
    this.#failure = storeFailed(fault)
    this.#handler?.onFailed(this.#failure)
    this.#closeWhenIdle()
  }

  #closeWhenIdle(): void {
    const closed = this.#onClosed
    if (closed === undefined) return
    const waiting = !this.#blocked && (this.#groups.length > 0 || this.#filling.recordCount > 0)
    const busy = this.#flights.length > 0 || this.#preparing || waiting
    if (busy && this.#failure === undefined) return
    this.#onClosed = () => undefined
    closed()
  }
}
