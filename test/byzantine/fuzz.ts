import {
  altered,
  type Behaviour,
  type Host,
  proposing,
  requestBy,
  signed,
  someDigest,
} from '../../src/byzantine/index.ts'
import type { Certificate, Digest, Epoch, Height, Message, Proposal, View, Vote } from '../../src/consensus/index.ts'
import type { Random } from '../../src/kernel/index.ts'
import { roundOf } from './scenario.ts'

/**
 * ByzzFuzz (Winter et al.): in a few chosen rounds, what a faulty member sends to a chosen part of the others is mutated;
 * small scope changes a field a little or to something seen before, any scope to anything.
 */
export function fuzzBehaviour(random: Random, rounds: number, anyScope: boolean): Behaviour {
  const plans = Array.from({ length: 1 + random.below(5) }, () => ({
    round: 1 + random.below(rounds),
    kind: random.pick(['votes', 'votes', 'proposal', 'certificates', 'any'] as const),
    receivers: random.uint32(),
    mutation: random.below(9),
    drops: random.chance(0.2),
  }))
  const seen: Digest[] = []
  let latest: Message | undefined
  return {
    name: 'fuzz',
    sends: (host, to, message) => {
      // Asked once for each receiver.
      if (message !== latest) remember(seen, message)
      latest = message
      const round = roundOf(host, message)
      const place = host.core.members.indexOf(to)
      for (const plan of plans) {
        const hits = plan.round === round && (plan.kind === 'any' || plan.kind === message.kind)
        if (!hits || ((plan.receivers >>> place) & 1) === 0) continue
        if (plan.drops) return []
        const pick = { mutation: plan.mutation, random: host.random, seen, anyScope }
        return [{ to, message: mutated(host, message, pick) }]
      }
      return [{ to, message }]
    },
  }
}

interface Pick {
  readonly mutation: number
  readonly random: Random
  readonly seen: readonly Digest[]
  readonly anyScope: boolean
}

function remember(seen: Digest[], message: Message): void {
  if (seen.length > 40) return
  if (message.kind === 'votes') {
    for (const { vote } of message.votes)
      if (vote.kind !== 'skip' && !seen.includes(vote.digest)) seen.push(vote.digest)
  }
}

function mutated(host: Host, message: Message, pick: Pick): Message {
  switch (message.kind) {
    case 'votes':
      return { kind: 'votes', votes: message.votes.map(({ vote }) => signed(host, mutatedVote(vote, pick))) }
    case 'proposal':
      return mutatedProposal(host, message, pick)
    case 'certificates':
      return { kind: 'certificates', certificates: message.certificates.map((c) => mutatedCertificate(c, pick)) }
    case 'status':
      return { ...message, height: shifted(message.height, pick) as Height, view: shifted(message.view, pick) as View }
    default:
      return message
  }
}

function shifted(value: number, { random, anyScope }: Pick): number {
  if (anyScope) return random.pick([0, 1, value + random.below(100), 2 ** 48, random.below(20)])
  return Math.max(0, value + random.pick([-1, 1]))
}

function digestFor({ random, seen, anyScope }: Pick): Digest {
  return anyScope || seen.length === 0 ? someDigest(random) : random.pick(seen)
}

function mutatedVote(vote: Vote, pick: Pick): Vote {
  if (vote.kind === 'checkpoint') {
    if (pick.mutation % 2 === 0) return { ...vote, root: digestFor(pick) }
    return { ...vote, members: vote.members.slice(1) }
  }
  const { epoch, view } = vote
  switch (pick.mutation) {
    case 0:
      return { ...vote, view: shifted(view, pick) as View }
    case 1:
      return { ...vote, epoch: shifted(epoch, pick) as Epoch }
    case 2:
      return { kind: 'skip', epoch, view, tip: Math.max(0, view - 1 - pick.random.below(3)) as View }
    case 3:
      return { kind: 'commit', epoch, view, digest: vote.kind === 'skip' ? digestFor(pick) : vote.digest }
    case 4:
      return { kind: 'prepare', epoch, view, digest: digestFor(pick) }
    default:
      return vote.kind === 'skip'
        ? { ...vote, tip: shifted(vote.tip, pick) as View }
        : { ...vote, digest: digestFor(pick) }
  }
}

function mutatedProposal(host: Host, proposal: Proposal, pick: Pick): Proposal {
  const { block } = proposal
  const { random } = pick
  switch (pick.mutation) {
    case 0:
      return proposing(
        host,
        proposal,
        altered(host, block, { requests: [requestBy(host.signer, 1 + random.below(9), 'w:fuzz', 902)] }),
      )
    case 1:
      return proposing(host, proposal, altered(host, block, {}, { parent: digestFor(pick) }))
    case 2:
      return proposing(
        host,
        proposal,
        altered(host, block, {}, { height: shifted(block.header.height, pick) as Height }),
      )
    case 3:
      return proposing(host, proposal, block, { view: shifted(proposal.view, pick) as View })
    case 4:
      return proposing(host, proposal, block, { skip: undefined, tip: undefined })
    case 5:
      return proposing(host, proposal, altered(host, block, {}, { boundary: !block.header.boundary }), {
        checkpoint: undefined,
      })
    case 6:
      return proposing(host, proposal, altered(host, block, { requests: block.requests.slice(1) }))
    default:
      return { ...proposal, signature: new Uint8Array(64) }
  }
}

function mutatedCertificate(certificate: Certificate, pick: Pick): Certificate {
  if (certificate.kind === 'skip') {
    if (pick.mutation % 3 === 0) return { ...certificate, votes: certificate.votes.slice(1) }
    if (pick.mutation % 3 === 1) return { ...certificate, tip: undefined }
    return {
      ...certificate,
      votes: certificate.votes.map((vote) => ({ ...vote, tip: shifted(vote.tip, pick) as View })),
    }
  }
  if (pick.mutation % 3 === 0) return { ...certificate, signatures: certificate.signatures.slice(1) }
  if (certificate.kind === 'checkpoint') return { ...certificate, vote: { ...certificate.vote, root: digestFor(pick) } }
  if (pick.mutation % 3 === 1) return { ...certificate, digest: digestFor(pick) }
  return { ...certificate, view: shifted(certificate.view, pick) as View }
}
