import type { NodeId } from '../kernel/index.ts'
import type { Ground } from './ground.ts'
import { BUCKETS, entryBytes, type MemberEntry, type Rumour, SYNC_ROWS_MAX, WANTED_MAX } from './messages.ts'
import type { Roster } from './roster.ts'
import { type Entry, isUp, rumourOf } from './table.ts'
import { Timer } from './timers.ts'

/**
 * Anti-entropy (M-7): two members compare a hash per bucket of their tables, then the rows of the buckets that differ,
 * and then hand each other the entries that the other lacks. Whatever does not fit a page goes in the next round.
 */
export class Sync {
  readonly #ground: Ground
  readonly #roster: Roster
  readonly #timer = new Timer(() => this.#round())
  /** Whom to compare with next, when a page was not enough. */
  #unfinished: NodeId | undefined
  /** Rounds in a row that went on with somebody. */
  #continued = 0

  constructor(ground: Ground, roster: Roster) {
    this.#ground = ground
    this.#roster = roster
  }

  /** Begins the periodic rounds; the first one soon, and not at the same time everywhere. */
  start(): void {
    this.#arm(this.#ground.params.syncIntervalMs * this.#ground.random.between(0.2, 1))
  }

  compareWith(peer: NodeId): void {
    const hashes = Array.from(this.#ground.table.hashes)
    this.#ground.send(peer, { kind: 'membership.sync-request', body: { kind: 'hashes', hashes } })
  }

  /** Tells all that is held in the buckets that differ, whole buckets only. */
  onHashes(from: NodeId, hashes: readonly number[]): void {
    const own = this.#ground.table.hashes
    const buckets: number[] = []
    const rows: Rumour[] = []
    // Begins anywhere, so that pages that fit only a few buckets get to all of them in the end.
    const offset = this.#ground.random.below(BUCKETS)
    for (let i = 0; i < BUCKETS; i++) {
      const index = (i + offset) % BUCKETS
      if ((hashes[index] ?? 0) === own[index]) continue
      const bucket = [...this.#ground.table.bucket(index)]
      if (rows.length + bucket.length > SYNC_ROWS_MAX) {
        this.#continueWith(from)
        break
      }
      buckets.push(index)
      for (const entry of bucket) rows.push(rumourOf(entry))
    }
    if (buckets.length === 0) return
    this.#ground.send(from, { kind: 'membership.sync-request', body: { kind: 'rows', buckets, rows } })
  }

  /** Learns what the other knows better, and tells it what this node knows better. */
  onRows(from: NodeId, buckets: readonly number[], rows: readonly Rumour[]): void {
    const theirs = new Map<NodeId, Rumour>()
    for (const row of rows) {
      theirs.set(row.node, row)
      this.#roster.hearRumour(from, row)
    }
    const lacking: Entry[] = []
    const answers: Rumour[] = []
    for (const index of buckets) {
      for (const entry of this.#ground.table.bucket(index)) {
        const row = theirs.get(entry.node)
        const isLacking = row === undefined ? isUp(entry) : isBetter(entry, row)
        if (isLacking) lacking.push(entry)
        if (row !== undefined && entry.state === 'dead' && (isLacking || isDeathUnknown(entry, row))) {
          answers.push(rumourOf(entry))
        }
      }
    }
    this.#giveEntries(from, lacking, answers)
  }

  onWant(from: NodeId, nodes: readonly NodeId[]): void {
    const entries: Entry[] = []
    const answers: Rumour[] = []
    for (const node of nodes) {
      const entry = this.#ground.table.get(node)
      if (entry === undefined) continue
      entries.push(entry)
      if (entry.state === 'dead') answers.push(rumourOf(entry))
    }
    this.#giveEntries(from, entries, answers)
  }

  onReply(from: NodeId, entries: readonly MemberEntry[], rows: readonly Rumour[]): void {
    for (const entry of entries) this.#roster.hearEntry(from, entry)
    for (const row of rows) this.#roster.hearRumour(from, row)
  }

  /** As many replies as it takes, each within its size; no more entries than one request may ask for. */
  #giveEntries(to: NodeId, entries: readonly Entry[], rows: readonly Rumour[]): void {
    const given = entries.slice(0, WANTED_MAX)
    if (given.length < entries.length) this.#continueWith(to)
    let page: MemberEntry[] = []
    let bytes = 0
    let pageRows = rows.slice(0, SYNC_ROWS_MAX)
    const flush = () => {
      if (page.length === 0 && pageRows.length === 0) return
      this.#ground.send(to, { kind: 'membership.sync-reply', body: { entries: page, rows: pageRows } })
      page = []
      pageRows = []
      bytes = 0
    }
    // Rows first and alone when they are many, so that the sum stays within the bound.
    if (pageRows.length > ROWS_BESIDE_ENTRIES_MAX) flush()
    for (const { judged } of given) {
      const size = entryBytes(judged.entry)
      if (bytes + size > this.#ground.params.syncBytesMax) flush()
      page.push(judged.entry)
      bytes += size
    }
    flush()
  }

  /** Whoever asks for more meanwhile delays nothing. */
  #continueWith(peer: NodeId): void {
    if (this.#unfinished === undefined) this.#arm(this.#ground.params.gossipIntervalMs)
    this.#unfinished = peer
  }

  #round(): void {
    const { links, params, random } = this.#ground
    const next = this.#unfinished
    this.#unfinished = undefined
    this.#arm(params.syncIntervalMs * random.between(0.8, 1))
    const continues = next !== undefined && links.has(next) && this.#continued < CONTINUED_MAX
    this.#continued = continues ? this.#continued + 1 : 0
    const peer = continues ? next : this.#ground.randomLinks(1)[0]
    if (peer !== undefined) this.compareWith(peer)
  }

  #arm(delayMs: number): void {
    this.#ground.timers.arm(this.#timer, this.#ground.awake + delayMs)
  }
}

/** Then anyone's turn comes: a peer that never has enough keeps nobody else's news from here. */
const CONTINUED_MAX = 8

/** Rows are up to 140 bytes; these fit beside a page of entries. */
const ROWS_BESIDE_ENTRIES_MAX = 256

/** The other holds an older word of the subject. */
function isBetter(entry: Entry, row: Rumour): boolean {
  const held = entry.incarnation
  if (held !== row.incarnation) return held > row.incarnation
  return entry.state === 'left' && row.state !== 'left'
}

/** The other takes for up, under the same incarnation, whom this node holds for dead. */
function isDeathUnknown(entry: Entry, row: Rumour): boolean {
  const sameIncarnation = entry.incarnation === row.incarnation
  return sameIncarnation && (row.state === 'alive' || row.state === 'suspect')
}
