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

type Row = (Slot | undefined)[]
interface Page {
  readonly prepare: Row
  readonly commit: Row
  readonly skip: Row
  /** Places taken, so that a vote which cannot complete anything costs no counting. */
  readonly cast: { prepare: number; commit: number; skip: number }
  /** What is certified here already, so that further votes for it need no counting. */
  readonly certified: { prepare: Digest | undefined; commit: Digest | undefined }
}

/** What became of a vote: `conflict` names an earlier vote of that seat that no correct member would have signed too. */
export type Added =
  | { readonly kind: 'added' | 'known' | 'outside' }
  | { readonly kind: 'conflict'; readonly earlier: CastVote }

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
    if (vote.kind === 'checkpoint') return { kind: 'outside' }
    const page = this.#page(vote.view)
    const held = page[vote.kind][seat]
    if (held !== undefined) {
      if (!sameVote(held.vote, vote)) {
        return conflict(held.vote, vote) ? { kind: 'conflict', earlier: held } : { kind: 'known' }
      }
      if (good && held.state !== 'good')
        page[vote.kind][seat] = { seat, vote, signature: cast.signature, state: 'good' }
      return { kind: 'known' }
    }
    page[vote.kind][seat] = { seat, vote, signature: cast.signature, state: good ? 'good' : 'unchecked' }
    page.cast[vote.kind] += 1
    if (vote.kind === 'skip' && vote.view > (this.#skippedUpTo[seat] ?? 0)) this.#skippedUpTo[seat] = vote.view
    const earlier = this.#contradicted(seat, vote, page)
    return earlier === undefined ? { kind: 'added' } : { kind: 'conflict', earlier }
  }

  /** The vote held for a place. */
  held(kind: ViewVote['kind'], view: View, seat: Seat): Slot | undefined {
    return this.#pages.get(view)?.[kind][seat]
  }

  /** Whether a quorum's worth of votes of a kind is there in a view, whatever for. */
  mayComplete(kind: ViewVote['kind'], view: View): boolean {
    return (this.#pages.get(view)?.cast[kind] ?? 0) >= this.group.q
  }

  /** Votes for a block in a view. Counted by digest: others in the same view are others' votes. */
  tally(kind: 'prepare' | 'commit', view: View, digest: Digest): Tally {
    return tallyOf(
      this.#pages.get(view)?.[kind] ?? [],
      (vote) => vote.kind !== 'skip' && this.#rules.counts(vote.digest, digest),
    )
  }

  /** Skips of a view whose tips are no higher than a certificate that we can show (B-16). */
  skips(view: View, tipMax: View): Tally {
    return tallyOf(this.#pages.get(view)?.skip ?? [], (vote) => vote.kind === 'skip' && vote.tip <= tipMax)
  }

  /** Members that skip a view, whatever their tips. */
  skipping(view: View): readonly Slot[] {
    return present(this.#pages.get(view)?.skip ?? [])
  }

  isCertified(kind: 'prepare' | 'commit', view: View, digest: Digest): boolean {
    return this.#pages.get(view)?.certified[kind] === digest
  }

  setCertified(kind: 'prepare' | 'commit', view: View, digest: Digest): void {
    const page = this.#pages.get(view)
    if (page !== undefined) page.certified[kind] = digest
  }

  /** A vote whose signature was found bad was never cast. */
  drop(slot: Slot): void {
    const { kind, view } = slot.vote
    const page = this.#pages.get(view)
    if (page === undefined || page[kind][slot.seat] !== slot) return
    page[kind][slot.seat] = undefined
    page.cast[kind] -= 1
  }

  /** Digests with votes in a view, in order of seats. */
  digests(kind: 'prepare' | 'commit', view: View): readonly Digest[] {
    const digests = new Set<Digest>()
    for (const slot of this.#pages.get(view)?.[kind] ?? []) {
      if (slot !== undefined && slot.vote.kind !== 'skip') digests.add(slot.vote.digest)
    }
    return [...digests]
  }

  /** Forgets views below the window. */
  prune(below: View): void {
    for (const view of this.#pages.keys()) if (view < below) this.#pages.delete(view)
  }

  #page(view: View): Page {
    let page = this.#pages.get(view)
    if (page === undefined) {
      page = {
        prepare: [],
        commit: [],
        skip: [],
        cast: { prepare: 0, commit: 0, skip: 0 },
        certified: { prepare: undefined, commit: undefined },
      }
      this.#pages.set(view, page)
    }
    return page
  }

  #contradicted(seat: Seat, vote: ViewVote, page: Page): Slot | undefined {
    if (vote.kind === 'prepare') return conflicting(page.commit[seat], vote)
    if (vote.kind === 'commit') {
      const prepare = conflicting(page.prepare[seat], vote)
      if (prepare !== undefined) return prepare
      if ((this.#skippedUpTo[seat] ?? 0) < vote.view) return undefined
    }
    const against = vote.kind === 'commit' ? 'skip' : 'commit'
    for (const other of this.#pages.values()) {
      const found = conflicting(other[against][seat], vote)
      if (found !== undefined) return found
    }
    return undefined
  }
}

function conflicting(slot: Slot | undefined, vote: ViewVote): Slot | undefined {
  return slot !== undefined && conflict(slot.vote, vote) ? slot : undefined
}

function present(row: Row): Slot[] {
  const slots: Slot[] = []
  for (const slot of row) if (slot !== undefined) slots.push(slot)
  return slots
}

function tallyOf(row: Row, counts: (vote: ViewVote) => boolean): Tally {
  const good: Slot[] = []
  const unchecked: Slot[] = []
  let checking = 0
  for (const slot of row) {
    if (slot === undefined || !counts(slot.vote)) continue
    if (slot.state === 'good') good.push(slot)
    else if (slot.state === 'unchecked') unchecked.push(slot)
    else checking += 1
  }
  return { good, unchecked, checking }
}
