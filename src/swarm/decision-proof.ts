import { contradictionIn, decisionProofShape, type HashFunction, verifyDecision } from '../consensus/index.ts'
import { decodeOperation, type Shown, shownOf } from '../council/index.ts'
import { certificateReader, decodeGenesis, verifyStatement } from '../identity/index.ts'
import { err, type NodeId, ok, type Result, type WallMillis } from '../kernel/index.ts'
import { decode } from '../wire/index.ts'
import { COUNCIL } from './council-desk.ts'

/** A decision's proof with the genesis it rests on, as bytes. */
export interface ProofParts {
  readonly genesis: Uint8Array
  readonly proof: Uint8Array
}

export interface VerifyOptions {
  /** Whose genesis is believed: its hash. */
  readonly swarm: string
  /** SHA-256, in lower-case hex. */
  readonly hash: (bytes: Uint8Array) => string
}

/** What a good proof shows: who decided, and what. */
export interface ProvenBlock {
  readonly height: number
  readonly epoch: number
  readonly at: WallMillis
  readonly members: readonly NodeId[]
  readonly signers: readonly NodeId[]
  /** In order. Undefined: no operation of a council, which changed nothing. */
  readonly operations: readonly { readonly proposer: NodeId; readonly act: Shown | undefined }[]
  /** Whom it convicts, and by which votes (GV-15). */
  readonly convictions: readonly { readonly node: NodeId; readonly votes: string }[]
}

/**
 * GOV-5: checks a decision from the genesis' hash alone, whoever handed it over. It shows what the council made final and in
 * what order; whether an operation took effect follows from those before it, and is not part of the proof.
 */
export function verifyProof({ genesis, proof }: ProofParts, options: VerifyOptions): Result<ProvenBlock> {
  const founding = decodeGenesis(genesis)
  if (!founding.ok) return err(founding.error.message)
  const { swarm } = founding.value
  if (swarm !== options.swarm) return err(`it is about the swarm ${swarm}, not ${options.swarm}`)
  const decoded = decode(decisionProofShape, proof)
  if (!decoded.ok) return err(`it holds no proof: ${decoded.error}`)
  // GOV-5: whoever founded the swarm named the first who decide.
  const founders = { group: COUNCIL, members: founding.value.genesis.validators.map(({ node }) => node) }
  const proven = verifyDecision(decoded.value, founders, options.hash as HashFunction, (claim) =>
    verifyStatement(claim.domain, swarm, claim.statement),
  )
  if (!proven.ok) return proven
  const { header, requests, evidence } = decoded.value.block
  const read = certificateReader(swarm)
  const operations = requests.flatMap(({ request }) =>
    request.operations.map((operation) => {
      const known = decodeOperation(operation)
      return { proposer: request.client, act: known.ok ? shownOf(known.value.act, read) : undefined }
    }),
  )
  const { epoch, members, signers } = proven.value
  const convictions = evidence.map((each) => ({ node: each.signer, votes: contradictionIn(each) }))
  return ok({ height: header.height, epoch, at: header.at, members, signers, operations, convictions })
}
