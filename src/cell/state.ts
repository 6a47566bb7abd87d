import type { NodeId, WallMillis } from '../kernel/index.ts'
import { Motions, restoreTables, snapshotOf, Table } from '../machine/index.ts'
import { count, nodeId, record, text } from '../wire/index.ts'
import { type Configuration, configurationShape, type JournalName } from './operations.ts'
import { CELL_FORMAT_COUNT, CUSTODIANS_MAX, JOURNAL_NAME_BYTES_MAX, JOURNALS_MAX } from './params.ts'

/** Everything a cell has decided, as it stands. Only {@link CellMachine} changes it. */
export class CellState {
  /** Counts changes. No epoch of a journal exceeds it, so one that is opened again starts above all it ever had (CE-4). */
  revision = 0
  readonly custodians = new Table<NodeId, { readonly since: WallMillis }>({
    key: nodeId,
    value: record({ since: count<WallMillis>() }),
    rowsMin: 1,
    rowsMax: CUSTODIANS_MAX,
    rowsPerPieceMax: CUSTODIANS_MAX,
  })
  readonly journals = new Table<JournalName, Configuration>({
    key: text<JournalName>(JOURNAL_NAME_BYTES_MAX),
    value: configurationShape,
    rowsMax: JOURNALS_MAX,
    rowsPerPieceMax: 128,
  })
  readonly motions = new Motions()

  /** Whoever may vote. */
  members(): readonly NodeId[] {
    return this.custodians.rows().map(({ key }) => key)
  }

  /** Journals whose configuration names a node. */
  heldBy(node: NodeId): readonly { readonly key: JournalName; readonly value: Configuration }[] {
    return this.journals.rows().filter(({ value }) => value.inSync.includes(node))
  }

  get #tables() {
    return [this.custodians, this.journals, this.motions.table] as const
  }

  snapshot(): readonly Uint8Array[] {
    return snapshotOf({ format: CELL_FORMAT_COUNT, revision: this.revision, tables: this.#tables })
  }

  /** All or nothing (SM-3). */
  restore(chunks: readonly Uint8Array[]): boolean {
    const revision = restoreTables(chunks, { format: CELL_FORMAT_COUNT, tables: this.#tables })
    if (revision === undefined) return false
    this.revision = revision
    return true
  }
}

/** Whose journal it is, by its name. */
export function ownerOf(journal: JournalName): string {
  return journal.split('/', 1)[0] ?? ''
}
