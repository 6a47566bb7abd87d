import { claimsRecord } from '../claims/index.ts'
import type { Result } from '../kernel/index.ts'
import { membershipRecord } from '../membership/index.ts'
import { bytes, decode, encode, encodeForCopy, list, record, type Value, variant } from '../wire/index.ts'
import { groupRecords } from './group-log.ts'

/** Above what `src/identity` allows for any of its statements, which judges them when they are read back. */
const STATEMENT_BYTES_MAX = 16 * 1024

/**
 * Of what one step did, in one record of the log. A step may do more (after a pause, every deadline at once); so many, each
 * of some kilobytes at most but for the one with a payload, are well below what the log takes as one record.
 */
export const CLAIMS_RECORDS_MAX = 256

/** Everything that a node writes to its log. The order of the cases is the format (W-6). */
export const nodeRecord = variant({
  /** The swarm's genesis; the first record of every log, but for a doubt about what was there before (B-20). */
  genesis: record({ bytes: bytes(STATEMENT_BYTES_MAX) }),
  /** This node's own certificate; the last one counts. */
  certificate: record({ bytes: bytes(STATEMENT_BYTES_MAX) }),
  membership: record({ record: membershipRecord }),
  /** A use of a ticket that this node made. */
  'ticket-use': record({ bytes: bytes(STATEMENT_BYTES_MAX) }),
  /** What a step did to the tasks that this node coordinates. */
  claims: record({ records: list(claimsRecord, CLAIMS_RECORDS_MAX) }),
  ...groupRecords,
})
export type NodeRecord = Value<typeof nodeRecord>

export function encodeNodeRecord(entry: NodeRecord): Uint8Array {
  return encode(nodeRecord, entry)
}

/** For a log, which copies it: the bytes last until the next encoding. */
export function encodeForLog(entry: NodeRecord): Uint8Array {
  return encodeForCopy(nodeRecord, entry)
}

export function decodeNodeRecord(entry: Uint8Array): Result<NodeRecord> {
  return decode(nodeRecord, entry)
}
