import { claimsRecord } from '../claims/index.ts'
import type { Result } from '../kernel/index.ts'
import { membershipRecord } from '../membership/index.ts'
import { bytes, decode, encode, list, record, type Value, variant } from '../wire/index.ts'
import { groupRecords } from './group-log.ts'

/** Above what `src/identity` allows for any of its statements, which judges them when they are read back. */
const STATEMENT_BYTES_MAX = 16 * 1024

/** More than one step can end: whatever is open may run into its deadline at the same moment. */
const CLAIMS_RECORDS_MAX = 1_000_000

/** Everything that a node writes to its log. The order of the cases is the format (W-6). */
export const nodeRecord = variant({
  /** The swarm's genesis; the first record of every log. */
  genesis: record({ bytes: bytes(STATEMENT_BYTES_MAX) }),
  /** This node's own certificate; the last one counts. */
  certificate: record({ bytes: bytes(STATEMENT_BYTES_MAX) }),
  membership: record({ record: membershipRecord }),
  /** A use of a ticket that this node made. */
  'ticket-use': record({ bytes: bytes(STATEMENT_BYTES_MAX) }),
  /** What one step did to the tasks that this node coordinates: all of it or nothing. */
  claims: record({ records: list(claimsRecord, CLAIMS_RECORDS_MAX) }),
  ...groupRecords,
})
export type NodeRecord = Value<typeof nodeRecord>

export function encodeNodeRecord(entry: NodeRecord): Uint8Array {
  return encode(nodeRecord, entry)
}

export function decodeNodeRecord(entry: Uint8Array): Result<NodeRecord> {
  return decode(nodeRecord, entry)
}
