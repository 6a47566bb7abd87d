import type { NodeId, Random } from '../kernel/index.ts'
import type { Statement } from '../wire/index.ts'
import { BUCKETS, DIGESTS_PER_REPLY_MAX, type DigestRow, type DirectoryMessage, ROWS_MAX } from './messages.ts'
import { type DigestTable, type Held, isNewer } from './table.ts'

type Send = (message: DirectoryMessage) => void

/** Anti-entropy (D-5): hashes, then the rows of buckets that differ, then the digests that one of the two lacks. */
export class DigestSync {
  readonly #table: DigestTable
  readonly #random: Random
  readonly #bytesMax: number

  constructor(table: DigestTable, random: Random, bytesMax: number) {
    this.#table = table
    this.#random = random
    this.#bytesMax = bytesMax
  }

  question(): DirectoryMessage {
    const hashes = Array.from(this.#table.hashes)
    return { kind: 'directory.sync-request', body: { kind: 'hashes', hashes } }
  }

  /** Whole buckets, as many as fit; begins anywhere, so that all get their turn. */
  onHashes(hashes: readonly number[], send: Send): void {
    const own = this.#table.hashes
    const buckets: number[] = []
    const rows: DigestRow[] = []
    const offset = this.#random.below(BUCKETS)
    for (let i = 0; i < BUCKETS; i++) {
      const index = (i + offset) % BUCKETS
      if ((hashes[index] ?? 0) === own[index]) continue
      const bucket = [...this.#table.bucket(index)].flatMap(rowOf)
      if (rows.length + bucket.length > ROWS_MAX) break
      buckets.push(index)
      rows.push(...bucket)
    }
    if (buckets.length > 0) send({ kind: 'directory.sync-request', body: { kind: 'rows', buckets, rows } })
  }

  /** Gives what the other lacks, asks for what this node lacks. */
  onRows(buckets: readonly number[], rows: readonly DigestRow[], send: Send): void {
    const theirs = new Map(rows.map((row) => [row.node, row]))
    const given: Statement[] = []
    for (const index of buckets) {
      for (const held of this.#table.bucket(index)) {
        const { judged } = held
        const row = theirs.get(held.profile.node)
        if (judged !== undefined && (row === undefined || isNewer(judged.digest, row))) given.push(judged.statement)
      }
    }
    this.#give(given, send)
    const nodes = rows.filter((row) => this.#isWanted(row)).map((row) => row.node)
    for (const wanted of pagesOf(nodes)) send({ kind: 'directory.sync-request', body: { kind: 'want', nodes: wanted } })
  }

  onWant(nodes: readonly NodeId[], send: Send): void {
    this.#give(
      nodes.flatMap((node) => this.#table.get(node)?.judged?.statement ?? []),
      send,
    )
  }

  #isWanted(row: DigestRow): boolean {
    return this.#table.get(row.node) !== undefined && this.#table.isNews(row.node, row)
  }

  #give(statements: readonly Statement[], send: Send): void {
    let page: Statement[] = []
    let bytes = 0
    for (const statement of statements) {
      const size = statement.bytes.length + 150
      if (page.length >= DIGESTS_PER_REPLY_MAX || bytes + size > this.#bytesMax) {
        send({ kind: 'directory.sync-reply', body: page })
        page = []
        bytes = 0
      }
      page.push(statement)
      bytes += size
    }
    if (page.length > 0) send({ kind: 'directory.sync-reply', body: page })
  }
}

function rowOf({ profile, judged }: Held): DigestRow[] {
  return judged === undefined ? [] : [{ node: profile.node, run: judged.digest.run, version: judged.digest.version }]
}

function pagesOf(nodes: readonly NodeId[]): readonly (readonly NodeId[])[] {
  const pages: NodeId[][] = []
  for (let i = 0; i < nodes.length; i += DIGESTS_PER_REPLY_MAX) pages.push(nodes.slice(i, i + DIGESTS_PER_REPLY_MAX))
  return pages
}
