import type { NodeId } from '../kernel/index.ts'
import type { Group } from './group.ts'
import type { Rules } from './rules.ts'
import { voteClaim } from './statements.ts'
import type {
  CastVote,
  Certificate,
  Claim,
  CommitCertificate,
  PrepareCertificate,
  Seat,
  SeatSignature,
  SkipCertificate,
  View,
  Vote,
} from './types.ts'

/** The view above which a skip certificate's signers promise not to have committed. */
export function highestTip(certificate: SkipCertificate): View {
  let tip = 0
  for (const vote of certificate.votes) if (vote.tip > tip) tip = vote.tip
  return tip as View
}

/** The votes a certificate is made of, with their seats. */
export function votesOf(certificate: Certificate): readonly { readonly seat: Seat; readonly cast: CastVote }[] {
  if (certificate.kind === 'skip') {
    const { epoch, view } = certificate
    return certificate.votes.map(({ seat, tip, signature }) => {
      const vote: Vote = { kind: 'skip', epoch, view, tip }
      return { seat, cast: { vote, signature } }
    })
  }
  const vote: Vote =
    certificate.kind === 'checkpoint'
      ? certificate.vote
      : { kind: certificate.kind, epoch: certificate.epoch, view: certificate.view, digest: certificate.digest }
  return certificate.signatures.map(({ seat, signature }) => ({ seat, cast: { vote, signature } }))
}

/** Whether a certificate has the form of one of this group's: q distinct seats, and a skip shows its tip (B-3, B-16). */
export function wellFormed(certificate: Certificate, group: Group, rules: Rules): boolean {
  const epoch = certificate.kind === 'checkpoint' ? certificate.vote.epoch : certificate.epoch
  if (!rules.sameEpoch(epoch, group.epoch)) return false
  const signed: readonly { readonly seat: Seat }[] =
    certificate.kind === 'skip' ? certificate.votes : certificate.signatures
  if (signed.length !== group.q || rules.distinct(signed.map((entry) => entry.seat)) < group.q) return false
  if (signed.some((entry) => entry.seat >= group.size)) return false
  if (certificate.kind === 'prepare' || certificate.kind === 'commit') return certificate.view > 0
  if (certificate.kind === 'checkpoint') return certificate.vote.members.length > 0
  const tip = highestTip(certificate)
  if (tip >= certificate.view || certificate.view === 0) return false
  // A higher certificate shows more than is asked: the next block then stands on that one.
  if (certificate.tip === undefined) return tip === 0
  return (
    certificate.tip.view >= tip && certificate.tip.view < certificate.view && wellFormed(certificate.tip, group, rules)
  )
}

/** The signatures of a well-formed certificate, those of a skip's tip included. */
export function claimsOf(certificate: Certificate, group: Group): readonly Claim[] {
  const claims = votesOf(certificate).map(({ seat, cast }) => voteClaim(group.id, group.members[seat] as NodeId, cast))
  if (certificate.kind !== 'skip' || certificate.tip === undefined) return claims
  return [...claims, ...claimsOf(certificate.tip, group)]
}

/** A prepare or commit certificate from votes found good. */
export function assemble<K extends 'prepare' | 'commit'>(
  kind: K,
  about: Pick<PrepareCertificate, 'epoch' | 'view' | 'digest'>,
  signatures: readonly SeatSignature[],
): K extends 'prepare' ? PrepareCertificate : CommitCertificate {
  const { epoch, view, digest } = about
  const entries = signatures.map(({ seat, signature }) => ({ seat, signature }))
  return { kind, epoch, view, digest, signatures: entries } as never
}
