import type { NodeId } from '../kernel/index.ts'
import {
  bytes,
  CHUNK_BYTES_MAX,
  count,
  fixedBytes,
  flag,
  hex,
  list,
  type MessageKind,
  nodeId,
  OPERATION_BYTES_MAX,
  only,
  optional,
  record,
  type Shape,
  SIGNATURE_BYTES,
  text,
  u8,
  variant,
} from '../wire/index.ts'
import {
  BLOCK_BYTES_MAX,
  BLOCKS_PER_MESSAGE_MAX,
  CERTIFICATES_PER_MESSAGE_MAX,
  CHECKPOINTS_PER_MESSAGE_MAX,
  CHUNKS_MAX,
  EVIDENCE_PER_BLOCK_MAX,
  GROUP_ID_BYTES_MAX,
  MEMBERS_MAX,
  OPERATIONS_PER_REQUEST_MAX,
  REQUESTS_PER_BLOCK_MAX,
  VOTES_PER_MESSAGE_MAX,
} from './params.ts'
import type {
  Block,
  CastVote,
  Certificate,
  CheckpointCertificate,
  CheckpointVote,
  CommitCertificate,
  Digest,
  Epoch,
  Evidence,
  GroupId,
  Header,
  Height,
  Message,
  Request,
  Seat,
  SignedRequest,
  SkipCertificate,
  TipCertificate,
  View,
  Vote,
  Want,
} from './types.ts'

export const digestShape: Shape<Digest> = hex<Digest>(32)

const epoch = count<Epoch>()
const view = count<View>()
const height = count<Height>()
const seat = u8 as Shape<Seat>
const signature = fixedBytes(SIGNATURE_BYTES)
export const groupId = text<GroupId>(GROUP_ID_BYTES_MAX)
const members: Shape<readonly NodeId[]> = list(nodeId, MEMBERS_MAX)

const checkpointFields = { epoch, height, digest: digestShape, root: digestShape, members }

export const voteShape: Shape<Vote> = variant({
  prepare: record({ epoch, view, digest: digestShape }),
  commit: record({ epoch, view, digest: digestShape }),
  skip: record({ epoch, view, tip: view }),
  checkpoint: record(checkpointFields),
})

const checkpointVote: Shape<CheckpointVote> = only('checkpoint', record(checkpointFields))

export const castVoteShape: Shape<CastVote> = record({ vote: voteShape, signature })

const seatSignatures = list(record({ seat, signature }), MEMBERS_MAX)
const certified = record({ epoch, view, digest: digestShape, signatures: seatSignatures })

export const commitCertificateShape: Shape<CommitCertificate> = only('commit', certified)

const tipShape: Shape<TipCertificate> = variant({ prepare: certified, commit: certified })

const skipFields = record({
  epoch,
  view,
  votes: list(record({ seat, tip: view, signature }), MEMBERS_MAX),
  tip: optional(tipShape),
})

const skipCertificateShape: Shape<SkipCertificate> = only('skip', skipFields)

const checkpointFieldsSigned = record({ vote: checkpointVote, signatures: seatSignatures })

export const checkpointCertificateShape: Shape<CheckpointCertificate> = only('checkpoint', checkpointFieldsSigned)

export const certificateShape: Shape<Certificate> = variant({
  prepare: certified,
  commit: certified,
  skip: skipFields,
  checkpoint: checkpointFieldsSigned,
})

export const requestShape: Shape<Request> = record({
  client: nodeId,
  session: count(),
  nonce: count(),
  floor: height,
  operations: list(bytes(OPERATION_BYTES_MAX), OPERATIONS_PER_REQUEST_MAX),
})

export const signedRequestShape: Shape<SignedRequest> = record({ request: requestShape, signature })

export const evidenceShape: Shape<Evidence> = record({ signer: nodeId, first: castVoteShape, second: castVoteShape })

export const headerShape: Shape<Header> = record({
  group: groupId,
  epoch,
  height,
  parent: digestShape,
  proposer: nodeId,
  at: count(),
  boundary: flag,
  payload: digestShape,
}) as Shape<Header>

/** What a header's `payload` is the hash of. */
export const payloadShape: Shape<Pick<Block, 'requests' | 'evidence'>> = record({
  requests: list(signedRequestShape, REQUESTS_PER_BLOCK_MAX),
  evidence: list(evidenceShape, EVIDENCE_PER_BLOCK_MAX),
})

export const blockShape: Shape<Block> = record({
  header: headerShape,
  requests: list(signedRequestShape, REQUESTS_PER_BLOCK_MAX),
  evidence: list(evidenceShape, EVIDENCE_PER_BLOCK_MAX),
})

export const proposalFields = record({
  epoch,
  view,
  block: blockShape,
  tip: optional(tipShape),
  skip: optional(skipCertificateShape),
  checkpoint: optional(checkpointCertificateShape),
  signature,
})

const wantShape: Shape<Want> = variant({
  blocks: record({ epoch, after: height }),
  block: record({ digest: digestShape }),
  standing: record({}),
  manifest: record({ height }),
  chunk: record({ height, index: count(CHUNKS_MAX) }),
})

const requestBody = record({ requests: list(signedRequestShape, REQUESTS_PER_BLOCK_MAX) })
const votesBody = record({ votes: list(castVoteShape, VOTES_PER_MESSAGE_MAX) })
const certificatesBody = record({ certificates: list(certificateShape, CERTIFICATES_PER_MESSAGE_MAX) })
const statusBody = record({ epoch, view, height })
const fetchBody = record({ want: wantShape })
const blockBody = record({ block: blockShape })
const blocksBody = record({
  blocks: list(blockShape, BLOCKS_PER_MESSAGE_MAX),
  commit: optional(commitCertificateShape),
  checkpoints: list(checkpointCertificateShape, CHECKPOINTS_PER_MESSAGE_MAX),
})
const manifestBody = record({ height, chunks: list(digestShape, CHUNKS_MAX) })
const chunkBody = record({ height, index: count(CHUNKS_MAX), bytes: bytes(CHUNK_BYTES_MAX) })
const evidenceBody = record({ evidence: evidenceShape })
const standingBody = record({ epoch, view, certificates: list(certificateShape, CERTIFICATES_PER_MESSAGE_MAX) })

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>
/** A message as it travels: several groups share a link. */
export interface Addressed<M = Message> {
  readonly group: GroupId
  readonly message: M
}

function addressed<M>(message: Shape<M>): Shape<Addressed<M>> {
  return record({ group: groupId, message }) as Shape<Addressed<M>>
}

/** The body of every message kind of this module; `src/swarm/codec.ts` lists them. */
export const CONSENSUS_BODIES = {
  'consensus.request': addressed<Of<'request'>>(variant({ request: requestBody })),
  'consensus.proposal': addressed<Of<'proposal'>>(variant({ proposal: proposalFields })),
  'consensus.vote': addressed<Of<'votes'>>(variant({ votes: votesBody })),
  'consensus.certificate': addressed<Of<'certificates' | 'standing'>>(
    variant({ certificates: certificatesBody, standing: standingBody }),
  ),
  'consensus.status': addressed<Of<'status'>>(variant({ status: statusBody })),
  'consensus.fetch': addressed<Of<'fetch'>>(variant({ fetch: fetchBody })),
  'consensus.blocks': addressed<Of<'block' | 'blocks'>>(variant({ block: blockBody, blocks: blocksBody })),
  'consensus.snapshot': addressed<Of<'manifest' | 'chunk'>>(variant({ manifest: manifestBody, chunk: chunkBody })),
  'consensus.evidence': addressed<Of<'evidence'>>(variant({ evidence: evidenceBody })),
  'consensus.announce': addressed<Of<'status'>>(variant({ status: statusBody })),
} as const satisfies { readonly [K in MessageKind]?: unknown }

/** Which kind carries a message over a link. */
export const KIND_OF_MESSAGE: { readonly [K in Message['kind']]: keyof typeof CONSENSUS_BODIES } = {
  request: 'consensus.request',
  proposal: 'consensus.proposal',
  votes: 'consensus.vote',
  certificates: 'consensus.certificate',
  standing: 'consensus.certificate',
  status: 'consensus.status',
  fetch: 'consensus.fetch',
  block: 'consensus.blocks',
  blocks: 'consensus.blocks',
  manifest: 'consensus.snapshot',
  chunk: 'consensus.snapshot',
  evidence: 'consensus.evidence',
}

/** Payload bytes that a block may take. */
export const PAYLOAD_BYTES_MAX = BLOCK_BYTES_MAX
