import type { NodeId } from '../kernel/index.ts'
import { claimsOf, highestTip, wellFormed } from './certificates.ts'
import { type Chain, type Entry, onto } from './chain.ts'
import type { Context } from './context.ts'
import { evidenceClaims } from './evidence.ts'
import type { Execution } from './execution.ts'
import { PAYLOAD_BYTES_MAX } from './messages.ts'
import { OPERATIONS_PER_BLOCK_MAX } from './params.ts'
import { keysIn, operationsIn, type RequestPool, requestKey } from './pool.ts'
import { requestClaim, voteClaim } from './statements.ts'
import type { CastVote, Certificate, Claim, Digest, Height, Proposal, Request, Seat } from './types.ts'
import type { Voting } from './voting.ts'

/** What judging a proposal needs and brings about elsewhere. */
export interface JudgingEvents {
  /** Takes a certificate whose signatures were found good. */
  believe(certificate: Certificate): void
  onMissing(digest: Digest, from: NodeId): void
  /** How far the boundary at a height is settled (B-18). */
  boundary(height: Height): 'open' | 'stable' | 'closed'
  abstains(): boolean
  onAhead(from: NodeId): void
}

interface Candidate {
  readonly proposal: Proposal
  readonly digest: Digest
  readonly from: NodeId
  readonly cast: CastVote
  checked: boolean
}

type Verdict =
  | { readonly kind: 'good' }
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'missing'; readonly digest: Digest }
  /** Something it stands on is not settled here yet. */
  | { readonly kind: 'early' }

const GOOD: Verdict = { kind: 'good' }
const EARLY: Verdict = { kind: 'early' }
const bad = (why: string): Verdict => ({ kind: 'bad', why })

/** Proposals received, the latest of each seat (B-9), and what makes one worth a prepare (B-14, B-17, B-18, B-2). */
export class Judging {
  readonly #context: Context
  readonly #events: JudgingEvents
  readonly #voting: Voting
  readonly #chain: Chain
  readonly #execution: Execution
  readonly #pool: RequestPool
  /** By seat. */
  readonly #candidates: (Candidate | undefined)[] = []

  constructor(
    context: Context,
    events: JudgingEvents,
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

  /** A block among the candidates, for members that ask for it by digest. */
  blockOf(digest: Digest): Proposal['block'] | undefined {
    for (const candidate of this.#candidates) {
      if (candidate?.digest === digest && candidate.checked) return candidate.proposal.block
    }
    return undefined
  }

  receive(seat: Seat, from: NodeId, proposal: Proposal): void {
    const { view } = proposal
    if (view < this.#voting.view) return
    if (!this.#voting.inWindow(view)) {
      this.#events.onAhead(from)
      return
    }
    if (seat !== this.#context.group.primarySeat(view)) {
      this.#context.refuse(from, 20, 'a proposal out of turn')
      return
    }
    const digest = this.#context.hashing.header(proposal.block.header)
    const cast: CastVote = {
      vote: { kind: 'prepare', epoch: proposal.epoch, view, digest },
      signature: proposal.signature,
    }
    const known = this.#candidates[seat]
    if (known !== undefined && known.proposal.view > view) return
    if (known?.proposal.view === view) {
      if (known.digest === digest) return
      // Two different proposals in one view are evidence; the second is looked at only if the first got nothing from us.
      const vote = { kind: 'prepare', epoch: proposal.epoch, view, digest } as const
      this.#voting.receive(seat, from, { vote, signature: proposal.signature }, vote)
      if (!this.#context.rules.mayPrepare(this.#voting.ballot.own, view)) return
    }
    const fault = this.#fault(proposal)
    if (fault !== undefined) {
      this.#context.refuse(from, 20, fault)
      return
    }
    const candidate: Candidate = { proposal, digest, from, cast, checked: false }
    this.#candidates[seat] = candidate
    const asked = this.#context.inspect(from, this.#claims(candidate), (valid) => this.#checked(seat, candidate, valid))
    if (!asked) this.#candidates[seat] = undefined
  }

  /** What can be seen without knowing the chain. */
  #fault({ block, epoch, view, tip, skip, checkpoint }: Proposal): string | undefined {
    const { header } = block
    const { group, hashing, rules } = this.#context
    if (header.group !== group.id || !rules.sameEpoch(header.epoch, epoch)) return 'a block of another group or epoch'
    if (header.payload !== hashing.payload(block)) return 'a block whose payload is not what its header says'
    if (hashing.payloadBytes(block) > PAYLOAD_BYTES_MAX) return 'a block that is too large'
    if (operationsIn(block.requests) > OPERATIONS_PER_BLOCK_MAX) return 'a block of too many operations'
    for (const certificate of [tip, skip, checkpoint]) {
      // The checkpoint that an epoch starts on was signed by the epoch before.
      if (certificate !== undefined && certificate !== checkpoint && !wellFormed(certificate, group, rules)) {
        return 'a proposal with a certificate that is none'
      }
    }
    const covered = skip === undefined ? undefined : { view: skip.view, tip: highestTip(skip) }
    const tipView = (tip?.view ?? 0) as typeof view
    if (!rules.justified(tipView, view, covered)) return 'a proposal that is not justified'
    const convicts = block.evidence.every(
      (evidence) => group.seatOf(evidence.signer) !== undefined && evidenceClaims(group, evidence) !== undefined,
    )
    return convicts ? undefined : 'a block with evidence that convicts no one'
  }

  /** Signatures not looked at before. The primary's own comes first. */
  #claims({ proposal, cast, from }: Candidate): readonly Claim[] {
    const { group } = this.#context
    const claims: Claim[] = [voteClaim(group.id, from, cast)]
    for (const certificate of [proposal.skip, proposal.tip]) {
      if (certificate !== undefined && !this.#voting.believes(certificate)) claims.push(...claimsOf(certificate, group))
    }
    const { checkpoint, block } = proposal
    if (this.#newCheckpoint(checkpoint)) claims.push(...claimsOf(checkpoint, group))
    for (const signed of block.requests) {
      if (!this.#pool.has(signed.request)) claims.push(requestClaim(group.id, signed))
    }
    for (const evidence of block.evidence) claims.push(...(evidenceClaims(group, evidence) ?? []))
    return claims
  }

  #newCheckpoint(checkpoint: Proposal['checkpoint']): checkpoint is NonNullable<Proposal['checkpoint']> {
    return (
      checkpoint !== undefined &&
      this.#events.boundary(checkpoint.vote.height) === 'open' &&
      wellFormed(checkpoint, this.#context.group, this.#context.rules)
    )
  }

  #checked(seat: Seat, candidate: Candidate, valid: readonly boolean[]): void {
    if (this.#candidates[seat] !== candidate || this.#context.group !== this.#voting.ledger.group) return
    if (valid.some((good) => !good)) {
      this.#candidates[seat] = undefined
      this.#context.badSignature(candidate.from, 'a proposal')
      return
    }
    candidate.checked = true
    const { block, checkpoint, skip, tip } = candidate.proposal
    // B-12: should this view be skipped, any later primary can propose them.
    for (const signed of block.requests) if (this.isWanted(signed.request)) this.#pool.add(signed, candidate.from)
    if (this.#newCheckpoint(checkpoint)) this.#events.believe(checkpoint)
    for (const certificate of [skip, tip]) {
      if (certificate !== undefined && !this.#voting.believes(certificate)) this.#events.believe(certificate)
    }
    this.#voting.absorb(seat, candidate.cast)
    this.consider()
  }

  /** Whether a request, its signature apart, is worth a place in the pool. */
  isWanted(request: Request): boolean {
    const height = (this.#chain.height + 1) as Height
    return (
      this.#pool.hasRoom(request) &&
      this.#execution.judge(request, height) === undefined &&
      this.#execution.machine.authorised(request.client)
    )
  }

  /** Prepares the current view's proposal if it is there, good, and not prepared yet. */
  consider(): void {
    const { view, primary, ballot } = this.#voting
    const candidate = this.#candidates[primary]
    if (candidate === undefined || !candidate.checked || candidate.proposal.view !== view) return
    if (ballot.own.prepared >= view && ballot.own.preparedDigest === candidate.digest) return
    if (this.#events.abstains()) return
    const verdict = this.#judge(candidate)
    if (verdict.kind === 'missing') {
      this.#events.onMissing(verdict.digest, candidate.from)
      return
    }
    if (verdict.kind === 'early') return
    if (verdict.kind === 'bad') {
      this.#candidates[primary] = undefined
      this.#context.refuse(candidate.from, 20, verdict.why)
      return
    }
    const vote = ballot.prepare(view, candidate.digest)
    if (vote === undefined) return
    this.#context.logged.add(this.#chain.add(candidate.proposal.block).digest)
    this.#context.persist({ kind: 'proposal', proposal: candidate.proposal })
    this.#voting.cast(vote)
  }

  #judge({ proposal, digest }: Candidate): Verdict {
    const { block, tip } = proposal
    const { rules, group, wall, params } = this.#context
    const standsOn = tip?.digest ?? this.#voting.anchor
    if (digest === standsOn) return this.#below(block.header.parent, digest)
    const path = this.#chain.path(standsOn)
    if (path.kind === 'missing') return path
    const ground = path.kind === 'known' ? path.entries.reduce(onto, this.#chain.head) : undefined
    if (path.kind !== 'known' || ground === undefined) return EARLY
    if (block.header.proposer !== group.primaryOf(proposal.view)) return bad('a block of another proposer')
    if (!rules.standsOn(block.header, ground)) return bad('a block that does not stand on its tip')
    if (rules.needsCheckpoint(ground)) {
      const settled = this.#events.boundary(ground.header.height)
      if (settled === 'closed') return bad('a block in a closed epoch')
      if (settled === 'open') return EARLY
    }
    // What it stands on is decided: time may stand still, but never stop a group because a clock was wrong once.
    const latest = Math.max(ground.header.at, (wall ?? Number.POSITIVE_INFINITY) + params.clockToleranceMs)
    if (block.header.at > latest) return bad('a block from the future')
    const after = onto(ground, this.#entry(proposal, digest))
    const limits = { blocks: params.segmentBlocksMax, bytes: params.segmentBytes }
    if (rules.mustEnd(after.segmentBlocks, after.segmentBytes, limits) && !block.header.boundary) {
      return bad('a block past the end of its segment')
    }
    return this.#once(proposal, path.entries)
  }

  /** A block proposed again is as good as when it was certified, if all below it is at hand. */
  #below(parent: Digest, digest: Digest): Verdict {
    if (this.#chain.isFinal(digest)) return GOOD
    const path = this.#chain.path(parent)
    if (path.kind === 'missing') return path
    return path.kind === 'known' ? GOOD : EARLY
  }

  /** No request twice: not in the block, not in blocks below it, not in the final state (B-2, B-21). */
  #once({ block }: Proposal, below: readonly Entry[]): Verdict {
    const seen = this.#context.rules.refusesReplay() ? keysIn(below) : new Set<string>()
    for (const { request } of block.requests) {
      const key = requestKey(request)
      if (seen.has(key)) return bad('a block that holds a request twice')
      if (this.#context.rules.refusesReplay()) seen.add(key)
      const replay = this.#execution.judge(request, block.header.height)
      if (replay === 'replayed' || replay === 'expired' || replay === 'old-session') {
        // What its client had used may be forgotten at a boundary that is not final here.
        return below.some((entry) => entry.block.header.boundary)
          ? EARLY
          : bad(`a block with a request that is ${replay}`)
      }
    }
    return GOOD
  }

  #entry({ block }: Proposal, digest: Digest): Entry {
    return this.#chain.get(digest) ?? this.#chain.weigh(block)
  }
}
