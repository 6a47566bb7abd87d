import type { Signer } from '../identity/types.ts'
import {
  type Core,
  earliest,
  type Millis,
  type NodeId,
  type Tick,
  unreachable,
  type WallMillis,
} from '../kernel/index.ts'
import { claimsOf, votesOf, wellFormed } from './certificates.ts'
import { Chain, type Entry } from './chain.ts'
import { Checkpointing, closes } from './checkpointing.ts'
import { Context } from './context.ts'
import { Convictions } from './convictions.ts'
import { Execution, type SavedState } from './execution.ts'
import { Group } from './group.ts'
import { type HashFunction, Hashing } from './hashing.ts'
import { Intake } from './intake.ts'
import { Judging } from './judging.ts'
import type { Machine } from './machine.ts'
import { type ConsensusParams, consensusParams } from './params.ts'
import { RequestPool } from './pool.ts'
import { Proposing } from './proposing.ts'
import type { LogRecord } from './records.ts'
import { Recovery } from './recovery.ts'
import { replay } from './replay.ts'
import { RULES, type Rules } from './rules.ts'
import { Serving } from './serving.ts'
import { requestClaim } from './statements.ts'
import { Syncing } from './syncing.ts'
import { Transfer } from './transfer.ts'
import type {
  Block,
  CastVote,
  Certificate,
  CheckpointCertificate,
  Claim,
  CommitCertificate,
  ConsensusStatus,
  Decision,
  Digest,
  Effect,
  Epoch,
  GroupId,
  Height,
  Input,
  Message,
  SignedRequest,
  Status,
  View,
} from './types.ts'
import { Voting } from './voting.ts'

export interface ConsensusOptions {
  readonly group: GroupId
  /** Stands for the block before the first: a hash over what founded the group. */
  readonly genesis: Digest
  readonly genesisMembers: readonly NodeId[]
  /** In its state at the genesis; the core brings it to where the log ends. */
  readonly machine: Machine
  readonly signer: Signer
  readonly hash: HashFunction
  readonly params?: Partial<ConsensusParams>
  /** For tests that plant bugs. */
  readonly rules?: Rules
  /** Larger at every start of this node: names the local client's requests (B-21). */
  readonly session: number
  /** What was logged before, in order. */
  readonly records?: readonly LogRecord[]
  /** `suspect`: records may be missing that were once reported durable, or the log comes from a backup (B-20). */
  readonly log?: 'intact' | 'suspect'
}

/** Inputs that lead on at once to more of the same are followed this often in a step; the rest waits for the next. */
const ROUNDS_PER_STEP = 64

/**
 * One group's consensus on one node: a member's, or a follower's where the node is not (or no longer) a member.
 * The clauses and the proof stand in README.md.
 */
export class ConsensusCore implements Core<Input, Effect> {
  readonly #context: Context
  readonly #chain: Chain
  readonly #execution: Execution
  readonly #pool: RequestPool
  readonly #intake: Intake
  readonly #checkpointing: Checkpointing
  readonly #transfer: Transfer
  readonly #recovery: Recovery
  readonly #syncing: Syncing
  readonly #serving: Serving
  readonly #convictions: Convictions
  #voting: Voting
  #judging: Judging
  #proposing: Proposing
  #toFinalise: CommitCertificate | undefined
  /** A stable checkpoint whose consequences wait for the end of the step: desks are not replaced under their own feet. */
  #stableDue: { readonly certificate: CheckpointCertificate; readonly since: Height } | undefined
  #transferPath: readonly CheckpointCertificate[] = []
  /** The block this epoch stands on. */
  #anchor: Digest
  /** The stable height before the last: blocks above it are kept for members that lag by up to a segment. */
  #cutBelow: Height
  #started = false
  #moved = false

  constructor(options: ConsensusOptions) {
    const params = consensusParams(options.params)
    const rules = options.rules ?? RULES
    const hashing = Hashing.with(options.hash)
    const group = new Group(options.group, 1 as Epoch, options.genesisMembers, rules)
    const context = new Context({ signer: options.signer, params, rules, hashing, group })
    this.#context = context
    this.#chain = new Chain(hashing, params.chainBytesMax, {
      digest: options.genesis,
      header: { height: 0 as Height, at: 0 as WallMillis, boundary: true },
      segmentHeights: 0,
      segmentBytes: 0,
    })
    this.#execution = new Execution(options.machine, hashing, params, rules)
    this.#pool = new RequestPool(params, hashing)
    this.#intake = new Intake(context, options.session)
    this.#checkpointing = new Checkpointing(context, {
      cast: (vote) => this.#voting.cast(vote),
      onStable: (certificate) => this.#onStable(certificate),
      onCheckpointAhead: (certificate) => this.#onCheckpointAhead(certificate),
      onEvidence: (evidence) => this.#convictions.consider(evidence.signer, evidence),
    })
    this.#transfer = new Transfer(context, (certificate, chunks, digests) =>
      this.#onTransferred(certificate, { vote: certificate.vote, chunks, digests }),
    )
    this.#convictions = new Convictions(context, (evidence) => context.emit({ kind: 'convicted', evidence }))
    this.#serving = new Serving(context, this.#chain, this.#checkpointing)
    this.#syncing = new Syncing(context)

    const resumed = replay(options.records ?? [], {
      context,
      chain: this.#chain,
      execution: this.#execution,
      checkpointing: this.#checkpointing,
    })
    const desks = this.#openEpoch(resumed.anchor)
    this.#voting = desks.voting
    this.#judging = desks.judging
    this.#proposing = desks.proposing
    this.#anchor = resumed.anchor
    this.#voting.resume(resumed)
    this.#cutBelow = this.#checkpointing.stable.height
    this.#recovery = new Recovery(context, options.log === 'suspect' ? 'suspect' : resumed.trust)
    context.take()
    if (options.log === 'suspect') context.persist({ kind: 'suspect' })
  }

  /** The state machine, to be read by the host: its state is final at {@link height}. */
  get machine(): Machine {
    return this.#execution.machine
  }

  get height(): Height {
    return this.#chain.height
  }

  get epoch(): Epoch {
    return this.#context.group.epoch
  }

  get members(): readonly NodeId[] {
    return this.#context.group.members
  }

  /** What proves the epochs so far, from the genesis on (proof.ts). */
  get handovers(): readonly CheckpointCertificate[] {
    return this.#checkpointing.handovers
  }

  deadline(): Millis {
    const { now } = this.#context
    if (!this.#started) return now
    const desks = [
      this.#voting.timeoutAt(),
      this.#proposing.deadline(),
      this.#syncing.deadline(),
      this.#transfer.deadline(),
      this.#recovery.deadline(),
      this.#intake.deadline(),
    ]
    return desks.reduce(earliest)
  }

  step(now: Millis, input: Input | Tick): readonly Effect[] {
    this.#context.now = now
    if (!this.#started) this.#start()
    this.#take(input)
    this.#settle()
    return this.#context.take()
  }

  #take(input: Input | Tick): void {
    switch (input.kind) {
      case 'tick':
        this.#tick()
        return
      case 'message':
        this.#onMessage(input.from, input.message)
        return
      case 'durable':
        this.#onDurable(input.mark)
        return
      case 'verified':
        this.#context.conclude(input.id, input.valid)
        return
      case 'submit':
        this.#intake.submit(input.id, input.operation)
        return
      case 'clock':
        this.#context.setClock(input.wall)
        return
      default:
        unreachable(input)
        return
    }
  }

  /** Tells the others that we are here, and what we said before we went. */
  #start(): void {
    this.#started = true
    this.#voting.recount()
    const pending = this.#checkpointing.pending
    if (pending !== undefined && this.#context.member) this.#voting.cast(pending.vote)
    if (this.#recovery.asking) {
      this.#context.observe({ kind: 'consensus.abstaining', why: 'the vote log may be damaged or old' })
      this.#context.broadcast({ kind: 'fetch', want: { kind: 'standing' } })
    }
    this.#context.broadcast(this.#status())
  }

  #tick(): void {
    if (this.#context.now >= this.#intake.deadline()) this.#intake.expire(this.#syncing.silent())
    this.#syncing.forgetMissed()
    this.#syncing.tickStatus(this.#status())
    this.#transfer.tick()
    this.#recovery.tick()
    if (!this.#syncing.dueToRepeat(this.#voting.pace.timeoutMs())) return
    this.#sweepPool()
    this.#syncing.repeat(this.#voting, this.#proposing.current, this.#pool, this.#intake.flying(), this.#status())
  }

  #onMessage(from: NodeId, message: Message): void {
    if (from === this.#context.self) return
    const seat = this.#context.group.seatOf(from)
    switch (message.kind) {
      case 'request':
        this.#onRequests(from, message.requests)
        return
      case 'proposal':
        if (!this.#ofThisEpoch(from, message.epoch)) return
        if (seat === undefined) {
          this.#context.refuse(from, 20, 'a proposal from a node that is no member')
          return
        }
        this.#judging.receive(seat, from, message)
        return
      case 'votes':
        this.#onVotes(from, message.votes)
        return
      case 'certificates':
        this.#onCertificates(from, message.certificates)
        return
      case 'standing':
        this.#onStanding(from, message)
        return
      case 'status':
        this.#syncing.onStatus(from, message, this.epoch, this.#chain.height)
        if (message.epoch === this.epoch && message.view > this.#voting.view) this.#syncing.askStanding(from)
        return
      case 'fetch':
        this.#serving.answer(from, message.want, this.#voting, (digest) => this.#judging.blockOf(digest))
        return
      case 'block':
        this.#onBlock(message.block)
        return
      case 'blocks':
        this.#onBlocks(from, message)
        return
      case 'manifest':
      case 'chunk':
        this.#transfer.receive(from, message)
        return
      case 'evidence':
        this.#convictions.consider(from, message.evidence)
        return
      default:
        unreachable(message)
        return
    }
  }

  #onVotes(from: NodeId, votes: readonly CastVote[]): void {
    for (const cast of votes) {
      const { vote } = cast
      if (!this.#ofThisEpoch(from, vote.epoch)) continue
      const seat = this.#context.group.seatOf(from)
      if (seat === undefined) {
        this.#context.refuse(from, 20, 'votes from a node that is no member')
        return
      }
      if (vote.kind === 'checkpoint') this.#checkpointing.receive(seat, { ...cast, vote }, false)
      else this.#voting.receive(seat, from, { ...cast, vote })
    }
  }

  /** B-7: what belongs to another epoch has no say here; it tells that one of us lags. */
  #ofThisEpoch(from: NodeId, epoch: Epoch): boolean {
    if (this.#context.rules.sameEpoch(epoch, this.epoch)) return true
    if (epoch > this.epoch) this.#syncing.askBlocks(from, this.epoch, this.#chain.height)
    else this.#syncing.nudge(from, this.#status())
    return false
  }

  #onDurable(mark: number): void {
    const seat = this.#context.group.seatOf(this.#context.self)
    for (const cast of this.#voting.durable(mark)) {
      const { vote } = cast
      if (seat !== undefined && vote.kind === 'checkpoint') this.#checkpointing.receive(seat, { ...cast, vote }, true)
    }
  }

  /** Requests of any client, from anyone: worth a place in the pool once their signatures are found good. */
  #onRequests(from: NodeId, requests: readonly SignedRequest[]): void {
    if (!this.#context.member) return
    const height = (this.#chain.height + 1) as Height
    const fresh = requests.filter(
      ({ request }) =>
        request.client !== this.#context.self &&
        this.#pool.hasRoom(request) &&
        this.#execution.judge(request, height) === undefined &&
        this.#execution.machine.authorised(request.client),
    )
    const claims = fresh.map((signed) => requestClaim(this.#context.group.id, signed))
    if (claims.length === 0) return
    this.#context.inspect(claims, (valid) => {
      for (const [i, signed] of fresh.entries()) {
        if (valid[i] !== true) this.#context.badSignature(from, 'a request')
        else if (this.#execution.judge(signed.request, (this.#chain.height + 1) as Height) === undefined) {
          this.#pool.add(signed)
        }
      }
    })
  }

  #onCertificates(from: NodeId, certificates: readonly Certificate[]): void {
    for (const certificate of certificates) this.#check(from, certificate, () => undefined)
  }

  /** Believes a certificate if it is one; `then` runs once it is believed, now or before. */
  #check(from: NodeId, certificate: Certificate, then: () => void): void {
    const { group } = this.#context
    const epoch = certificate.kind === 'checkpoint' ? certificate.vote.epoch : certificate.epoch
    if (!this.#ofThisEpoch(from, epoch)) return
    if (!wellFormed(certificate, group, this.#context.rules)) {
      this.#context.refuse(from, 20, 'a certificate that is none')
      return
    }
    if (this.#believes(certificate)) {
      then()
      return
    }
    this.#context.inspect(claimsOf(certificate, group), (valid) => {
      if (valid.some((good) => !good)) return this.#context.badSignature(from, 'a certificate')
      if (this.#context.group !== group) return
      this.#believe(certificate)
      then()
    })
  }

  #believes(certificate: Certificate): boolean {
    if (certificate.kind === 'checkpoint') return certificate.vote.height <= this.#checkpointing.stable.height
    return this.#voting.believes(certificate)
  }

  /** Acts on a certificate whose signatures were found good, and holds its votes against others of the same members. */
  #believe(certificate: Certificate): void {
    if (certificate.kind === 'checkpoint') {
      this.#checkpointing.believe(certificate)
      return
    }
    if (certificate.kind === 'skip' && certificate.tip !== undefined && !this.#voting.believes(certificate.tip)) {
      this.#believe(certificate.tip)
    }
    const self = this.#context.group.seatOf(this.#context.self)
    for (const { seat, cast } of votesOf(certificate)) {
      if (seat === self && !this.#voting.ballot.explains(cast.vote) && this.#context.rules.mindsOwnGhost()) {
        this.#recovery.doubt('a vote of ours turned up that we do not remember')
      }
      this.#voting.absorb(seat, cast)
    }
    if (certificate.kind === 'prepare') this.#voting.certified(certificate)
    else if (certificate.kind === 'commit') this.#voting.committedBy(certificate)
    else this.#voting.skipped(certificate)
  }

  /** What a peer shows about its view bounds where we may have voted (B-20). */
  #onStanding(from: NodeId, { epoch, certificates }: Extract<Message, { kind: 'standing' }>): void {
    if (!this.#ofThisEpoch(from, epoch)) return
    let proven = 1
    let open = certificates.length
    // One answer, once all that it shows is believed: half of it could prove too little.
    const shown = (view: number): void => {
      proven = Math.max(proven, view + 1)
      open -= 1
      if (open === 0) this.#recovery.answer(from, proven as View)
    }
    if (open === 0) this.#recovery.answer(from, proven as View)
    for (const certificate of certificates) {
      this.#check(from, certificate, () => shown(certificate.kind === 'checkpoint' ? 0 : certificate.view))
    }
  }

  #onBlock(block: Block): void {
    const digest = this.#context.hashing.header(block.header)
    if (!this.#syncing.misses(digest) || block.header.payload !== this.#context.hashing.payload(block)) return
    this.#syncing.found(digest)
    this.#chain.add(block)
  }

  #onBlocks(from: NodeId, message: Extract<Message, { kind: 'blocks' }>): void {
    this.#syncing.blocksArrived()
    const { blocks, commit, checkpoints } = message
    const before = this.#chain.height
    if (commit !== undefined) {
      const { hashing } = this.#context
      const linked = blocks.every(
        ({ header, ...body }, i) =>
          header.payload === hashing.payload(blocks[i] ?? body) &&
          (i === 0 || header.parent === hashing.header((blocks[i - 1] ?? { header }).header)),
      )
      const last = blocks.at(-1)
      const proven = linked && last !== undefined && hashing.header(last.header) === commit.digest
      this.#check(from, commit, () => {
        if (proven) for (const block of blocks) this.#chain.add(block)
        this.#toFinalise = commit
        this.#finalise()
        if (this.#chain.height > before) this.#askOn(from)
      })
    }
    if (checkpoints.length > 0) this.#onCheckpoints(from, checkpoints, blocks.length === 0)
  }

  #askOn(from: NodeId): void {
    const heard = this.#syncing.heard(from)
    if (heard !== undefined && (heard.height > this.#chain.height || heard.epoch > this.epoch)) {
      this.#syncing.askBlocks(from, this.epoch, this.#chain.height)
    }
  }

  /** Checkpoints from our epoch on, each signed by the membership that the one before it names. */
  #onCheckpoints(from: NodeId, checkpoints: readonly CheckpointCertificate[], cut: boolean): void {
    let group = this.#context.group
    const start = group
    const claims: Claim[] = []
    for (const checkpoint of checkpoints) {
      if (checkpoint.vote.epoch < start.epoch) continue
      if (!wellFormed(checkpoint, group, this.#context.rules)) {
        this.#context.refuse(from, 20, 'a checkpoint that is none')
        return
      }
      claims.push(...claimsOf(checkpoint, group))
      if (closes(checkpoint, group)) group = group.successor(checkpoint.vote.members)
    }
    const last = checkpoints.at(-1)
    if (last === undefined || claims.length === 0) return
    this.#context.inspect(claims, (valid) => {
      if (valid.some((good) => !good)) return this.#context.badSignature(from, 'a checkpoint')
      if (this.#context.group !== start) return
      for (const checkpoint of checkpoints) {
        if (checkpoint.vote.epoch === start.epoch) this.#checkpointing.believe(checkpoint)
      }
      if (this.#stableDue !== undefined) return this.#askOn(from)
      if (!cut || last.vote.height <= this.#chain.height) return
      this.#transferPath = checkpoints
      this.#transfer.start(last, from)
    })
  }

  #onCheckpointAhead(certificate: CheckpointCertificate): void {
    const next = this.#syncing.next()
    // Our own state at that height is not the certified one: it is of no use to anyone.
    if (certificate.vote.height <= this.#chain.height) {
      if (this.#checkpointing.pending?.vote.height !== certificate.vote.height || next === undefined) return
      this.#transferPath = [certificate]
      this.#transfer.start(certificate, next)
      return
    }
    if (next !== undefined) this.#syncing.askBlocks(next, this.epoch, this.#chain.height)
  }

  /** Runs everything that can go on, until nothing moves. */
  #settle(): void {
    for (let round = 0; round < ROUNDS_PER_STEP; round++) {
      // Whatever moves us is written down, so nothing written means that nothing moved.
      const before = this.#context.mark
      this.#finalise()
      this.#applyStable()
      this.#sendRequests()
      this.#judging.consider()
      this.#proposing.consider()
      this.#voting.setBusy(this.#busy())
      this.#voting.tick()
      if (this.#context.mark === before) break
    }
    this.#syncing.settle(this.#busy() || this.#intake.pending > 0, this.#moved, this.#voting.pace.timeoutMs())
    this.#moved = false
  }

  /** Whether there is something to decide (B-27). */
  #busy(): boolean {
    if (!this.#context.member) return false
    return (
      this.#pool.size > 0 ||
      !this.#proposing.tipFinal ||
      this.#checkpointing.pending !== undefined ||
      (this.#convictions.any && this.#evidence().length > 0) ||
      this.#voting.othersSkip() ||
      this.#execution.membersChange(this.#context.group)
    )
  }

  #evidence() {
    return this.#convictions.held.filter(({ signer }) => !this.#execution.convicted.has(signer))
  }

  #sendRequests(): void {
    const bundled = this.#intake.bundle(this.#chain.height)
    if (bundled.length === 0) return
    if (this.#context.member) for (const signed of bundled) this.#pool.add(signed)
    this.#context.broadcast({ kind: 'request', requests: bundled })
  }

  /** Executes up to the highest block known to be committed, as far as blocks are at hand. */
  #finalise(): void {
    const certificate = this.#toFinalise
    if (certificate === undefined) return
    const path = this.#chain.path(certificate.digest)
    if (path.kind === 'missing') {
      this.#syncing.miss(path.digest, undefined)
      return
    }
    this.#toFinalise = undefined
    if (path.kind !== 'known' || path.entries.length === 0) return
    for (const entry of path.entries) this.#execute(entry, certificate)
    this.#chain.setCommit(this.#chain.height, certificate)
    this.#context.persist({ kind: 'certificate', certificate })
    this.#voting.pace.finalised()
    this.#context.effect({ kind: 'announce', epoch: this.epoch, height: this.#chain.height })
    this.#moved = true
  }

  #execute(entry: Entry, certificate: CommitCertificate): void {
    const { block, digest } = entry
    const { header } = block
    if (!this.#context.logged.delete(digest)) this.#context.persist({ kind: 'block', block })
    const results = this.#execution.apply(block)
    this.#chain.finalise(entry)
    for (const { request } of block.requests) this.#pool.remove(request)
    const decision: Decision = { block, digest, results, certificate }
    this.#intake.finalised(decision)
    const operations = results.reduce((sum, { outcomes }) => sum + outcomes.length, 0)
    this.#context.observe({ kind: 'consensus.finalised', height: header.height, view: certificate.view, operations })
    this.#context.emit({ kind: 'finalised', decision })
    if (!header.boundary) return
    this.#checkpointing.reached(
      this.#execution.save(this.#context.group, { digest, height: header.height, at: header.at }),
    )
    this.#sweepPool()
  }

  /** Drops requests that can no longer count, so that nobody waits for them. */
  #sweepPool(): void {
    const height = (this.#chain.height + 1) as Height
    this.#pool.sweep((request) => this.#execution.judge(request, height) === undefined)
  }

  #onStable(certificate: CheckpointCertificate): void {
    this.#context.observe({
      kind: 'consensus.checkpoint-stable',
      height: certificate.vote.height,
      root: certificate.vote.root,
    })
    this.#stableDue = { certificate, since: this.#stableDue?.since ?? this.#cutBelow }
    this.#cutBelow = certificate.vote.height
  }

  #applyStable(): void {
    const due = this.#stableDue
    if (due === undefined) return
    this.#stableDue = undefined
    const { certificate, since } = due
    this.#transfer.stop(certificate.vote.height)
    this.#chain.cut(since)
    const { group } = this.#context
    if (closes(certificate, group)) {
      this.#checkpointing.addHandover(certificate)
      this.#startEpoch(group.successor(certificate.vote.members))
    }
    this.#cutLog()
  }

  #startEpoch(group: Group): void {
    this.#context.group = group
    this.#anchor = this.#checkpointing.handovers.at(-1)?.vote.digest ?? this.#anchor
    this.#checkpointing.startEpoch()
    this.#convictions.startEpoch()
    this.#toFinalise = undefined
    const desks = this.#openEpoch(this.#anchor)
    this.#voting = desks.voting
    this.#judging = desks.judging
    this.#proposing = desks.proposing
    this.#recovery.startEpoch()
    this.#moved = true
    this.#context.observe({ kind: 'consensus.epoch-started', epoch: group.epoch, members: group.members })
    this.#context.emit({ kind: 'epoch-started', epoch: group.epoch, members: group.members })
  }

  #openEpoch(anchor: Digest): { voting: Voting; judging: Judging; proposing: Proposing } {
    const context = this.#context
    const abstains = (view: View): boolean => !context.member || this.#recovery.abstains(context.group.epoch, view)
    const onAhead = (from: NodeId): void => this.#syncing.askStanding(from)
    const boundary = (height: Height) => this.#checkpointing.boundary(height)
    const voting = new Voting(
      context,
      {
        onCommitted: (certificate) => {
          this.#toFinalise = certificate
        },
        onEvidence: (evidence) => this.#convictions.consider(evidence.signer, evidence),
        onView: () => {
          this.#moved = true
          this.#recovery.reached(this.#voting.view)
        },
        abstains,
        onAhead,
        onBehind: (from) => this.#syncing.help(from, this.#voting.standing),
      },
      anchor,
    )
    const desks = { voting, chain: this.#chain, execution: this.#execution, pool: this.#pool }
    const judging = new Judging(
      context,
      {
        believe: (certificate) => this.#believe(certificate),
        onMissing: (digest, from) => this.#syncing.miss(digest, from),
        boundary,
        abstains: () => abstains(voting.view),
        onAhead,
      },
      desks,
    )
    const proposing = new Proposing(
      context,
      {
        boundary,
        checkpoint: () => this.#checkpointing.stable.certificate,
        evidence: () => this.#evidence(),
        onMissing: (digest) => this.#syncing.miss(digest, undefined),
        abstains: () => abstains(voting.view),
      },
      desks,
    )
    return { voting, judging, proposing }
  }

  /** B-19: the log from the stable checkpoint on says all that the whole log said. */
  #cutLog(): void {
    const { stable, handovers } = this.#checkpointing
    if (stable.certificate === undefined) return
    const records: LogRecord[] = handovers.map((checkpoint) => ({ kind: 'handover', checkpoint }))
    records.push({ kind: 'snapshot', checkpoint: stable.certificate, chunks: stable.chunks.length })
    for (const bytes of stable.chunks) records.push({ kind: 'chunk', bytes })
    if (this.#recovery.trust !== 'trusted') records.push({ kind: 'suspect' })
    if (this.#recovery.trust === 'watchful') {
      records.push({ kind: 'cleared', epoch: this.epoch, view: this.#voting.view, entirely: false })
    }
    this.#context.logged.clear()
    for (const { block, digest } of this.#chain.above(stable.height)) {
      records.push({ kind: 'block', block })
      this.#context.logged.add(digest)
    }
    const head = this.#chain.commitAt(this.#chain.height)
    if (head !== undefined && this.#chain.height > stable.height)
      records.push({ kind: 'certificate', certificate: head })
    for (const certificate of this.#voting.standing) records.push({ kind: 'certificate', certificate })
    for (const cast of this.#voting.ownVotes()) records.push({ kind: 'vote', cast })
    this.#context.compact(records)
  }

  /** A certified state has arrived: go on from there. */
  #onTransferred(certificate: CheckpointCertificate, state: SavedState): void {
    if (certificate.vote.height < this.#chain.height) return
    const at = this.#execution.restore(state.chunks)
    if (at === undefined) {
      this.#context.observe({
        kind: 'consensus.refused',
        from: this.#context.self,
        why: 'a certified state that this version cannot read',
      })
      return
    }
    const { height, digest } = certificate.vote
    let { group } = this.#context
    for (const checkpoint of this.#transferPath) {
      if (checkpoint === certificate || checkpoint.vote.epoch < group.epoch || !closes(checkpoint, group)) continue
      this.#checkpointing.addHandover(checkpoint)
      group = group.successor(checkpoint.vote.members)
    }
    this.#chain.restart({ digest, header: { height, at, boundary: true }, segmentHeights: 0, segmentBytes: 0 })
    this.#context.logged.clear()
    if (group !== this.#context.group) this.#startEpoch(group)
    this.#checkpointing.adopt(certificate, state)
    this.#sweepPool()
    this.#intake.transferred((request) => this.#execution.judge(request, (height + 1) as Height) !== undefined)
    this.#context.emit({ kind: 'state-transferred', height })
  }

  #status(): Status {
    return { kind: 'status', epoch: this.epoch, view: this.#voting.view, height: this.#chain.height }
  }

  /** What is held in memory, for tests of the bounds and for metrics (B-9). */
  load(): {
    readonly views: number
    readonly chainBytes: number
    readonly requests: number
    readonly inspections: number
  } {
    return {
      views: this.#voting.ledger.views,
      chainBytes: this.#chain.bytes,
      requests: this.#pool.size,
      inspections: this.#context.outstanding,
    }
  }

  /** What `council status` shows. */
  status(): ConsensusStatus {
    const { group, member, self } = this.#context
    const { certificate, height } = this.#checkpointing.stable
    return {
      group: group.id,
      role: member ? 'member' : 'follower',
      abstaining: this.#recovery.abstains(group.epoch, this.#voting.view),
      epoch: group.epoch,
      view: this.#voting.view,
      height: this.#chain.height,
      primary: group.primaryOf(this.#voting.view),
      f: group.f,
      quorum: group.q,
      checkpoint: certificate === undefined ? undefined : { height, root: certificate.vote.root },
      members: group.members.map((node) => {
        const heard = this.#syncing.heard(node)
        return {
          node,
          height: node === self ? this.#chain.height : heard?.height,
          heardAt: node === self ? this.#context.now : heard?.at,
          convicted: this.#execution.convicted.has(node) || this.#convictions.has(node),
        }
      }),
      pendingRequests: this.#pool.size,
    }
  }
}
