import { err, ok, type Result, type SwarmError } from '../kernel/index.ts'
import type { DiskFault, DiskPort } from '../wire/index.ts'
import { storeFailed } from './fault.ts'
import { TAIL_OF_NOTHING } from './format.ts'
import { SegmentedLog } from './log.ts'
import { checkLogParams, type LogParams } from './params.ts'
import { type Recovered, recover } from './recovery.ts'
import { drive, makeSegment, type Steps } from './steps.ts'

export interface OpenLogOptions {
  readonly disk: DiskPort
  readonly params: LogParams
  /** 16 random bytes; asked for once, when the store is new. */
  newStoreId(): Uint8Array
}

export interface OpenedLog {
  /** Wants a handler ({@link SegmentedLog.attach}) before the first record. */
  readonly log: SegmentedLog
  /** What is durable: the last snapshot's records, then the later ones in order. Views into the files' bytes. */
  readonly records: readonly Uint8Array[]
}

/**
 * Recovers a store, or makes a new one, and hands it over once what it holds is durable again (S-6). Never calls
 * `opened` from inside this call. Errors: STORE_DAMAGED, UNSUPPORTED_VERSION, DATA_DIRECTORY_UNREADABLE, DISK_FULL,
 * STORE_FAILED.
 */
export function openLog(options: OpenLogOptions, opened: (result: Result<OpenedLog, SwarmError>) => void): void {
  const { disk, params } = options
  checkLogParams(params)
  const found = recover(disk)
  if (!found.ok) {
    disk.afterTurn(() => opened(found))
    return
  }
  const storeId = found.value.storeId ?? options.newStoreId()
  drive(
    disk,
    settle(found.value, storeId, params.firstSegmentBytes),
    () => true,
    (settled) => {
      if (!settled.ok) opened(err(storeFailed(settled.error)))
      else opened(ok({ log: new SegmentedLog(disk, params, storeId, settled.value), records: found.value.records }))
    },
  )
}

/** Makes durable what recovery found, removes leftovers, and gives a new store its first segment. */
function* settle(found: Recovered, storeId: Uint8Array, bytes: number): Steps<Result<Recovered, DiskFault>> {
  let fault: DiskFault | undefined
  if (found.lastBlock !== undefined) fault = yield { kind: 'write', ...found.lastBlock, sync: true }
  // Names may have been seen that a power failure would take back.
  fault ??= yield { kind: 'sync-directory' }
  for (const file of found.remove) fault ??= yield { kind: 'remove', file }
  if (fault !== undefined) return err(fault)
  if (found.segments.length > 0) return ok(found)
  const made = yield* makeSegment(storeId, TAIL_OF_NOTHING.sequence, bytes)
  return made.ok ? ok({ ...found, segments: [made.value] }) : made
}
