import type { NodeId } from '../kernel/index.ts'
import { encode, record, type Statement, text } from '../wire/index.ts'
import { requestShape, voteShape } from './messages.ts'
import { GROUP_ID_BYTES_MAX } from './params.ts'
import type { CastVote, Claim, GroupId, SignedRequest, Vote } from './types.ts'
import { sameVote } from './votes.ts'

const signedVote = record({ group: text<GroupId>(GROUP_ID_BYTES_MAX), vote: voteShape })
const signedRequest = record({ group: text<GroupId>(GROUP_ID_BYTES_MAX), request: requestShape })

interface Known {
  readonly group: GroupId
  readonly vote: Vote
  readonly bytes: Uint8Array
}

/** Places for votes met lately, a power of two: every vote for a block is the same statement, signed and verified again and again. */
const KNOWN_MAX = 256
const KNOWN: (Known | undefined)[] = new Array(KNOWN_MAX).fill(undefined)

/** Votes of one view or height lie side by side. By bits: a remainder of what may be large, as liars' views are, takes longer than all the rest. */
function placeOf(vote: Vote): number {
  if (vote.kind === 'prepare') return (vote.view << 2) & (KNOWN_MAX - 1)
  if (vote.kind === 'commit') return ((vote.view << 2) | 1) & (KNOWN_MAX - 1)
  return (vote.kind === 'skip' ? (vote.view << 2) | 2 : (vote.height << 2) | 3) & (KNOWN_MAX - 1)
}

/** The bytes a member signs for a vote. The group is in them, so that a vote says nothing in another group. */
export function voteBytes(group: GroupId, vote: Vote): Uint8Array {
  const place = placeOf(vote)
  const known = KNOWN[place]
  if (known !== undefined && known.group === group && sameVote(known.vote, vote)) return known.bytes
  const bytes = encode(signedVote, { group, vote })
  KNOWN[place] = { group, vote, bytes }
  return bytes
}

export function requestBytes(group: GroupId, request: SignedRequest['request']): Uint8Array {
  return encode(signedRequest, { group, request })
}

export function voteClaim(group: GroupId, signer: NodeId, cast: CastVote): Claim {
  return { domain: 'consensus-vote', statement: statementOf(signer, voteBytes(group, cast.vote), cast.signature) }
}

export function requestClaim(group: GroupId, signed: SignedRequest): Claim {
  const bytes = requestBytes(group, signed.request)
  return { domain: 'consensus-request', statement: statementOf(signed.request.client, bytes, signed.signature) }
}

function statementOf(signer: NodeId, bytes: Uint8Array, signature: Uint8Array): Statement {
  return { signer, bytes, signature }
}
