import { after, type Millis, NEVER, type WallMillis } from '../kernel/index.ts'
import { type Chain, onto, segmentWith } from './chain.ts'
import type { Context } from './context.ts'
import type { Execution } from './execution.ts'
import { EVIDENCE_PER_BLOCK_MAX } from './params.ts'
import type { RequestPool } from './pool.ts'
import type { Ground } from './rules.ts'
import type { Block, CheckpointCertificate, Digest, Evidence, Header, Height, Proposal } from './types.ts'
import type { Voting } from './voting.ts'

/** What making a proposal needs from elsewhere. */
export interface ProposingEvents {
  boundary(height: Height): 'open' | 'stable' | 'closed'
  checkpoint(): CheckpointCertificate | undefined
  /** Evidence against members that are still seated and not convicted. */
  evidence(): readonly Evidence[]
  onMissing(digest: Digest): void
  abstains(): boolean
}

/** The primary's part (B-17): a new block on the tip as soon as there is something to decide, or the tip again. */
export class Proposing {
  readonly #context: Context
  readonly #events: ProposingEvents
  readonly #voting: Voting
  readonly #chain: Chain
  readonly #execution: Execution
  readonly #pool: RequestPool
  #proposed: Proposal | undefined

  constructor(
    context: Context,
    events: ProposingEvents,
    desks: {
      readonly voting: Voting
      readonly chain: Chain
      readonly execution: Execution
      readonly pool: RequestPool
    },
  ) {
    this.#context = context
    this.#events = events
    this.#voting = desks.voting
    this.#chain = desks.chain
    this.#execution = desks.execution
    this.#pool = desks.pool
  }

  /** Our proposal in the current view, to be sent again. */
  get current(): Proposal | undefined {
    return this.#proposed?.view === this.#voting.view ? this.#proposed : undefined
  }

  #isMyTurn(): boolean {
    const { view, ballot } = this.#voting
    return this.#context.seat === this.#voting.primary && ballot.own.prepared < view && !this.#events.abstains()
  }

  /** Proposes if it is our turn and there is reason to. */
  consider(): void {
    if (!this.#isMyTurn()) return
    const { tip } = this.#voting
    const path = this.#chain.path(tip.digest)
    if (path.kind === 'missing') {
      this.#events.onMissing(path.digest)
      return
    }
    if (path.kind !== 'known') return
    const ground = path.entries.reduce(onto, this.#chain.head)
    const settled = this.#context.rules.needsCheckpoint(ground) ? this.#events.boundary(ground.header.height) : 'stable'
    if (settled === 'closed') return
    if (settled === 'stable') {
      const block = this.#newBlock(ground, path.entries)
      if (block !== undefined) {
        this.#propose(block, ground)
        return
      }
    }
    const last = path.entries.at(-1)
    if (last !== undefined && this.#context.now >= this.#againAt()) this.#propose(last.block, ground)
  }

  /** When an idle primary stops waiting for the tip's commits. */
  #againAt(): Millis {
    return after(this.#voting.enteredAt, this.#voting.pace.commitWaitMs())
  }

  deadline(): Millis {
    if (!this.#isMyTurn() || this.tipFinal) return NEVER
    const at = this.#againAt()
    return at > this.#context.now ? at : NEVER
  }

  #newBlock(ground: Ground, below: Parameters<RequestPool['select']>[0]): Block | undefined {
    const { group, hashing, params, rules, self, wall } = this.#context
    const height = (ground.header.height + 1) as Height
    const requests = this.#pool.select(below, (request) => this.#execution.judge(request, height) === undefined)
    const isIncluded = ({ signer }: Evidence): boolean =>
      below.some(({ block }) => block.evidence.some((other) => other.signer === signer))
    const evidence = this.#events
      .evidence()
      .filter((each) => !isIncluded(each))
      .slice(0, EVIDENCE_PER_BLOCK_MAX)
    // A change of membership waits for a checkpoint, so the segment ends here if it is known to be due (B-24).
    const changes = this.#execution.membersChange(group)
    if (requests.length === 0 && evidence.length === 0 && !changes) return undefined
    const body = { requests, evidence }
    const { segmentBlocks, segmentBytes } = segmentWith(ground, this.#chain.weight(body))
    const limits = { blocks: params.segmentBlocksMax, bytes: params.segmentBytes }
    const header: Header = {
      group: group.id,
      epoch: group.epoch,
      height,
      parent: ground.digest,
      proposer: self,
      at: Math.max(ground.header.at, wall ?? 0) as WallMillis,
      boundary: changes || evidence.length > 0 || rules.mustEnd(segmentBlocks, segmentBytes, limits),
      payload: hashing.payload(body),
    }
    return { header, ...body }
  }

  #propose(block: Block, ground: Ground): void {
    const { view, tip, skip, ballot } = this.#voting
    const entry = this.#chain.add(block)
    const vote = ballot.prepare(view, entry.digest)
    if (vote === undefined) return
    const cast = this.#context.sign(vote)
    const needsCheckpoint = ground.header.boundary && ground.header.height > 0 && entry.digest !== ground.digest
    const proposal: Proposal = {
      kind: 'proposal',
      epoch: this.#context.group.epoch,
      view,
      block,
      tip: tip.certificate,
      skip,
      checkpoint: needsCheckpoint ? this.#events.checkpoint() : undefined,
      signature: cast.signature,
    }
    this.#proposed = proposal
    this.#context.logged.add(entry.digest)
    this.#context.persist({ kind: 'proposal', proposal })
    this.#voting.castAs(cast)
    this.#context.broadcast(proposal)
  }

  /** Whether the tip, which every decision waits for, is final. */
  get tipFinal(): boolean {
    return this.#chain.isFinal(this.#voting.tip.digest)
  }
}
