import type { LogRecord } from '../consensus/index.ts'
import type { Random } from '../kernel/index.ts'
import type { Disk } from './types.ts'

type Written = Pick<Disk['buffered'][number], 'records' | 'compacts'>

export function newDisk(): Disk {
  return { durable: [], buffered: [], syncing: false, voted: 0, doubtful: false, held: [] }
}

export function putAway(disk: Disk, { records, compacts }: Written): void {
  if (compacts) disk.durable = [...records]
  else for (const record of records) disk.durable.push(record)
  if (disk.doubtful && records.some(({ kind }) => kind === 'suspect')) disk.doubtful = false
}

/** A power cut: some of what was on its way is there, the rest is not, and nothing that waited for it happens. */
export function tear(disk: Disk, random: Random): void {
  const kept = random.below(disk.buffered.length + 1)
  for (const written of disk.buffered.slice(0, kept)) putAway(disk, written)
  disk.buffered = []
  disk.syncing = false
  disk.held = []
}

/** The planted bug of a log that is cut when a checkpoint is signed, not when it is stable. */
export function cutEarly(disk: Disk, records: readonly LogRecord[]): void {
  const [first] = records
  if (first?.kind !== 'vote' || first.cast.vote.kind !== 'checkpoint') return
  const kept = (record: LogRecord): boolean => record.kind !== 'proposal' && record.kind !== 'block'
  disk.durable = disk.durable.filter(kept)
  disk.buffered = disk.buffered.map((group) => ({ ...group, records: group.records.filter(kept) }))
}
