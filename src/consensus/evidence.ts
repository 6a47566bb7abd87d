import type { Group } from './group.ts'
import { voteClaim } from './statements.ts'
import type { CastVote, Claim, Evidence } from './types.ts'
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
