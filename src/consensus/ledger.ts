import type { Group } from './group.ts'
import type { Rules } from './rules.ts'
import type { CastVote, CommitVote, Digest, PrepareVote, Seat, SkipVote, View } from './types.ts'
import { conflict, sameVote } from './votes.ts'

export type ViewVote = PrepareVote | CommitVote | SkipVote

/** A vote as received; its signature is looked at when a certificate needs it (B-22). */
export interface Slot {
  readonly seat: Seat
  readonly vote: ViewVote
  readonly signature: Uint8Array
  state: 'unchecked' | 'checking' | 'good'
}

/** The votes of one kind in one view, by seat. */
interface Row {
  readonly slots: (Slot | undefined)[]
  /** Places taken, so that a vote which cannot complete anything costs no counting. */
  cast: number
  /** What is certified here already, so that further votes for it need no counting. */
  certified: Digest | undefined
}

interface Page {
  readonly view: View
  readonly prepare: Row
  readonly commit: Row
  readonly skip: Row
}

/** What became of a vote: `conflict` names an earlier vote of that seat that no correct member would have signed too. */
export type Added =
  | { readonly kind: 'added' | 'known' | 'outside' }
  | { readonly kind: 'conflict'; readonly earlier: CastVote }

const ADDED: Added = { kind: 'added' }
const KNOWN: Added = { kind: 'known' }
const OUTSIDE: Added = { kind: 'outside' }

/** Votes of one kind in one view for one thing, when there may be enough. */
export interface Tally {
  /** Found good. */
  readonly good: readonly Slot[]
  /** Received and not yet looked at. */
  readonly unchecked: readonly Slot[]
  readonly checking: number
}

/**
 * Votes received in one epoch: one place per view, kind and seat, in a window of views around ours (B-9). The first vote
 * for a place stays; another one is a conflict to be looked into.
 */
export class VoteLedger {
  readonly group: Group
  readonly #pages = new Map<View, Page>()
  /** The page asked for last: most questions in a row are about one view. */
  #open: Page | undefined
  readonly #rules: Rules
  /** Highest view that each seat has skipped, ever: most never skip, and then nothing can contradict a commit. */
  readonly #skippedUpTo: View[] = []

  constructor(group: Group, rules: Rules) {
    this.group = group
    this.#rules = rules
  }

  get views(): number {
    return this.#pages.size
  }

  /** Takes a vote whose view the caller has found to be inside the window. `good`: its signature is known to be. */
  add(seat: Seat, cast: CastVote, good: boolean): Added {
    const { vote } = cast
    if (vote.kind === 'checkpoint') return OUTSIDE
    const page = this.#page(vote.view)
    const row = rowOf(page, vote.kind)
    const held = row.slots[seat]
    if (held !== undefined) {
      if (!sameVote(held.vote, vote)) {
        return conflict(held.vote, vote) ? { kind: 'conflict', earlier: held } : KNOWN
      }
      if (good && held.state !== 'good') row.slots[seat] = { seat, vote, signature: cast.signature, state: 'good' }
      return KNOWN
    }
    row.slots[seat] = { seat, vote, signature: cast.signature, state: good ? 'good' : 'unchecked' }
    row.cast += 1
    if (vote.kind === 'skip' && vote.view > (this.#skippedUpTo[seat] ?? 0)) this.#skippedUpTo[seat] = vote.view
    const earlier = this.#contradicted(seat, vote, page)
    return earlier === undefined ? ADDED : { kind: 'conflict', earlier }
  }

  /** Votes of a kind in a view, whatever for. */
  count(kind: ViewVote['kind'], view: View): number {
    return this.#row(kind, view)?.cast ?? 0
  }

  /** Whether a quorum's worth of them is there. */
  mayComplete(kind: ViewVote['kind'], view: View): boolean {
    return this.count(kind, view) >= this.group.q
  }

  /** Votes for a block in a view. Counted by digest: others in the same view are others' votes. */
  tally(kind: 'prepare' | 'commit', view: View, digest: Digest): Tally {
    return tallyOf(
      this.#row(kind, view)?.slots ?? [],
      (vote) => vote.kind !== 'skip' && this.#rules.counts(vote.digest, digest),
    )
  }

  /** Skips of a view whose tips are no higher than a certificate that we can show (B-16). */
  skips(view: View, tipMax: View): Tally {
    return tallyOf(this.#row('skip', view)?.slots ?? [], (vote) => vote.kind === 'skip' && vote.tip <= tipMax)
  }

  /** Whether votes of this kind in a view may certify a block that they have not certified yet: asked with every vote. */
  mayCertify(kind: 'prepare' | 'commit', view: View, digest: Digest): boolean {
    const row = this.#row(kind, view)
    return row !== undefined && row.cast >= this.group.q && row.certified !== digest
  }

  setCertified(kind: 'prepare' | 'commit', view: View, digest: Digest): void {
    const row = this.#row(kind, view)
    if (row !== undefined) row.certified = digest
  }

  /** A vote whose signature was found bad was never cast. */
  drop(slot: Slot): void {
    const row = this.#row(slot.vote.kind, slot.vote.view)
    if (row === undefined || row.slots[slot.seat] !== slot) return
    row.slots[slot.seat] = undefined
    row.cast -= 1
  }

  /** Digests with votes in a view, in order of seats. */
  digests(kind: 'prepare' | 'commit', view: View): readonly Digest[] {
    const digests: Digest[] = []
    for (const slot of this.#row(kind, view)?.slots ?? []) {
      if (slot === undefined || slot.vote.kind === 'skip') continue
      if (!digests.includes(slot.vote.digest)) digests.push(slot.vote.digest)
    }
    return digests
  }

  /** Forgets views below the window. */
  prune(below: View): void {
    this.#open = undefined
    for (const view of this.#pages.keys()) if (view < below) this.#pages.delete(view)
  }

  #row(kind: ViewVote['kind'], view: View): Row | undefined {
    const page = this.#find(view)
    return page === undefined ? undefined : rowOf(page, kind)
  }

  #find(view: View): Page | undefined {
    if (this.#open?.view !== view) this.#open = this.#pages.get(view)
    return this.#open
  }

  #page(view: View): Page {
    const found = this.#find(view)
    if (found !== undefined) return found
    const page = { view, prepare: newRow(), commit: newRow(), skip: newRow() }
    this.#pages.set(view, page)
    return page
  }

  #contradicted(seat: Seat, vote: ViewVote, page: Page): Slot | undefined {
    if (vote.kind === 'prepare') return conflicting(page.commit.slots[seat], vote)
    if (vote.kind === 'commit') {
      const prepare = conflicting(page.prepare.slots[seat], vote)
      if (prepare !== undefined) return prepare
      if ((this.#skippedUpTo[seat] ?? 0) < vote.view) return undefined
    }
    const against = vote.kind === 'commit' ? 'skip' : 'commit'
    for (const other of this.#pages.values()) {
      const found = conflicting(rowOf(other, against).slots[seat], vote)
      if (found !== undefined) return found
    }
    return undefined
  }
}

function newRow(): Row {
  return { slots: [], cast: 0, certified: undefined }
}

function rowOf(page: Page, kind: ViewVote['kind']): Row {
  if (kind === 'prepare') return page.prepare
  return kind === 'commit' ? page.commit : page.skip
}

function conflicting(slot: Slot | undefined, vote: ViewVote): Slot | undefined {
  return slot !== undefined && conflict(slot.vote, vote) ? slot : undefined
}

function tallyOf(slots: Row['slots'], counts: (vote: ViewVote) => boolean): Tally {
  const good: Slot[] = []
  const unchecked: Slot[] = []
  let checking = 0
  for (const slot of slots) {
    if (slot === undefined || !counts(slot.vote)) continue
    if (slot.state === 'good') good.push(slot)
    else if (slot.state === 'unchecked') unchecked.push(slot)
    else checking += 1
  }
  return { good, unchecked, checking }
}
