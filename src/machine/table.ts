import { assert } from '../kernel/index.ts'
import { CHUNK_BYTES_MAX, decode, encode, list, record, type Shape } from '../wire/index.ts'

/** What a table holds and how far it may grow. */
export interface TableOptions<K extends string, V> {
  readonly key: Shape<K>
  readonly value: Shape<V>
  /** A state without so many rows is none. */
  readonly rowsMin?: number
  readonly rowsMax: number
  /** So many of the longest rows fit into `CHUNK_BYTES_MAX`. */
  readonly rowsPerPieceMax: number
}

interface Row<K, V> {
  readonly key: K
  readonly value: V
}

/**
 * A part of a replicated state: rows by key, in the order of their keys, so that equal tables have equal pieces however
 * they came to be (SM-1). Pieces of a table that did not change are the same objects again (SM-2).
 */
export class Table<K extends string, V> {
  readonly rowsMax: number
  readonly #rowsMin: number
  readonly #piece: Shape<readonly Row<K, V>[]>
  readonly #rowsPerPieceMax: number
  #rows = new Map<K, V>()
  #sorted: readonly Row<K, V>[] | undefined
  #pieces: readonly Uint8Array[] | undefined

  constructor(options: TableOptions<K, V>) {
    this.rowsMax = options.rowsMax
    this.#rowsMin = options.rowsMin ?? 0
    this.#rowsPerPieceMax = options.rowsPerPieceMax
    const row = record({ key: options.key, value: options.value }) as unknown as Shape<Row<K, V>>
    this.#piece = list(row, options.rowsPerPieceMax)
  }

  get size(): number {
    return this.#rows.size
  }

  get full(): boolean {
    return this.#rows.size >= this.rowsMax
  }

  has(key: K): boolean {
    return this.#rows.has(key)
  }

  get(key: K): V | undefined {
    return this.#rows.get(key)
  }

  /** All rows, in the order of their keys. */
  rows(): readonly Row<K, V>[] {
    this.#sorted ??= sorted(this.#rows)
    return this.#sorted
  }

  /** @throws InvariantError if the table is full: machines refuse before they change anything */
  set(key: K, value: V): void {
    assert(!this.full || this.#rows.has(key), 'a table has room for what is put into it', { rowsMax: this.rowsMax })
    this.#rows.set(key, value)
    this.#changed()
  }

  delete(key: K): void {
    if (this.#rows.delete(key)) this.#changed()
  }

  #changed(): void {
    this.#sorted = undefined
    this.#pieces = undefined
  }

  /** SM-1: rows in order, as many to a piece as may be. None for an empty table. */
  pieces(): readonly Uint8Array[] {
    this.#pieces ??= this.#encoded()
    return this.#pieces
  }

  #encoded(): readonly Uint8Array[] {
    const rows = this.rows()
    const pieces: Uint8Array[] = []
    for (let from = 0; from < rows.length; from += this.#rowsPerPieceMax) {
      const piece = encode(this.#piece, rows.slice(from, from + this.#rowsPerPieceMax))
      assert(piece.length <= CHUNK_BYTES_MAX, 'a piece of a table fits its bound', { bytes: piece.length })
      pieces.push(piece)
    }
    return pieces
  }

  /** Reads pieces; what is left to be done if they are those of a table like this one, else undefined (SM-3). */
  loading(pieces: readonly Uint8Array[]): (() => void) | undefined {
    const rows = new Map<K, V>()
    let last: K | undefined
    for (const [index, bytes] of pieces.entries()) {
      const piece = decode(this.#piece, bytes)
      if (!piece.ok) return undefined
      const short = piece.value.length < this.#rowsPerPieceMax
      if (piece.value.length === 0 || (short && index < pieces.length - 1)) return undefined
      for (const { key, value } of piece.value) {
        if (last !== undefined && key <= last) return undefined
        last = key
        rows.set(key, value)
      }
    }
    const fits = rows.size <= this.rowsMax && rows.size >= this.#rowsMin
    return fits ? () => this.load(rows) : undefined
  }

  /** Replaces all rows. */
  load(rows: ReadonlyMap<K, V>): void {
    this.#rows = new Map(rows)
    this.#changed()
  }
}

function sorted<K extends string, V>(rows: ReadonlyMap<K, V>): readonly Row<K, V>[] {
  return [...rows].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1))
}
