import {
  type Block,
  type CastVote,
  type Digest,
  type Epoch,
  type Header,
  type Height,
  headerShape,
  type Message,
  type Proposal,
  payloadShape,
  requestBytes,
  type SignedRequest,
  type View,
  type Vote,
  voteBytes,
} from '../consensus/index.ts'
import type { Signer } from '../identity/types.ts'
import type { NodeId, Random } from '../kernel/index.ts'
import { encode } from '../wire/index.ts'
import { type Crypto, fakeSignature } from './fakes.ts'
import { operation } from './register.ts'
import type { Behaviour, Host, Sent } from './types.ts'
import { GROUP } from './world.ts'

/** What a lie is made with: the liar's own key, and the group's hash. */
type Liar = Pick<Host, 'signer' | 'crypto'>

/** A vote that the liar really signs. */
export function signed({ signer }: Pick<Liar, 'signer'>, vote: Vote): CastVote {
  return { vote, signature: signer.sign('consensus-vote', voteBytes(GROUP, vote)).signature }
}

/** A vote under another's name. Where keys are cheap ones the signature is even good: only the link tells who sends. */
export function forged(victim: NodeId, vote: Vote): CastVote {
  return { vote, signature: fakeSignature(victim, 'consensus-vote', voteBytes(GROUP, vote)) }
}

export function digestOf({ crypto }: Pick<Liar, 'crypto'>, block: Block): Digest {
  return crypto.hash(encode(headerShape, block.header))
}

/** The same block with other contents, its header in order again. */
export function altered(
  { crypto }: { readonly crypto: Pick<Crypto, 'hash'> },
  block: Block,
  change: Partial<Block>,
  header: Partial<Header> = {},
): Block {
  const body = { requests: change.requests ?? block.requests, evidence: change.evidence ?? block.evidence }
  const payload = crypto.hash(encode(payloadShape, body))
  return { header: { ...block.header, ...header, payload }, ...body }
}

/** A proposal with another block, signed by its sender. */
export function proposing(liar: Liar, proposal: Proposal, block: Block, change: Partial<Proposal> = {}): Proposal {
  const changed = { ...proposal, block, ...change }
  const { epoch, view } = changed
  const { signature } = signed(liar, { kind: 'prepare', epoch, view, digest: digestOf(liar, block) })
  return { ...changed, signature }
}

export function requestBy(signer: Signer, nonce: number, text: string, session = 1): SignedRequest {
  const request = { client: signer.node, session, nonce, floor: 0 as Height, operations: [operation(text)] }
  return { request, signature: signer.sign('consensus-request', requestBytes(GROUP, request)).signature }
}

/** A request of the liar's own, in a session that its member does not use. */
export function mine(host: Host, nonce: number): SignedRequest {
  return requestBy(host.signer, nonce, `w:x${nonce}`, 900)
}

export function someDigest(random: Random): Digest {
  return random.uint32().toString(16).padStart(8, '0').repeat(8) as Digest
}

export const others = (host: Host): readonly NodeId[] => host.core.members.filter((node) => node !== host.node)
export const toAll = (host: Host, message: Sent['message']): readonly Sent[] =>
  others(host).map((to) => ({ to, message }))
/** Half of the members, the same half for the whole run. */
export const inHalf = (host: Host, to: NodeId): boolean => (host.core.members.indexOf(to) + host.index) % 2 === 0
export const position = ({ core }: Host): { epoch: Epoch; view: View } => ({ epoch: core.epoch, view: core.view })

/** Changes proposals and leaves the rest alone. */
export function onProposal(
  name: string,
  change: (host: Host, to: NodeId, proposal: Proposal) => readonly Message[],
): Behaviour {
  return {
    name,
    sends: (host, to, message) =>
      message.kind === 'proposal'
        ? change(host, to, message).map((changed) => ({ to, message: changed }))
        : [{ to, message }],
  }
}

export function onVotes(
  name: string,
  change: (host: Host, to: NodeId, casts: readonly CastVote[]) => readonly CastVote[],
): Behaviour {
  return {
    name,
    sends: (host, to, message) => {
      if (message.kind !== 'votes') return [{ to, message }]
      const votes = change(host, to, message.votes)
      return votes.length === 0 ? [] : [{ to, message: { kind: 'votes', votes } }]
    },
  }
}

export function acting(name: string, everyMs: number, acts: (host: Host) => readonly Sent[]): Behaviour {
  return { name, everyMs, acts }
}
