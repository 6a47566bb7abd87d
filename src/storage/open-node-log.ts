import { randomBytes } from 'node:crypto'
import type { SegmentedLog } from './log.ts'
import { NodeDisk } from './node-disk.ts'
import { openLog } from './open-log.ts'
import { DEFAULT_LOG_PARAMS, type LogParams } from './params.ts'

export interface NodeLog {
  readonly log: SegmentedLog
  /** See `OpenedLog.records`. */
  readonly records: readonly Uint8Array[]
  /** Writes what was appended, then closes the files. */
  close(): Promise<void>
}

/**
 * The log in a directory of the real disk. The directory must exist and belong to this process (`openDataDirectory`).
 *
 * @throws SwarmError as `openLog` reports
 */
export async function openNodeLog(directory: string, params: LogParams = DEFAULT_LOG_PARAMS): Promise<NodeLog> {
  const disk = new NodeDisk(directory)
  const { promise, resolve, reject } = Promise.withResolvers<NodeLog>()
  openLog({ disk, params, newStoreId: () => randomBytes(16) }, (opened) => {
    if (!opened.ok) {
      reject(opened.error)
      return
    }
    const { log, records } = opened.value
    const close = async (): Promise<void> => {
      await new Promise<void>((closed) => log.close(closed))
      await disk.close()
    }
    resolve({ log, records, close })
  })
  try {
    return await promise
  } catch (fault) {
    await disk.close()
    throw fault
  }
}
