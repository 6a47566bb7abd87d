import type { CheckpointVote, Vote } from './types.ts'

/**
 * Whether no correct member could have signed both (B-8): two prepares or two commits of a view, a prepare and a commit
 * of a view with different digests, a commit in a view that a skip covers, two states at one height.
 */
export function conflict(a: Vote, b: Vote): boolean {
  if (a.epoch !== b.epoch) return false
  if (a.kind === 'checkpoint' || b.kind === 'checkpoint') {
    return a.kind === 'checkpoint' && b.kind === 'checkpoint' && a.height === b.height && !sameCheckpoint(a, b)
  }
  if (a.kind === 'skip' && b.kind === 'skip') return false
  if (a.kind === 'skip') return b.kind === 'commit' && a.tip < b.view && b.view <= a.view
  if (b.kind === 'skip') return a.kind === 'commit' && b.tip < a.view && a.view <= b.view
  return a.view === b.view && a.digest !== b.digest
}

export function sameCheckpoint(a: CheckpointVote, b: CheckpointVote): boolean {
  if (a === b) return true
  return (
    a.epoch === b.epoch &&
    a.height === b.height &&
    a.digest === b.digest &&
    a.root === b.root &&
    a.members.length === b.members.length &&
    a.members.every((node, i) => node === b.members[i])
  )
}

export function sameVote(a: Vote, b: Vote): boolean {
  if (a.kind === 'checkpoint' || b.kind === 'checkpoint') {
    return a.kind === 'checkpoint' && b.kind === 'checkpoint' && sameCheckpoint(a, b)
  }
  if (a.kind !== b.kind || a.epoch !== b.epoch || a.view !== b.view) return false
  if (a.kind === 'skip' || b.kind === 'skip') return a.kind === 'skip' && b.kind === 'skip' && a.tip === b.tip
  return a.digest === b.digest
}
