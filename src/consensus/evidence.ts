import type { Group } from './group.ts'
import { voteClaim } from './statements.ts'
import type { CastVote, Claim, Evidence, Vote } from './types.ts'
import { conflict } from './votes.ts'

/** The signatures that evidence stands on, or undefined if the votes do not contradict each other. Anyone can check. */
export function evidenceClaims(group: Pick<Group, 'id'>, evidence: Evidence): readonly Claim[] | undefined {
  if (!conflict(evidence.first.vote, evidence.second.vote)) return undefined
  return [voteClaim(group.id, evidence.signer, evidence.first), voteClaim(group.id, evidence.signer, evidence.second)]
}

/** Evidence of one seat against itself, if the two votes contradict each other. Holds copies: evidence outlives ledgers. */
export function evidenceOf(group: Group, seat: number, a: CastVote, b: CastVote): Evidence | undefined {
  const signer = group.members[seat]
  if (signer === undefined || !conflict(a.vote, b.vote)) return undefined
  return {
    signer,
    first: { vote: a.vote, signature: a.signature },
    second: { vote: b.vote, signature: b.signature },
  }
}

/** What the two votes say, for people. */
export function contradictionIn({ first, second }: Evidence): string {
  return `${inShort(first.vote)} and ${inShort(second.vote)}`
}

function inShort(vote: Vote): string {
  switch (vote.kind) {
    case 'skip':
      return `skip of views ${vote.tip + 1} to ${vote.view}`
    case 'checkpoint':
      return `state ${vote.root.slice(0, 8)} at height ${vote.height}`
    default:
      return `${vote.kind} of ${vote.digest.slice(0, 8)} in view ${vote.view}`
  }
}
