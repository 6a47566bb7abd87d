import type { Brand, NodeId, Result } from '../kernel/index.ts'
import { MOTION_BYTES_MAX } from '../machine/index.ts'
import { count, decode, encode, flag, list, nodeId, record, type Shape, text, variant } from '../wire/index.ts'
import { CHANGES_MAX, CUSTODIANS_MAX, JOURNAL_NAME_BYTES_MAX, REPLICAS_MAX } from './params.ts'

/** A journal: the node that opened it, or that node, a slash and a word. */
export type JournalName = Brand<string, 'JournalName'>
/** Counts configurations of a journal; entries of an older one are refused. */
export type CustodyEpoch = Brand<number, 'CustodyEpoch'>

/** Who holds a journal. */
export interface Configuration {
  readonly epoch: CustodyEpoch
  readonly primary: NodeId
  /** Sorted; the primary is among them. */
  readonly inSync: readonly NodeId[]
}

export type CellOperation =
  /** Custodians come and go, by motion. `lost`: with those who go, journals go that nobody else holds. */
  | {
      readonly kind: 'custodians'
      readonly add: readonly NodeId[]
      readonly remove: readonly NodeId[]
      readonly lost: boolean
    }
  /** The client opens a journal of its own, and is its primary. */
  | { readonly kind: 'open'; readonly journal: JournalName; readonly inSync: readonly NodeId[] }
  /** The next configuration of a journal. */
  | {
      readonly kind: 'configure'
      readonly journal: JournalName
      readonly expect: CustodyEpoch
      readonly primary: NodeId
      readonly inSync: readonly NodeId[]
    }
  /** The journal is not needed any more. */
  | { readonly kind: 'close'; readonly journal: JournalName; readonly expect: CustodyEpoch }

const epoch = count<CustodyEpoch>()
const journal = text<JournalName>(JOURNAL_NAME_BYTES_MAX)
const replicas: Shape<readonly NodeId[]> = list(nodeId, REPLICAS_MAX)

export const cellOperationShape: Shape<CellOperation> = variant({
  custodians: record({ add: list(nodeId, CHANGES_MAX), remove: list(nodeId, CHANGES_MAX), lost: flag }),
  open: record({ journal, inSync: replicas }),
  configure: record({ journal, expect: epoch, primary: nodeId, inSync: replicas }),
  close: record({ journal, expect: epoch }),
})

export const configurationShape: Shape<Configuration> = record({ epoch, primary: nodeId, inSync: replicas })

/** Those who vote for the same say the same bytes, in whatever order they name the nodes. */
export function encodeCellOperation(operation: CellOperation): Uint8Array {
  if (operation.kind !== 'custodians') return encode(cellOperationShape, operation)
  const { add, remove } = operation
  return encode(cellOperationShape, { ...operation, add: add.toSorted(), remove: remove.toSorted() })
}

/** Reads any bytes (CE-1). */
export function decodeCellOperation(operation: Uint8Array): Result<CellOperation> {
  if (operation.length > MOTION_BYTES_MAX) return { ok: false, error: `longer than ${MOTION_BYTES_MAX} bytes` }
  return decode(cellOperationShape, operation)
}

/** What an accepted operation came to. */
export type CellResult =
  /** The journal has this epoch now. */
  | { readonly kind: 'configured'; readonly epoch: CustodyEpoch }
  /** Done, and no journal has a new epoch by it. */
  | { readonly kind: 'done' }
  | { readonly kind: 'voted'; readonly votes: number; readonly needed: number }

export const cellResultShape: Shape<CellResult> = variant({
  configured: record({ epoch }),
  done: record({}),
  voted: record({ votes: count(CUSTODIANS_MAX), needed: count(CUSTODIANS_MAX) }),
})
