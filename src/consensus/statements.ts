import type { NodeId } from '../kernel/index.ts'
import { encode, record, type Statement, text } from '../wire/index.ts'
import { requestShape, voteShape } from './messages.ts'
import { GROUP_ID_BYTES_MAX } from './params.ts'
import type { CastVote, Claim, GroupId, SignedRequest, Vote } from './types.ts'

const signedVote = record({ group: text<GroupId>(GROUP_ID_BYTES_MAX), vote: voteShape })
const signedRequest = record({ group: text<GroupId>(GROUP_ID_BYTES_MAX), request: requestShape })

/** The bytes a member signs for a vote. The group is in them, so that a vote says nothing in another group. */
export function voteBytes(group: GroupId, vote: Vote): Uint8Array {
  const known = KNOWN.get(vote)
  if (known?.group === group) return known.bytes
  const bytes = encode(signedVote, { group, vote })
  KNOWN.set(vote, { group, bytes })
  return bytes
}

/** A certificate's signatures are all over the same vote. */
const KNOWN = new WeakMap<Vote, { readonly group: GroupId; readonly bytes: Uint8Array }>()

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
