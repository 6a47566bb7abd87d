import {
  blockShape,
  type CastVote,
  type CheckpointCertificate,
  type Digest,
  type GroupId,
  type HashFunction,
  type Header,
  headerShape,
  payloadShape,
  type SeatSignature,
  type SignedRequest,
  type Vote,
} from '../../src/consensus/index.ts'
import { requestShape, voteShape } from '../../src/consensus/messages.ts'
import type { Verifier } from '../../src/identity/types.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import type { Decided } from '../../src/swarm/index.ts'
import { encode, record, text } from '../../src/wire/index.ts'

// The shapes of what is signed are those of the wire, so that the same bytes are looked at; thresholds, seats and
// descent are worked out here anew.
const signedVote = record({ group: text(64), vote: voteShape })
const signedRequest = record({ group: text(64), request: requestShape })

export const faults = (members: number): number => Math.floor((members - 1) / 3)
export const needed = (members: number): number => Math.floor((members + faults(members)) / 2) + 1

/** What can be checked of one group from its founders alone: a second reading of what certificates must hold (B-3, B-24). */
export class GroupProofs {
  readonly #group: GroupId
  readonly #genesis: Digest
  readonly #hash: HashFunction
  readonly #verifier: Pick<Verifier, 'verify'>
  readonly #members = new Map<number, readonly NodeId[]>()
  readonly #believed = new Set<string>()

  constructor(
    group: { readonly id: GroupId; readonly genesis: Digest; readonly founders: readonly NodeId[] },
    hash: HashFunction,
    verifier: Pick<Verifier, 'verify'>,
  ) {
    this.#group = group.id
    this.#genesis = group.genesis
    this.#hash = hash
    this.#verifier = verifier
    this.#members.set(1, [...group.founders].sort())
  }

  get epoch(): number {
    return this.#members.size
  }

  /** Sorted, by seat; undefined as long as nobody has shown that the epoch began. */
  membersOf(epoch: number): readonly NodeId[] | undefined {
    return this.#members.get(epoch)
  }

  digestOf(header: Header): Digest {
    return this.#hash(encode(headerShape, header))
  }

  /** The checkpoints that closed the epochs so far, as some node holds them. What is wrong with them, if anything. */
  learn(handovers: readonly CheckpointCertificate[]): string | undefined {
    for (const [i, { vote, signatures }] of handovers.entries()) {
      const epoch = i + 1
      const members = this.#members.get(epoch)
      if (vote.epoch !== epoch || members === undefined) return `handover ${i} is of epoch ${vote.epoch}`
      const known = this.#members.get(epoch + 1)
      if (known !== undefined) {
        if (known.join() !== vote.members.join()) return `two memberships of epoch ${epoch + 1} (B-7)`
        continue
      }
      const fault = this.#faultOf(epoch, vote, signatures)
      if (fault !== undefined) return `the handover of epoch ${epoch} ${fault}`
      const come = vote.members.filter((node) => !members.includes(node)).length
      const differ = come + members.filter((node) => !vote.members.includes(node)).length
      const differMax = members.length === 1 && come === 2 ? 2 : Math.max(1, faults(members.length))
      if (differ > differMax) return `epoch ${epoch + 1} differs by ${differ} members (B-24)`
      this.#members.set(epoch + 1, vote.members)
    }
    return undefined
  }

  /** What is wrong with a decision as a node holds it; undefined if it proves itself. */
  faultOf({ block, headers, commit }: Decided): string | undefined {
    const { header, requests, evidence } = block
    if (header.group !== this.#group) return `is of the group ${header.group}`
    if (this.#hash(encode(payloadShape, { requests, evidence })) !== header.payload) return 'does not have its payload'
    if (header.height === 1 && header.parent !== this.#genesis) return 'stands on another genesis'
    let digest = this.digestOf(header)
    let { height } = header
    for (const above of headers) {
      if (above.parent !== digest || above.height !== height + 1) return `is not below height ${above.height}`
      digest = this.digestOf(above)
      height = above.height
    }
    if (commit.digest !== digest) return 'is not what its certificate is about'
    for (const signed of requests) {
      if (!this.#isOfItsClient(signed)) return `holds a request that ${signed.request.client} has not signed`
    }
    const vote: Vote = { kind: 'commit', epoch: commit.epoch, view: commit.view, digest: commit.digest }
    return this.#faultOf(commit.epoch, vote, commit.signatures)
  }

  /** Whether a vote is of this node. */
  isOf(signer: NodeId, { vote, signature }: CastVote): boolean {
    const bytes = encode(signedVote, { group: this.#group, vote })
    return this.#verifier.verify('consensus-vote', { signer, bytes, signature })
  }

  /** Bytes of a block, for comparing. */
  bytesOf({ block }: Decided): Uint8Array {
    return encode(blockShape, block)
  }

  #isOfItsClient({ request, signature }: SignedRequest): boolean {
    const bytes = encode(signedRequest, { group: this.#group, request })
    return this.#verifier.verify('consensus-request', { signer: request.client, bytes, signature })
  }

  #faultOf(epoch: number, vote: Vote, signatures: readonly SeatSignature[]): string | undefined {
    const members = this.#members.get(epoch)
    if (members === undefined) return `is of epoch ${epoch}, which nobody has shown to have begun`
    const bytes = encode(signedVote, { group: this.#group, vote })
    const key = `${this.#hash(bytes)} ${signatures.map(({ seat }) => seat).join(' ')}`
    if (this.#believed.has(key)) return undefined
    const signers = new Set<NodeId>()
    for (const { seat, signature } of signatures) {
      const signer = members[seat]
      if (signer === undefined) return `names seat ${seat} of ${members.length}`
      if (!this.#verifier.verify('consensus-vote', { signer, bytes, signature })) return `has a bad vote of ${signer}`
      signers.add(signer)
    }
    if (signers.size < needed(members.length)) return `has ${signers.size} votes of ${members.length} members (B-3)`
    this.#believed.add(key)
    return undefined
  }
}
