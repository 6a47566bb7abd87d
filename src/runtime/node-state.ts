import { type Incarnation, type NodeId, SwarmError } from '../kernel/index.ts'
import { decodeNodeRecord, encodeNodeRecord, GroupLogs, type NodeRecord } from '../swarm/index.ts'

type RememberedPeer = { readonly node: NodeId; readonly addresses: readonly string[] }

/**
 * What the records of the log say, read back in order; and, for compaction, the fewest records that say the same.
 * Kept up to date by whoever appends, so that a snapshot is at hand at any time.
 */
export class NodeState {
  genesis: Uint8Array | undefined
  certificate: Uint8Array | undefined
  ceiling: Incarnation | undefined
  peers: readonly RememberedPeer[] = []
  /** Uses of tickets, as found in the log; the ledger that is filled from them counts from then on. */
  readonly ticketUses: Uint8Array[] = []
  /** What the log says of tasks, as found there; the claims core that is filled from it knows the rest. */
  readonly claims: Extract<NodeRecord, { kind: 'claims' }>['records'][number][] = []
  readonly groups = new GroupLogs()

  /**
   * @throws SwarmError STORE_DAMAGED: a record that passed its checksum and yet says nothing to this program was
   * written by a newer one.
   */
  static read(records: Iterable<Uint8Array>): NodeState {
    const state = new NodeState()
    let index = 0
    for (const bytes of records) {
      index += 1
      const record = decodeNodeRecord(bytes)
      if (!record.ok) {
        throw new SwarmError(
          'STORE_DAMAGED',
          `record ${index} of the log is of a kind that this program does not know (${record.error}). ` +
            'A newer swarm-node wrote it: start that version again, or restore a backup.',
        )
      }
      state.apply(record.value)
    }
    return state
  }

  apply(record: NodeRecord): void {
    switch (record.kind) {
      case 'genesis':
        this.genesis = record.bytes
        return
      case 'certificate':
        this.certificate = record.bytes
        return
      case 'membership':
        if (record.record.kind === 'incarnation') this.ceiling = record.record.ceiling
        else this.peers = record.record.peers
        return
      case 'ticket-use':
        this.ticketUses.push(record.bytes)
        return
      case 'claims':
        for (const each of record.records) this.claims.push(each)
        return
      default:
        this.groups.take(record)
    }
  }

  /** The records of a snapshot. What is not kept here comes from those that know which of it still matters. */
  snapshot(ticketUses: readonly Uint8Array[], others: readonly NodeRecord[] = []): readonly Uint8Array[] {
    const records: NodeRecord[] = []
    if (this.genesis !== undefined) records.push({ kind: 'genesis', bytes: this.genesis })
    if (this.certificate !== undefined) records.push({ kind: 'certificate', bytes: this.certificate })
    if (this.ceiling !== undefined) {
      records.push({ kind: 'membership', record: { kind: 'incarnation', ceiling: this.ceiling } })
    }
    if (this.peers.length > 0) {
      records.push({ kind: 'membership', record: { kind: 'peers', peers: this.peers } })
    }
    for (const bytes of ticketUses) records.push({ kind: 'ticket-use', bytes })
    records.push(...others)
    return records.map(encodeNodeRecord)
  }
}
