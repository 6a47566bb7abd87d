import type { Entry } from './chain.ts'
import type { Desks } from './desks.ts'
import type { SavedState } from './execution.ts'
import type { Group } from './group.ts'
import { closes, ledTo } from './handovers.ts'
import type { LogRecord } from './records.ts'
import type { CheckpointCertificate, CommitCertificate, Decision, Height } from './types.ts'

/** What follows from certainty: executing what is committed, cutting at what is stable, passing from epoch to epoch. */
export class Finalising {
  readonly #desks: Desks
  /** What is known to be committed and not final yet, for it waits for blocks: the highest, and the latest below it. */
  #highest: CommitCertificate | undefined
  #lower: CommitCertificate | undefined
  /** A stable checkpoint whose consequences wait for the end of the step: desks are not replaced under their own feet. */
  #stableDue: { readonly certificate: CheckpointCertificate; readonly since: Height } | undefined
  /** The stable height before the last: blocks above it are kept for members that lag by up to a segment. */
  #cutBelow: Height
  /** What leads to the state being transferred, from our epoch or from the genesis. */
  transferPath: { readonly from: Group; readonly checkpoints: readonly CheckpointCertificate[] } | undefined

  constructor(desks: Desks) {
    this.#desks = desks
    this.#cutBelow = desks.checkpointing.stable.height
  }

  get stableDue(): boolean {
    return this.#stableDue !== undefined
  }

  /** Aims at a block known to be committed. */
  aim(certificate: CommitCertificate): void {
    if (this.#highest === undefined || certificate.view >= this.#highest.view) this.#highest = certificate
    else this.#lower = certificate
  }

  /** Executes up to the highest block known to be committed, as far as blocks are at hand. */
  run(): void {
    if (this.#lower !== undefined && this.#finalise(this.#lower)) this.#lower = undefined
    if (this.#highest === undefined || !this.#finalise(this.#highest)) return
    this.#highest = undefined
    this.#lower = undefined
  }

  /** False: a block on the way there is missing. */
  #finalise(certificate: CommitCertificate): boolean {
    const path = this.#desks.chain.path(certificate.digest)
    if (path.kind === 'missing') {
      this.#desks.syncing.miss(path.digest, undefined)
      return false
    }
    if (path.kind !== 'known' || path.entries.length === 0) return true
    for (const entry of path.entries) this.#execute(entry, certificate)
    this.#desks.chain.setCommit(this.#desks.chain.height, certificate)
    this.#desks.context.persist({ kind: 'certificate', certificate })
    this.#desks.voting.pace.finalised()
    this.#desks.context.effect({
      kind: 'announce',
      epoch: this.#desks.context.group.epoch,
      height: this.#desks.chain.height,
    })
    this.#desks.moved = true
    return true
  }

  #execute(entry: Entry, certificate: CommitCertificate): void {
    const { block, digest } = entry
    const { header } = block
    if (!this.#desks.context.logged.delete(digest)) this.#desks.context.persist({ kind: 'block', block })
    const results = this.#desks.execution.apply(block)
    this.#desks.chain.finalise(entry)
    for (const { request } of block.requests) this.#desks.pool.remove(request)
    const decision: Decision = { block, digest, results, certificate }
    this.#desks.intake.finalised(decision)
    const operations = results.reduce((sum, { outcomes }) => sum + outcomes.length, 0)
    this.#desks.context.observe({
      kind: 'consensus.finalised',
      height: header.height,
      view: certificate.view,
      operations,
    })
    this.#desks.context.emit({ kind: 'finalised', decision })
    if (!header.boundary) return
    this.#desks.checkpointing.reached(
      this.#desks.execution.save(this.#desks.context.group, { digest, height: header.height, at: header.at }),
    )
    this.sweepPool()
  }

  /** Drops requests that can no longer count, so that nobody waits for them. */
  sweepPool(): void {
    const height = (this.#desks.chain.height + 1) as Height
    this.#desks.pool.sweep((request) => this.#desks.execution.judge(request, height) === undefined)
    const renewed = this.#desks.intake.renew((request) => {
      const replay = this.#desks.execution.judge(request, height)
      return replay === 'expired' || replay === 'forgotten'
    }, this.#desks.floor)
    if (this.#desks.context.member) for (const signed of renewed) this.#desks.pool.add(signed, this.#desks.context.self)
  }

  onStable(certificate: CheckpointCertificate): void {
    this.#desks.context.observe({
      kind: 'consensus.checkpoint-stable',
      height: certificate.vote.height,
      root: certificate.vote.root,
    })
    this.#stableDue = { certificate, since: this.#stableDue?.since ?? this.#cutBelow }
    this.#cutBelow = certificate.vote.height
  }

  applyStable(): void {
    const due = this.#stableDue
    if (due === undefined) return
    this.#stableDue = undefined
    const { certificate, since } = due
    this.#desks.transfer.stop(certificate.vote.height)
    this.#desks.chain.cut(since)
    const { group } = this.#desks.context
    if (closes(certificate, group)) {
      this.#desks.checkpointing.handovers.add(certificate)
      this.#startEpoch(group.successor(certificate.vote.members))
    }
    this.#cutLog()
  }

  #startEpoch(group: Group): void {
    this.#desks.context.group = group
    this.#desks.anchor = this.#desks.checkpointing.handovers.chain.at(-1)?.vote.digest ?? this.#desks.anchor
    this.#desks.checkpointing.startEpoch()
    this.#desks.convictions.startEpoch()
    this.#highest = undefined
    this.#lower = undefined
    this.#desks.openEpoch()
    // What this node asked for as a follower only the others hold: as a member it may be the one to propose it.
    if (this.#desks.context.member) {
      for (const signed of this.#desks.intake.flying()) this.#desks.pool.add(signed, this.#desks.context.self)
    }
    this.#desks.recovery.startEpoch()
    this.#desks.moved = true
    this.#desks.context.observe({ kind: 'consensus.epoch-started', epoch: group.epoch, members: group.members })
    this.#desks.context.emit({ kind: 'epoch-started', epoch: group.epoch, members: group.members })
  }

  /** B-19: the log from the stable checkpoint on says all that the whole log said. */
  #cutLog(): void {
    const { stable, handovers } = this.#desks.checkpointing
    if (stable.certificate === undefined) return
    const records: LogRecord[] = handovers.chain.map((checkpoint) => ({ kind: 'handover', checkpoint }))
    records.push({ kind: 'snapshot', checkpoint: stable.certificate, chunks: stable.chunks.length })
    for (const bytes of stable.chunks) records.push({ kind: 'chunk', bytes })
    if (this.#desks.recovery.trust !== 'trusted') records.push({ kind: 'suspect' })
    if (this.#desks.recovery.trust === 'watchful') {
      records.push({
        kind: 'cleared',
        epoch: this.#desks.context.group.epoch,
        view: this.#desks.voting.view,
        entirely: false,
      })
    }
    this.#desks.context.logged.clear()
    for (const { block, digest } of this.#desks.chain.above(stable.height)) {
      records.push({ kind: 'block', block })
      this.#desks.context.logged.add(digest)
    }
    const head = this.#desks.chain.commitAt(this.#desks.chain.height)
    if (head !== undefined && this.#desks.chain.height > stable.height)
      records.push({ kind: 'certificate', certificate: head })
    for (const certificate of this.#desks.voting.standing) records.push({ kind: 'certificate', certificate })
    for (const cast of this.#desks.voting.ownVotes()) records.push({ kind: 'vote', cast })
    this.#desks.context.compact(records)
  }

  /** Whether it leads on from what we hold: meanwhile we may have entered another epoch by ourselves. */
  #isPathOurs(): boolean {
    const from = this.transferPath?.from
    const { context, checkpointing } = this.#desks
    return from === undefined || from === context.group || from === checkpointing.handovers.genesis
  }

  /** The membership that certified a state, once the handovers that lead to it are ours. */
  #followPath(certificate: CheckpointCertificate): Group {
    const { context, checkpointing } = this.#desks
    const { from, checkpoints } = this.transferPath ?? { from: context.group, checkpoints: [] }
    if (from === checkpointing.handovers.genesis) checkpointing.handovers.clear()
    let group = from
    for (const checkpoint of checkpoints) {
      const next = checkpoint === certificate ? undefined : ledTo(checkpoint, group, context.rules)
      if (next === undefined) continue
      checkpointing.handovers.add(checkpoint)
      group = next
    }
    return group.at(certificate.vote.epoch)
  }

  /** A certified state has arrived: go on from there. */
  onTransferred(certificate: CheckpointCertificate, state: SavedState): void {
    if (certificate.vote.height < this.#desks.chain.height || !this.#isPathOurs()) return
    const at = this.#desks.execution.restore(state.chunks)
    if (at === undefined) {
      this.#desks.context.observe({
        kind: 'consensus.refused',
        from: this.#desks.context.self,
        why: 'a certified state that this version cannot read',
      })
      return
    }
    const { height, digest } = certificate.vote
    const group = this.#followPath(certificate)
    this.#desks.chain.restart({ digest, header: { height, at, boundary: true }, segmentBlocks: 0, segmentBytes: 0 })
    this.#desks.context.logged.clear()
    if (group.epoch !== this.#desks.context.group.epoch) this.#startEpoch(group)
    this.#desks.checkpointing.adopt(certificate, state)
    this.#desks.intake.transferred(
      (request) => this.#desks.execution.judge(request, (height + 1) as Height) !== undefined,
    )
    this.sweepPool()
    this.#desks.context.emit({ kind: 'state-transferred', height })
  }
}
