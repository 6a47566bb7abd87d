import { assert } from '../kernel/index.ts'
import { BLOCK_HEAD_BYTES, RECORD_HEAD_BYTES } from './block.ts'
import { FILE_HEAD_BYTES } from './format.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Sizes and bounds of one log. All local: two nodes need not agree. */
export interface LogParams {
  /** The first segment of a new store, small because most nodes on a developer's machine write little. */
  readonly firstSegmentBytes: number
  /** Later segments double up to this: large enough that rotation does not show, small enough to be zeroed quickly. */
  readonly segmentBytesMax: number
  /** A group is closed at this size and the next one begins: bounds the time of one write. */
  readonly blockBytesMax: number
  /**
   * Two blocks up to this size may be on their way to the disk at once: what waits for a sync of its own waits for one
   * time and not for two. Larger ones come from load, under which one at a time makes larger groups. About a page.
   */
  readonly besideBytesMax: number
  /** Longest record. A task's input and output are at most 1 MiB each (spec/interfaces.md), plus what describes it. */
  readonly recordBytesMax: number
  /** Most bytes that wait for the disk (S-9): about a second of a slow disk's throughput. */
  readonly queuedBytesMax: number
}

export const DEFAULT_LOG_PARAMS: LogParams = {
  firstSegmentBytes: 1 * MIB,
  segmentBytesMax: 16 * MIB,
  blockBytesMax: 1 * MIB,
  besideBytesMax: 4 * KIB,
  recordBytesMax: 3 * MIB,
  queuedBytesMax: 32 * MIB,
}

/** What the largest possible block takes in a segment of its own. */
export function segmentBytesMin(params: LogParams): number {
  const blockBytes = BLOCK_HEAD_BYTES + Math.max(params.blockBytesMax, RECORD_HEAD_BYTES + params.recordBytesMax)
  return FILE_HEAD_BYTES + blockBytes
}

/** The relations between the parameters. Configuration has its own bounds; this is the last line. */
export function checkLogParams(params: LogParams): void {
  const wanted = segmentBytesMin(params)
  assert(params.segmentBytesMax >= wanted, 'a segment must hold the largest block', { ...params, wanted })
  assert(params.firstSegmentBytes >= FILE_HEAD_BYTES, 'a segment must hold its header', { ...params })
  const twoBlocks = 2 * (wanted - FILE_HEAD_BYTES)
  assert(params.queuedBytesMax >= twoBlocks, 'one block fills while another is written', { ...params, twoBlocks })
}
