import { err, type NodeId, ok, type Result } from '../kernel/index.ts'
import { list, record, type Shape } from '../wire/index.ts'
import { claimsOf, wellFormed } from './certificates.ts'
import { closes } from './checkpointing.ts'
import { Group } from './group.ts'
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

/** Epochs a proof may lead through, and headers between a block and the certificate above it. */
const HANDOVERS_MAX = 4096
const HEADERS_MAX = 4096

/** All that is needed to check one decision with only the genesis in hand (GOV-5). */
export interface DecisionProof {
  readonly block: Block
  /** Headers above the block, in order, up to the one that has the certificate; none if that is the block itself. */
  readonly headers: readonly Header[]
  readonly commit: CommitCertificate
  /** The checkpoints that closed the epochs before, from the first on. */
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

/** A proof of the first of some consecutive decisions, of which the last has a certificate of its own. */
export function proofOf(
  decisions: readonly Decision[],
  handovers: readonly CheckpointCertificate[],
): DecisionProof | undefined {
  const [first] = decisions
  const end = decisions.findIndex((decision) => decision.certificate.digest === decision.digest)
  const last = decisions[end]
  if (first === undefined || last === undefined) return undefined
  const headers = decisions.slice(1, end + 1).map((decision) => decision.block.header)
  const before = handovers.filter((handover) => handover.vote.epoch < last.certificate.epoch)
  return { block: first.block, headers, commit: last.certificate, handovers: before }
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
    if (!wellFormed(handover, group, RULES)) return err(`the handover of epoch ${group.epoch} is no certificate`)
    if (!claimsOf(handover, group).every(verify)) return err(`the handover of epoch ${group.epoch} has a bad signature`)
    if (!closes(handover, group)) return err(`the handover of epoch ${group.epoch} changes no membership`)
    group = group.successor(handover.vote.members)
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
