import type { Digest, Vote } from '../../src/consensus/index.ts'

type CheckpointVote = Extract<Vote, { readonly kind: 'checkpoint' }>

/** A view's votes of one kind of one signer. */
interface InView {
  readonly epoch: number
  readonly view: number
  readonly digests: Digest[]
}

export interface Skipped {
  readonly epoch: number
  readonly view: number
  readonly tips: number[]
}

/** Names a view. Numbers are quick keys; what only a liar would say becomes a text. */
export type Place = number | string

export function placeOf(epoch: number, view: number): Place {
  return epoch < 2 ** 10 && view < 2 ** 20 ? epoch * 2 ** 20 + view : `${epoch} ${view}`
}

/** All that one signer has signed: what contradicts what is worked out here, without the code that is checked. */
export class Signed {
  readonly prepares = new Map<Place, InView>()
  readonly commits = new Map<Place, InView>()
  readonly skips = new Map<Place, Skipped>()
  readonly #checkpoints = new Map<number, CheckpointVote[]>()

  note(vote: Vote): void {
    if (vote.kind === 'checkpoint') {
      const states = this.#checkpoints.get(vote.height)
      if (states === undefined) this.#checkpoints.set(vote.height, [vote])
      else if (!states.some((state) => isSameState(state, vote))) states.push(vote)
      return
    }
    const { epoch, view } = vote
    const place = placeOf(epoch, view)
    if (vote.kind === 'skip') {
      const skip = this.skips.get(place)
      if (skip === undefined) this.skips.set(place, { epoch, view, tips: [vote.tip] })
      else addTo(skip.tips, vote.tip)
      return
    }
    const table = vote.kind === 'prepare' ? this.prepares : this.commits
    const known = table.get(place)
    if (known === undefined) table.set(place, { epoch, view, digests: [vote.digest] })
    else addTo(known.digests, vote.digest)
  }

  has(vote: Vote): boolean {
    if (vote.kind === 'checkpoint') {
      return this.#checkpoints.get(vote.height)?.some((state) => isSameState(state, vote)) === true
    }
    const place = placeOf(vote.epoch, vote.view)
    if (vote.kind === 'skip') return this.skips.get(place)?.tips.includes(vote.tip) === true
    const table = vote.kind === 'prepare' ? this.prepares : this.commits
    return table.get(place)?.digests.includes(vote.digest) === true
  }

  /** Votes that no correct member could all have signed. */
  contradictions(): readonly string[] {
    const found: string[] = []
    for (const { epoch, view, digests } of this.prepares.values()) {
      if (digests.length > 1) found.push(`two prepares in ${epoch} ${view}`)
    }
    for (const [place, { epoch, view, digests }] of this.commits) {
      if (digests.length > 1) found.push(`two commits in ${epoch} ${view}`)
      const prepared = this.prepares.get(place)?.digests
      if (prepared?.some((other) => digests.some((digest) => digest !== other))) {
        found.push(`a prepare and another commit in ${epoch} ${view}`)
      }
      for (const skip of this.skips.values()) {
        if (covers(skip, epoch, view)) found.push(`a commit in ${epoch} ${view} and a skip of ${skip.view}`)
      }
    }
    for (const [height, states] of this.#checkpoints) if (states.length > 1) found.push(`two states at ${height}`)
    return found
  }
}

/** Whether a signer has promised, by one of the skips of this view, not to have committed in that one. */
export function covers(skip: Skipped, epoch: number, view: number): boolean {
  return skip.view >= view && skip.epoch === epoch && skip.tips.some((tip) => tip < view)
}

function addTo<T>(values: T[], value: T): void {
  if (!values.includes(value)) values.push(value)
}

/** Whether two votes for one height are the same. */
export function isSameState(a: CheckpointVote, b: CheckpointVote): boolean {
  if (a === b) return true
  const about = a.epoch === b.epoch && a.height === b.height && a.digest === b.digest && a.root === b.root
  return about && a.members.length === b.members.length && a.members.every((node, i) => node === b.members[i])
}

export function voteKey(vote: Vote): string {
  switch (vote.kind) {
    case 'skip':
      return `skip ${vote.epoch} ${vote.view} ${vote.tip}`
    case 'checkpoint':
      return `checkpoint ${vote.epoch} ${vote.height} ${vote.digest} ${vote.root} ${vote.members.join(' ')}`
    default:
      return `${vote.kind} ${vote.epoch} ${vote.view} ${vote.digest}`
  }
}
