import { err, type NodeId, ok, type Result } from '../kernel/index.ts'
import { list, record, type Shape } from '../wire/index.ts'
import { claimsOf, wellFormed } from './certificates.ts'
import { Group } from './group.ts'
import { leadingTo, ledTo } from './handovers.ts'
import { type HashFunction, Hashing } from './hashing.ts'
import { blockShape, checkpointCertificateShape, commitCertificateShape, headerShape } from './messages.ts'
import { RULES } from './rules.ts'
import type {
  Block,
  CheckpointCertificate,
  Claim,
  CommitCertificate,
  Decision,
  Digest,
  Epoch,
  GroupId,
  Header,
} from './types.ts'

/** Memberships a proof may lead through, and headers between a block and the certificate above it. */
const HANDOVERS_MAX = 131_072
const HEADERS_MAX = 4096

/** All that is needed to check one decision with only the genesis in hand (GOV-5). */
export interface DecisionProof {
  readonly block: Block
  /** Headers above the block, in order, up to the one that has the certificate; none if that is the block itself. */
  readonly headers: readonly Header[]
  readonly commit: CommitCertificate
  /** The checkpoints that lead from the first membership to the one that decided (B-32). */
  readonly handovers: readonly CheckpointCertificate[]
}

export const decisionProofShape: Shape<DecisionProof> = record({
  block: blockShape,
  headers: list(headerShape, HEADERS_MAX),
  commit: commitCertificateShape,
  handovers: list(checkpointCertificateShape, HANDOVERS_MAX),
})

/** What the founders of a group agreed on. */
export interface Founding {
  readonly group: GroupId
  readonly members: readonly NodeId[]
}

/** What a good proof shows. */
export interface Proven {
  readonly digest: Digest
  readonly epoch: Epoch
  readonly members: readonly NodeId[]
  /** Who signed the certificate that made it final. */
  readonly signers: readonly NodeId[]
}

/**
 * A proof of the first of some consecutive decisions, of which the last has a certificate of its own; undefined if none has, or
 * if these handovers do not lead to its epoch.
 */
export function proofOf(
  decisions: readonly Decision[],
  handovers: readonly CheckpointCertificate[],
): DecisionProof | undefined {
  const [first] = decisions
  const end = decisions.findIndex((decision) => decision.certificate.digest === decision.digest)
  const last = decisions[end]
  if (first === undefined || last === undefined) return undefined
  const headers = decisions.slice(1, end + 1).map((decision) => decision.block.header)
  return prove({ block: first.block, headers, commit: last.certificate }, handovers)
}

/** The same from what was kept of a decision. */
export function prove(
  decided: Omit<DecisionProof, 'handovers'>,
  handovers: readonly CheckpointCertificate[],
): DecisionProof | undefined {
  const { block, headers, commit } = decided
  const leading = leadingTo(commit.epoch, handovers)
  if (leading === undefined || leading.length > HANDOVERS_MAX) return undefined
  return { block, headers, commit, handovers: leading }
}

/** Checks a proof offline: the chain of memberships, the certificate, and that the block lies below it. */
export function verifyDecision(
  proof: DecisionProof,
  founding: Founding,
  hash: HashFunction,
  verify: (claim: Claim) => boolean,
): Result<Proven> {
  const hashing = Hashing.with(hash)
  let group = new Group(founding.group, 1 as Epoch, founding.members, RULES)
  for (const handover of proof.handovers) {
    const { epoch } = handover.vote
    const next = ledTo(handover, group, RULES)
    if (next === undefined) return err(`the handover of epoch ${epoch} is none of the members of epoch ${group.epoch}`)
    if (!claimsOf(handover, group).every(verify)) return err(`the handover of epoch ${epoch} has a bad signature`)
    group = next
  }
  const { block, commit } = proof
  if (block.header.group !== group.id || block.header.epoch !== group.epoch) return err('the block is of another epoch')
  if (block.header.payload !== hashing.payload(block)) return err('the block is not what its header says')
  let last = block.header
  for (const header of proof.headers) {
    if (header.parent !== hashing.header(last)) return err(`height ${header.height} does not stand on the one below`)
    last = header
  }
  if (commit.digest !== hashing.header(last)) return err('the certificate is for another block')
  if (!wellFormed(commit, group, RULES)) return err('the certificate is none')
  if (!claimsOf(commit, group).every(verify)) return err('the certificate has a bad signature')
  const signers = commit.signatures.flatMap(({ seat }) => group.memberAt(seat) ?? [])
  return ok({ digest: hashing.header(block.header), epoch: group.epoch, members: group.members, signers })
}
