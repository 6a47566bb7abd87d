import { bytes, CHUNK_BYTES_MAX, count, flag, only, record, type Shape, variant } from '../wire/index.ts'
import { blockShape, castVoteShape, certificateShape, checkpointCertificateShape, proposalFields } from './messages.ts'
import { CHUNKS_MAX } from './params.ts'
import type { Block, CastVote, Certificate, CheckpointCertificate, Epoch, Proposal, View } from './types.ts'

/**
 * What a member writes to its log. Read back in order they give the member it was: what it may still sign, the blocks
 * it answers for, and the state from the last stable checkpoint on.
 */
export type LogRecord =
  /** Own vote. Precedes its sending (B-19). */
  | { readonly kind: 'vote'; readonly cast: CastVote }
  /** The proposal that the next prepare is for: the block must outlive a crash of everyone. */
  | { readonly kind: 'proposal'; readonly proposal: Proposal }
  /** A prepare certificate (precedes the commit), or what finalised a block. */
  | { readonly kind: 'certificate'; readonly certificate: Certificate }
  /** A block learned as final without having prepared it. */
  | { readonly kind: 'block'; readonly block: Block }
  /** The checkpoint that closed an epoch: the chain of memberships since the genesis. */
  | { readonly kind: 'handover'; readonly checkpoint: CheckpointCertificate }
  /** The state that all later records stand on; its pieces follow. */
  | { readonly kind: 'snapshot'; readonly checkpoint: CheckpointCertificate; readonly chunks: number }
  | { readonly kind: 'chunk'; readonly bytes: Uint8Array }
  /** The log may be damaged or old; until `cleared` this member abstains (B-20); `entirely`: in later epochs too. */
  | { readonly kind: 'suspect' }
  | { readonly kind: 'cleared'; readonly epoch: Epoch; readonly view: View; readonly entirely: boolean }

export const logRecordShape: Shape<LogRecord> = variant({
  vote: record({ cast: castVoteShape }),
  proposal: record({ proposal: only('proposal', proposalFields) }),
  certificate: record({ certificate: certificateShape }),
  block: record({ block: blockShape }),
  handover: record({ checkpoint: checkpointCertificateShape }),
  snapshot: record({ checkpoint: checkpointCertificateShape, chunks: count(CHUNKS_MAX) }),
  chunk: record({ bytes: bytes(CHUNK_BYTES_MAX) }),
  suspect: record({}),
  cleared: record({ epoch: count<Epoch>(), view: count<View>(), entirely: flag }),
})
