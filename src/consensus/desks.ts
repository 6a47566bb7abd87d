import type { Signer } from '../identity/types.ts'
import type { NodeId, WallMillis } from '../kernel/index.ts'
import type { Machine } from '../wire/index.ts'
import { Believing } from './believing.ts'
import { Chain } from './chain.ts'
import { Checkpointing } from './checkpointing.ts'
import type { Context } from './context.ts'
import { Convictions } from './convictions.ts'
import { Execution } from './execution.ts'
import { Finalising } from './finalising.ts'
import { Intake } from './intake.ts'
import { Judging } from './judging.ts'
import { REQUEST_LAG_COUNT } from './params.ts'
import { RequestPool } from './pool.ts'
import { Proposing } from './proposing.ts'
import type { LogRecord } from './records.ts'
import { Recovery, type Trust } from './recovery.ts'
import { replay } from './replay.ts'
import { Serving } from './serving.ts'
import { Syncing } from './syncing.ts'
import { Transfer } from './transfer.ts'
import type { Digest, Evidence, Height, LogTrust, Status, View } from './types.ts'
import { Voting } from './voting.ts'

/** What a core is set up with, beside its context. */
export interface Setup {
  readonly genesis: Digest
  readonly machine: Machine
  readonly session: number
  /** In whose names this node submits; itself first. */
  readonly clients: readonly Signer[]
  readonly records: readonly LogRecord[]
  readonly log: LogTrust
}

/** What the host says of the log counts for more than what the log says of itself. */
function trustIn(log: LogTrust, resumed: Trust): Trust {
  if (log === 'suspect') return 'suspect'
  return log === 'vouched' ? 'trusted' : resumed
}

interface EpochDesks {
  readonly voting: Voting
  readonly judging: Judging
  readonly proposing: Proposing
}

/** The desks of one core and the wires between them. Those of an epoch are replaced when the next begins. */
export class Desks {
  readonly context: Context
  readonly chain: Chain
  readonly execution: Execution
  readonly pool: RequestPool
  readonly intake: Intake
  readonly checkpointing: Checkpointing
  readonly transfer: Transfer
  readonly recovery: Recovery
  readonly syncing: Syncing
  readonly serving: Serving
  readonly convictions: Convictions
  readonly believing: Believing
  readonly finalising: Finalising
  #current: EpochDesks
  /** The block this epoch stands on. */
  anchor: Digest
  /** Whether the view or the chain moved in this step. */
  moved = false

  constructor(context: Context, setup: Setup) {
    const { params, hashing, rules } = context
    this.context = context
    this.chain = new Chain(hashing, params.chainBytesMax, {
      digest: setup.genesis,
      header: { height: 0 as Height, at: 0 as WallMillis, boundary: true },
      segmentBlocks: 0,
      segmentBytes: 0,
    })
    this.execution = new Execution(setup.machine, hashing, params, rules)
    this.pool = new RequestPool(params)
    this.intake = new Intake(context, setup.session, setup.clients)
    this.checkpointing = new Checkpointing(context, {
      cast: (vote) => this.voting.castCheckpoint(vote),
      onStable: (certificate) => this.finalising.onStable(certificate),
      onCheckpointAhead: (certificate) => this.believing.onCheckpointAhead(certificate),
      onEvidence: (evidence) => this.convictions.consider(evidence.signer, evidence),
    })
    this.transfer = new Transfer(context, (certificate, chunks, digests) =>
      this.finalising.onTransferred(certificate, { vote: certificate.vote, chunks, digests }),
    )
    this.convictions = new Convictions(context, (evidence) => context.emit({ kind: 'convicted', evidence }))
    this.serving = new Serving(context, this.chain, this.checkpointing)
    this.syncing = new Syncing(context)
    this.believing = new Believing(this)

    const resumed = replay(setup.records, this)
    this.anchor = resumed.anchor
    this.finalising = new Finalising(this)
    this.recovery = new Recovery(context, trustIn(setup.log, resumed.trust))
    this.#current = this.#setOut()
    this.voting.resume(resumed)
    context.take()
    if (setup.log === 'suspect') context.persist({ kind: 'suspect' })
    if (setup.log === 'vouched' && resumed.trust !== 'trusted') {
      context.persist({ kind: 'cleared', epoch: context.group.epoch, view: this.voting.view, entirely: true })
    }
  }

  get voting(): Voting {
    return this.#current.voting
  }

  get judging(): Judging {
    return this.#current.judging
  }

  get proposing(): Proposing {
    return this.#current.proposing
  }

  status(): Status {
    return { kind: 'status', epoch: this.context.group.epoch, view: this.voting.view, height: this.chain.height }
  }

  /** Where own requests begin. */
  get floor(): Height {
    return Math.max(0, this.chain.height - REQUEST_LAG_COUNT) as Height
  }

  /** Evidence against members that the group has not convicted yet. */
  openEvidence(): readonly Evidence[] {
    if (!this.convictions.any) return []
    return this.convictions.held.filter(({ signer }) => !this.execution.convicted.has(signer))
  }

  /** B-29: who brought a block's requests. Everybody waits for a boundary to be final. */
  #awaiting(digest: Digest): readonly NodeId[] | undefined {
    const block = this.chain.get(digest)?.block
    return block === undefined || block.header.boundary ? undefined : this.pool.bringersOf(block.requests)
  }

  /** Replaces the desks of the last epoch by those of the current one. */
  openEpoch(): void {
    this.#current = this.#setOut()
  }

  #setOut(): EpochDesks {
    const context = this.context
    const abstains = (view: View): boolean => !context.member || this.recovery.abstains(context.group.epoch, view)
    const onAhead = (from: NodeId): void => this.syncing.askStanding(from)
    const boundary = (height: Height) => this.checkpointing.boundary(height)
    const voting = new Voting(
      context,
      {
        onCommitted: (certificate) => {
          this.finalising.aim(certificate)
        },
        awaiting: (digest) => this.#awaiting(digest),
        onEvidence: (evidence) => this.convictions.consider(evidence.signer, evidence),
        onView: () => {
          this.moved = true
          this.recovery.reached(this.voting.view)
        },
        abstains,
        onAhead,
        onBehind: (from) => this.syncing.help(from, this.voting.standing),
      },
      this.anchor,
    )
    const desks = { voting, chain: this.chain, execution: this.execution, pool: this.pool }
    const judging = new Judging(
      context,
      {
        believe: (certificate) => this.believing.believe(certificate),
        onMissing: (digest, from) => this.syncing.miss(digest, from),
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
        checkpoint: () => this.checkpointing.stable.certificate,
        evidence: () => this.openEvidence(),
        onMissing: (digest) => this.syncing.miss(digest, undefined),
        abstains: () => abstains(voting.view),
      },
      desks,
    )
    return { voting, judging, proposing }
  }
}
