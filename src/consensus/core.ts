import type { Signer } from '../identity/types.ts'
import { type Core, earliest, type Millis, type NodeId, type Tick, unreachable } from '../kernel/index.ts'
import type { Machine } from '../wire/index.ts'
import { Context } from './context.ts'
import { Desks } from './desks.ts'
import { Group } from './group.ts'
import { type HashFunction, Hashing } from './hashing.ts'
import { type ConsensusParams, consensusParams } from './params.ts'
import type { LogRecord } from './records.ts'
import { RULES, type Rules } from './rules.ts'
import { SpamAllowance } from './spam.ts'
import { requestClaim } from './statements.ts'
import type {
  CastVote,
  CheckpointCertificate,
  ConsensusStatus,
  Digest,
  Effect,
  Epoch,
  GroupId,
  Height,
  Input,
  LogTrust,
  Message,
  Proposal,
  Seat,
  SignedRequest,
  View,
} from './types.ts'

export interface ConsensusOptions {
  readonly group: GroupId
  /** Stands for the block before the first: a hash over what founded the group. */
  readonly genesis: Digest
  readonly genesisMembers: readonly NodeId[]
  /** In its state at the genesis; the core brings it to where the log ends. */
  readonly machine: Machine
  readonly signer: Signer
  /** Others in whose name this node may submit: an authority whose key it holds. Each is a client of its own (B-21). */
  readonly clients?: readonly Signer[]
  readonly hash: HashFunction
  readonly params?: Partial<ConsensusParams>
  /** For tests that plant bugs. */
  readonly rules?: Rules
  /** Larger at every start of this node: names the local client's requests (B-21). */
  readonly session: number
  /** What was logged before, in order. */
  readonly records?: readonly LogRecord[]
  /**
   * `suspect`: records may be missing that were once reported durable, or the log comes from a backup (B-20). `vouched`: a
   * person says that nothing is missing, whatever the log says of itself.
   */
  readonly log?: LogTrust
}

/** Inputs that lead on at once to more of the same are followed this often in a step; the rest waits for the next. */
const ROUNDS_PER_STEP = 64

/**
 * Whether a message that has asked for nothing but checks of signatures can have moved nothing else: votes for blocks were
 * counted, and what is shown or asked of us counts once it is found good.
 */
function awaitsChecks(message: Message): boolean {
  switch (message.kind) {
    case 'votes':
      for (const { vote } of message.votes) if (vote.kind !== 'prepare' && vote.kind !== 'commit') return false
      return true
    case 'request':
    case 'proposal':
    case 'certificates':
    case 'evidence':
    case 'status':
      return true
    default:
      return false
  }
}

/**
 * One group's consensus on one node: a member's, or a follower's where the node is not (or no longer) a member.
 * The clauses and the proof stand in README.md.
 */
export class ConsensusCore implements Core<Input, Effect> {
  readonly #desks: Desks
  readonly #spam = new SpamAllowance()
  #started = false
  /** Worked out when it is asked for, once per step that can have moved it. */
  #deadline: Millis | undefined

  constructor(options: ConsensusOptions) {
    const params = consensusParams(options.params)
    const rules = options.rules ?? RULES
    const hashing = Hashing.with(options.hash)
    const group = new Group(options.group, 1 as Epoch, options.genesisMembers, rules)
    const context = new Context({ signer: options.signer, params, rules, hashing, group })
    this.#desks = new Desks(context, {
      genesis: options.genesis,
      machine: options.machine,
      session: options.session,
      clients: [options.signer, ...(options.clients ?? [])],
      records: options.records ?? [],
      log: options.log ?? 'intact',
    })
  }

  /** The state machine, to be read by the host: its state is final at {@link height}. */
  get machine(): Machine {
    return this.#desks.execution.machine
  }

  get height(): Height {
    return this.#desks.chain.height
  }

  get epoch(): Epoch {
    return this.#desks.context.group.epoch
  }

  get view(): View {
    return this.#desks.voting.view
  }

  /** Whether this node is a member in the current epoch. */
  get isMember(): boolean {
    return this.#desks.context.member
  }

  get members(): readonly NodeId[] {
    return this.#desks.context.group.members
  }

  /** What proves the present epoch and the latest before it, from the genesis on (B-32, proof.ts). */
  get handovers(): readonly CheckpointCertificate[] {
    return this.#desks.checkpointing.handovers.chain
  }

  deadline(): Millis {
    if (!this.#started) return this.#desks.context.now
    this.#deadline ??= this.#nextDeadline()
    return this.#deadline
  }

  #nextDeadline(): Millis {
    const { voting, proposing, syncing, transfer, recovery, intake } = this.#desks
    let first = earliest(voting.deadline(), proposing.deadline())
    first = earliest(first, earliest(syncing.deadline(), transfer.deadline()))
    return earliest(first, earliest(recovery.deadline(), intake.deadline()))
  }

  step(now: Millis, input: Input | Tick): readonly Effect[] {
    this.#desks.context.now = now
    if (!this.#started) this.#start()
    if (this.#moves(input)) {
      this.#settle()
      this.#deadline = undefined
    }
    return this.#desks.context.take()
  }

  /** Takes an input, and tells whether there can be something to settle after it. */
  #moves(input: Input | Tick): boolean {
    switch (input.kind) {
      case 'message':
        this.#onMessage(input.from, input.message)
        // Most messages do not complete anything yet.
        return this.#desks.context.changed || !awaitsChecks(input.message)
      case 'durable':
        // Most of what is written holds no vote of ours: that it is on the disk moves nothing (B-19).
        if (!this.#desks.voting.awaits(input.mark)) return false
        this.#onDurable(input.mark)
        return true
      case 'verified':
        this.#desks.context.conclude(input.id, input.valid)
        return true
      case 'tick':
        this.#tick()
        return true
      case 'submit':
        for (const submission of input.submissions) this.#desks.intake.submit(submission)
        return true
      case 'follow':
        this.#desks.syncing.follow(input.peer, this.epoch, this.height)
        return true
      case 'doubt':
        this.#desks.recovery.doubt(input.why)
        return true
      case 'clock':
        this.#desks.context.setClock(input.wall)
        return true
      default:
        return unreachable(input)
    }
  }

  /** Tells the others that we are here, and what we said before we went. */
  #start(): void {
    this.#started = true
    this.#desks.voting.recount()
    const pending = this.#desks.checkpointing.pending
    if (pending !== undefined && this.#desks.context.member) this.#desks.voting.castCheckpoint(pending.vote)
    if (this.#desks.recovery.asking) {
      this.#desks.context.observe({ kind: 'consensus.abstaining', why: 'the vote log may be damaged or old' })
      this.#desks.context.broadcast({ kind: 'fetch', want: { kind: 'standing' } })
    }
    this.#desks.context.broadcast(this.#desks.status())
  }

  #tick(): void {
    if (this.#desks.context.now >= this.#desks.intake.deadline())
      this.#desks.intake.expire(this.#desks.syncing.silent())
    this.#desks.syncing.forgetMissed()
    this.#desks.syncing.tickStatus(this.#desks.status())
    this.#desks.transfer.tick()
    this.#desks.recovery.tick()
    if (!this.#desks.syncing.dueToRepeat(this.#desks.voting.pace.timeoutMs())) return
    this.#desks.finalising.sweepPool()
    this.#desks.syncing.repeat(
      this.#desks.voting,
      this.#desks.proposing.current,
      this.#desks.pool,
      this.#desks.intake.flying(),
      this.#desks.status(),
    )
  }

  #onMessage(from: NodeId, message: Message): void {
    if (from === this.#desks.context.self) return
    switch (message.kind) {
      case 'request':
        this.#onRequests(from, message.requests)
        return
      case 'proposal':
        this.#onProposal(from, message)
        return
      case 'votes':
        this.#onVotes(from, message.votes)
        return
      case 'certificates':
        this.#charge(from, this.#desks.believing.onCertificates(from, message.certificates))
        return
      case 'standing':
        this.#charge(from, this.#desks.believing.onStanding(from, message))
        return
      case 'status':
        this.#desks.syncing.onStatus(from, message, this.epoch, this.#desks.chain.height)
        if (message.epoch === this.epoch && message.view > this.#desks.voting.view)
          this.#desks.syncing.askStanding(from)
        return
      case 'fetch':
        this.#desks.serving.answer(from, message.want, this.#desks.voting, (digest) =>
          this.#desks.judging.blockOf(digest),
        )
        return
      case 'block':
        this.#desks.believing.onBlock(message.block)
        return
      case 'blocks':
        this.#charge(from, this.#desks.believing.onBlocks(from, message))
        return
      case 'manifest':
      case 'chunk':
        this.#desks.transfer.receive(from, message)
        return
      case 'evidence':
        this.#desks.convictions.consider(from, message.evidence)
        return
      default:
        unreachable(message)
        return
    }
  }

  #onProposal(from: NodeId, proposal: Proposal): void {
    if (!this.#desks.believing.ofThisEpoch(from, proposal.epoch)) return
    const seat = this.#desks.context.group.seatOf(from)
    if (seat === undefined) this.#desks.context.refuse(from, 20, 'a proposal from a node that is no member')
    else this.#desks.judging.receive(seat, from, proposal)
  }

  #onVotes(from: NodeId, votes: readonly CastVote[]): void {
    const seat = this.#desks.context.group.seatOf(from)
    let idle = 0
    for (const cast of votes) {
      if (!this.#desks.believing.ofThisEpoch(from, cast.vote.epoch)) {
        idle += 1
        continue
      }
      if (seat === undefined) {
        this.#desks.context.refuse(from, 20, 'votes from a node that is no member')
        return
      }
      if (!this.#onVote(seat, from, cast)) idle += 1
    }
    this.#charge(from, idle)
  }

  /** B-30 */
  #charge(from: NodeId, idle: number): void {
    if (idle === 0 || this.#spam.take(this.#desks.context.now, from, idle)) return
    this.#desks.context.refuse(from, 20, 'more votes that serve nothing than a member has reason to send')
  }

  /** Whether it can have been of use (B-30). Checkpoints are few, and each could name a height that is nowhere. */
  #onVote(seat: Seat, from: NodeId, cast: CastVote): boolean {
    const { vote } = cast
    if (vote.kind === 'checkpoint') {
      this.#desks.checkpointing.receive(seat, { ...cast, vote }, false)
      return false
    }
    if (vote.kind === 'commit') this.#onCommit(from, vote.digest)
    return this.#desks.voting.receive(seat, from, cast, vote)
  }

  #onCommit(from: NodeId, digest: Digest): void {
    const block = this.#desks.chain.get(digest)?.block
    if (block !== undefined) this.#desks.syncing.onCommit(from, this.epoch, (block.header.height - 1) as Height)
  }

  #onDurable(mark: number): void {
    const { seat } = this.#desks.context
    for (const cast of this.#desks.voting.durable(mark)) {
      const { vote } = cast
      if (seat !== undefined && vote.kind === 'checkpoint')
        this.#desks.checkpointing.receive(seat, { ...cast, vote }, true)
    }
  }

  /** Requests of any client, from anyone: worth a place in the pool once their signatures are found good. */
  #onRequests(from: NodeId, requests: readonly SignedRequest[]): void {
    if (!this.#desks.context.member) return
    for (const { request } of requests) this.#desks.pool.broughtBy(request, from)
    const fresh = requests.filter(
      ({ request }) => request.client !== this.#desks.context.self && this.#desks.judging.isWanted(request),
    )
    const claims = fresh.map((signed) => requestClaim(this.#desks.context.group.id, signed))
    if (claims.length === 0) return
    this.#desks.context.inspect(from, claims, (valid) => {
      fresh.forEach((signed, i) => {
        if (valid[i] !== true) this.#desks.context.badSignature(from, 'a request')
        else if (this.#desks.judging.isWanted(signed.request)) this.#desks.pool.add(signed, from)
      })
    })
  }

  /** Runs everything that can go on, until nothing moves. */
  #settle(): void {
    let busy = false
    for (let round = 0; round < ROUNDS_PER_STEP; round++) {
      // Whatever moves us is written down, so nothing written means that nothing moved.
      const before = this.#desks.context.mark
      this.#desks.finalising.run()
      this.#desks.finalising.applyStable()
      const bundled = this.#bundleRequests()
      this.#desks.proposing.consider()
      this.#sendRequests(bundled)
      this.#desks.judging.consider()
      busy = this.#busy()
      this.#desks.voting.setBusy(busy)
      this.#desks.voting.tick()
      if (this.#desks.context.mark === before) break
    }
    this.#desks.syncing.settle(
      busy || this.#desks.intake.pending > 0,
      this.#desks.moved,
      this.#desks.voting.pace.timeoutMs(),
    )
    this.#desks.moved = false
  }

  /** Whether there is something to decide (B-27). */
  #busy(): boolean {
    if (!this.#desks.context.member) return false
    return (
      this.#desks.pool.size > 0 ||
      !this.#desks.proposing.tipFinal ||
      this.#desks.checkpointing.pending !== undefined ||
      this.#desks.openEvidence().length > 0 ||
      this.#desks.voting.othersSkip() ||
      this.#desks.execution.membersChange(this.#desks.context.group)
    )
  }

  #bundleRequests(): readonly SignedRequest[] {
    const bundled = this.#desks.intake.bundle(this.#desks.floor, (client) => this.#desks.execution.sessionOf(client))
    const { member, self } = this.#desks.context
    if (member) for (const signed of bundled) this.#desks.pool.add(signed, self)
    return bundled
  }

  /** To every member (B-12). What this member proposes at once they have from its proposal. */
  #sendRequests(bundled: readonly SignedRequest[]): void {
    if (bundled.length === 0) return
    const proposed = this.#desks.proposing.current?.block.requests ?? []
    const requests = bundled.filter((signed) => !proposed.includes(signed))
    if (requests.length > 0) this.#desks.context.broadcast({ kind: 'request', requests })
  }

  /** What is held in memory, for tests of the bounds and for metrics (B-9). */
  load(): {
    readonly views: number
    readonly chainBytes: number
    readonly requests: number
    readonly inspections: number
  } {
    return {
      views: this.#desks.voting.ledger.views,
      chainBytes: this.#desks.chain.bytes,
      requests: this.#desks.pool.size,
      inspections: this.#desks.context.outstanding,
    }
  }

  /** What `council status` shows. */
  status(): ConsensusStatus {
    const { group, member, self } = this.#desks.context
    const { certificate, height } = this.#desks.checkpointing.stable
    return {
      group: group.id,
      role: member ? 'member' : 'follower',
      abstaining: this.#desks.recovery.abstains(group.epoch, this.#desks.voting.view),
      epoch: group.epoch,
      view: this.#desks.voting.view,
      height: this.#desks.chain.height,
      primary: group.primaryOf(this.#desks.voting.view),
      f: group.f,
      quorum: group.q,
      checkpoint: certificate === undefined ? undefined : { height, root: certificate.vote.root },
      members: group.members.map((node) => {
        const heard = this.#desks.syncing.heard(node)
        return {
          node,
          height: node === self ? this.#desks.chain.height : heard?.height,
          heardAt: node === self ? this.#desks.context.now : heard?.at,
          convicted: this.#desks.execution.convicted.has(node) || this.#desks.convictions.has(node),
        }
      }),
      pendingRequests: this.#desks.pool.size,
    }
  }
}
