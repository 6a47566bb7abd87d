import { err, ok, type Result } from '../kernel/index.ts'
import type { DiskFault, DiskFile, DiskOp, DiskPort } from '../wire/index.ts'
import { BLOCK_HEAD_BYTES, BlockBuilder, RECORD_HEAD_BYTES } from './block.ts'
import {
  blockSeed,
  encodeFileHead,
  FILE_HEAD_BYTES,
  fileName,
  TAIL_OF_NOTHING,
  type TailPosition,
  unfinished,
} from './format.ts'
import type { Segment } from './recovery.ts'

/**
 * Operations that must happen one after the other, written as a function that yields each one and is told its outcome.
 * No promise is involved: it runs the same in virtual time.
 */
export type Steps<T> = Generator<DiskOp, T, DiskFault | undefined>

/** Takes the steps on that disk. Stops without a word once `going` says no (S-7). */
export function drive<T>(disk: DiskPort, steps: Steps<T>, going: () => boolean, done: (outcome: T) => void): void {
  const advance = (fault: DiskFault | undefined): void => {
    if (!going()) return
    const step = steps.next(fault)
    if (step.done === true) done(step.value)
    else disk.submit(step.value, advance)
  }
  advance(undefined)
}

/** An empty segment, whole and synced under another name first, so that its name proves both (S-4). */
export function* makeSegment(storeId: Uint8Array, sequence: number, bytes: number): Steps<Result<Segment, DiskFault>> {
  const file = fileName('segment', sequence)
  const draft = unfinished(file)
  const head = encodeFileHead({ kind: 'segment', storeId, sequence, tail: TAIL_OF_NOTHING, bytes })
  let fault = yield { kind: 'create', file: draft, bytes }
  fault ??= yield { kind: 'write', file: draft, offset: 0, bytes: head, sync: false }
  fault ??= yield* publish(draft, file)
  if (fault !== undefined) return yield* abandon(draft, fault)
  return ok({ sequence, file, bytes, seed: blockSeed(storeId, 'segment', sequence) })
}

export interface SnapshotPlan {
  readonly storeId: Uint8Array
  readonly sequence: number
  readonly tail: TailPosition
  readonly records: readonly Uint8Array[]
  readonly blockBytesMax: number
  /** What it makes superfluous: removed only once its name is durable (S-5). */
  readonly replaces: readonly DiskFile[]
}

/** Writes a snapshot, puts it in force, and removes what it stands for. */
export function* writeSnapshot(plan: SnapshotPlan): Steps<Result<undefined, DiskFault>> {
  const { storeId, sequence, tail } = plan
  const file = fileName('snapshot', sequence)
  const draft = unfinished(file)
  let fault = yield { kind: 'create', file: draft, bytes: 0 }
  const head = encodeFileHead({ kind: 'snapshot', storeId, sequence, tail, bytes: 0 })
  fault ??= yield { kind: 'write', file: draft, offset: 0, bytes: head, sync: false }
  fault ??= yield* writeBlocks(plan, draft)
  fault ??= yield* publish(draft, file)
  if (fault !== undefined) return yield* abandon(draft, fault)
  for (const old of plan.replaces) fault ??= yield { kind: 'remove', file: old }
  return fault === undefined ? ok(undefined) : err(fault)
}

/** The records in blocks of their own chain, and an empty block that says that these were all. */
function* writeBlocks(plan: SnapshotPlan, draft: DiskFile): Steps<DiskFault | undefined> {
  const seed = blockSeed(plan.storeId, 'snapshot', plan.sequence)
  const block = new BlockBuilder()
  let offset = FILE_HEAD_BYTES
  let chain = 0
  let firstIndex = 1
  let next = 0
  for (let recordCount = -1; recordCount !== 0; ) {
    while (next < plan.records.length) {
      const record = plan.records[next] as Uint8Array
      const length = block.length + RECORD_HEAD_BYTES + record.length
      if (block.recordCount > 0 && length > BLOCK_HEAD_BYTES + plan.blockBytesMax) break
      block.append(record)
      next += 1
    }
    const sealed = block.seal({ firstIndex, chain, seed, isBeside: false })
    const fault = yield { kind: 'write', file: draft, offset, bytes: sealed.bytes, sync: false }
    if (fault !== undefined) return fault
    recordCount = block.recordCount
    offset += block.length
    chain = sealed.checksum
    firstIndex += recordCount
    block.reset()
  }
  return undefined
}

function* publish(draft: DiskFile, file: DiskFile): Steps<DiskFault | undefined> {
  let fault = yield { kind: 'sync', file: draft }
  fault ??= yield { kind: 'rename', from: draft, to: file }
  fault ??= yield { kind: 'sync-directory' }
  return fault
}

/** A full disk is survivable (S-8): what was claimed is given back. Any other fault ends the log anyway. */
function* abandon(draft: DiskFile, fault: DiskFault): Steps<Result<never, DiskFault>> {
  if (fault.kind === 'full') yield { kind: 'remove', file: draft }
  return err(fault)
}
