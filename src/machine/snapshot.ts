import { count, decode, encode, list, record, u8, u32 } from '../wire/index.ts'

/** What a snapshot needs of a table: all tables look alike from here. */
interface Section {
  pieces(): readonly Uint8Array[]
  loading(pieces: readonly Uint8Array[]): (() => void) | undefined
}

const SECTIONS_MAX = 16

const frameShape = record({ format: u8, revision: count(), pieces: list(u32, SECTIONS_MAX) })

/** The state of a machine: how often it changed, and its tables. `format` grows with every change of rules or layout. */
export interface Saving {
  readonly format: number
  readonly revision: number
  readonly tables: readonly Section[]
}

/** SM-1: a first piece that says what follows, then the pieces of every table in turn. */
export function snapshotOf({ format, revision, tables }: Saving): readonly Uint8Array[] {
  const sections = tables.map((table) => table.pieces())
  const frame = encode(frameShape, { format, revision, pieces: sections.map((pieces) => pieces.length) })
  return [frame, ...sections.flat()]
}

/**
 * Fills tables from a snapshot: wholly, or not at all if it is none of this format and these tables (SM-3). The revision it
 * was taken at.
 */
export function restoreTables(
  chunks: readonly Uint8Array[],
  { format, tables }: Omit<Saving, 'revision'>,
): number | undefined {
  const frame = decode(frameShape, chunks[0] ?? new Uint8Array(0))
  if (!frame.ok || frame.value.format !== format || frame.value.pieces.length !== tables.length) return undefined
  const loads: (() => void)[] = []
  let from = 1
  for (const [i, table] of tables.entries()) {
    const to = from + (frame.value.pieces[i] ?? 0)
    const load = to <= chunks.length ? table.loading(chunks.slice(from, to)) : undefined
    if (load === undefined) return undefined
    loads.push(load)
    from = to
  }
  if (from !== chunks.length) return undefined
  for (const load of loads) load()
  return frame.value.revision
}
