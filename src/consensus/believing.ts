import { after, type Millis, type NodeId } from '../kernel/index.ts'
import { claimsOf, votesOf, wellFormed } from './certificates.ts'
import type { Desks } from './desks.ts'
import type { Group } from './group.ts'
import { ledTo } from './handovers.ts'
import { CHECKPOINTS_PER_MESSAGE_MAX } from './params.ts'
import type {
  Block,
  Certificate,
  CheckpointCertificate,
  Claim,
  CommitCertificate,
  Epoch,
  Message,
  View,
} from './types.ts'

/** Memberships beyond ours that were proven: the checkpoints that lead to them, and the last of them. */
interface Path {
  /** Our own while this was found. */
  readonly start: Group
  /** Where it begins: at ours, or at the genesis if nothing leads on from ours any more. */
  readonly from: Group
  readonly closing: readonly CheckpointCertificate[]
  readonly end: Group
}

/** Of `fetchTimeoutMs`: what has led us nowhere for so long, though we asked again, does not lead on any more. */
const STALLED_TIMEOUTS = 100

/** What others show us: certificates, blocks and checkpoints, each believed as far as it proves itself (B-3, B-22). */
export class Believing {
  readonly #desks: Desks
  /** How far others have led us beyond our epoch: what one answer shows need not be enough. */
  #path: Path | undefined
  /** Who has shown us what leads on from another membership than the one we have got to. */
  readonly #strayed = new Set<NodeId>()
  /** When the path last grew, and when we asked for what leads on from its end. */
  #ledAt = 0 as Millis
  #askedAt = 0 as Millis

  constructor(desks: Desks) {
    this.#desks = desks
  }

  /** B-7: what belongs to another epoch has no say here; it tells that one of us lags. */
  ofThisEpoch(from: NodeId, epoch: Epoch): boolean {
    if (this.#desks.context.rules.sameEpoch(epoch, this.#desks.context.group.epoch)) return true
    if (epoch > this.#desks.context.group.epoch)
      this.#desks.syncing.askBlocks(from, this.#desks.context.group.epoch, this.#desks.chain.height)
    else this.#desks.syncing.nudge(from, this.#desks.status())
    return false
  }

  /** How many of these served nothing (B-30). */
  onCertificates(from: NodeId, certificates: readonly Certificate[]): number {
    let idle = 0
    for (const certificate of certificates) {
      if (!this.ofThisEpoch(from, epochOf(certificate)) || !this.#serves(certificate)) idle += 1
      else this.#check(from, certificate, () => undefined)
    }
    return idle
  }

  /** Whether one of this epoch, if it is good, moves us, makes something final, or holds votes of views that votes are kept of. */
  #serves(certificate: Certificate): boolean {
    const { voting } = this.#desks
    if (this.#believes(certificate)) return false
    if (certificate.kind === 'checkpoint') return true
    if (certificate.view > voting.view || voting.inWindow(certificate.view)) return true
    if (certificate.kind === 'commit') return certificate.view > (voting.committed?.view ?? 0)
    const tip = certificate.kind === 'skip' ? (certificate.tip?.view ?? 0) : certificate.view
    return tip > voting.tip.view
  }

  /** Believes a certificate if it is one; `then` runs once it is believed, now or before. */
  #check(from: NodeId, certificate: Certificate, then: () => void): void {
    const { group } = this.#desks.context
    if (!this.ofThisEpoch(from, epochOf(certificate))) return
    if (!wellFormed(certificate, group, this.#desks.context.rules)) {
      this.#desks.context.refuse(from, 20, 'a certificate that is none')
      return
    }
    if (this.#believes(certificate)) {
      then()
      return
    }
    this.#desks.context.inspect(from, claimsOf(certificate, group), (valid) => {
      if (valid.some((good) => !good)) return this.#desks.context.badSignature(from, 'a certificate')
      if (this.#desks.context.group !== group) return
      this.believe(certificate)
      then()
    })
  }

  #believes(certificate: Certificate): boolean {
    const { checkpointing, voting } = this.#desks
    if (certificate.kind !== 'checkpoint') return voting.believes(certificate)
    return certificate.vote.height <= checkpointing.stable.height || checkpointing.known(certificate) !== undefined
  }

  /** Acts on a certificate whose signatures were found good, and holds its votes against others of the same members. */
  believe(certificate: Certificate): void {
    if (certificate.kind === 'checkpoint') {
      this.#desks.checkpointing.believe(certificate)
      return
    }
    if (certificate.kind === 'skip' && certificate.tip !== undefined && !this.#desks.voting.believes(certificate.tip)) {
      this.believe(certificate.tip)
    }
    const self = this.#desks.context.seat
    for (const { seat, cast } of votesOf(certificate)) {
      if (
        seat === self &&
        !this.#desks.voting.ballot.explains(cast.vote) &&
        this.#desks.context.rules.mindsOwnGhost()
      ) {
        this.#desks.recovery.doubt('a vote of ours turned up that we do not remember')
      }
      this.#desks.voting.absorb(seat, cast)
    }
    if (certificate.kind === 'prepare') this.#desks.voting.certified(certificate)
    else if (certificate.kind === 'commit') this.#desks.voting.committedBy(certificate)
    else this.#desks.voting.skipped(certificate)
  }

  /** What a peer shows about its view bounds where we may have voted (B-20). */
  onStanding(from: NodeId, { epoch, certificates }: Extract<Message, { kind: 'standing' }>): number {
    if (!this.ofThisEpoch(from, epoch)) return 1
    let proven = 1
    let open = certificates.length
    // One answer, once all that it shows is believed: half of it could prove too little.
    const shown = (view: number): void => {
      proven = Math.max(proven, view + 1)
      open -= 1
      if (open === 0) this.#desks.recovery.answer(from, proven as View)
    }
    if (open === 0) this.#desks.recovery.answer(from, proven as View)
    let idle = 0
    for (const certificate of certificates) {
      const view = certificate.kind === 'checkpoint' ? 0 : certificate.view
      if (!this.ofThisEpoch(from, epochOf(certificate)) || this.#serves(certificate)) {
        this.#check(from, certificate, () => shown(view))
        continue
      }
      idle += 1
      // Believed, or of a view so low that it bounds nothing: as good as not shown.
      shown(view)
    }
    return idle
  }

  onBlock(block: Block): void {
    const digest = this.#desks.context.hashing.header(block.header)
    if (!this.#desks.syncing.misses(digest) || block.header.payload !== this.#desks.context.hashing.payload(block))
      return
    this.#desks.syncing.found(digest)
    this.#desks.chain.add(block)
  }

  /** How much of it served nothing (B-30). */
  onBlocks(from: NodeId, { blocks, commit, checkpoints }: Extract<Message, { kind: 'blocks' }>): number {
    this.#desks.syncing.blocksArrived()
    let idle = 0
    const { group } = this.#desks.context
    // Beyond our epoch, to which we have the path: of use once we are there.
    const isBeyond = commit !== undefined && commit.epoch > group.epoch && this.#path?.start === group
    if (commit !== undefined && !isBeyond && !this.#onDecided(from, blocks, commit)) idle += 1
    if (checkpoints.length > 0 && !this.#onCheckpoints(from, checkpoints, blocks.length === 0)) idle += 1
    return idle
  }

  /** Blocks, and a certificate of the last of them or of one above. False: none of it is news. */
  #onDecided(from: NodeId, blocks: readonly Block[], commit: CommitCertificate): boolean {
    const before = this.#desks.chain.height
    const { hashing } = this.#desks.context
    const linked = blocks.every(
      ({ header, ...body }, i) =>
        header.payload === hashing.payload(blocks[i] ?? body) &&
        (i === 0 || header.parent === hashing.header((blocks[i - 1] ?? { header }).header)),
    )
    const last = blocks.at(-1)
    const proven = linked && last !== undefined && hashing.header(last.header) === commit.digest
    const isNews = proven ? last.header.height > before : this.#serves(commit)
    if (!isNews && !this.#believes(commit)) return false
    this.#check(from, commit, () => {
      if (proven) for (const block of blocks) this.#desks.chain.add(block)
      this.#desks.finalising.aim(commit)
      this.#desks.finalising.run()
      if (this.#desks.chain.height > before) this.#askOn(from)
    })
    return isNews
  }

  #askOn(from: NodeId): void {
    const heard = this.#desks.syncing.heard(from)
    if (
      heard !== undefined &&
      (heard.height > this.#desks.chain.height || heard.epoch > this.#desks.context.group.epoch)
    ) {
      this.#desks.syncing.askBlocks(from, this.#desks.context.group.epoch, this.#desks.chain.height)
    }
  }

  /**
   * Checkpoints from our epoch on, each signed by the membership that the one before it names; a part of them per answer.
   * False: none of them is news.
   */
  #onCheckpoints(from: NodeId, shown: readonly CheckpointCertificate[], cut: boolean): boolean {
    const start = this.#desks.context.group
    const known = this.#path?.start === start ? this.#path : { start, from: start, closing: [], end: start }
    const fresh = this.#freshOf(shown, known)
    const [first] = fresh
    if (first === undefined) {
      this.#askBeyond(from, known)
      return false
    }
    if (!this.#attaches(known.end, shown, first)) {
      this.#stray(from, known)
      return false
    }
    const led = this.#lead(from, known, fresh)
    if (led === undefined) return true
    this.#desks.context.inspect(from, led.claims, (valid) => {
      if (valid.some((good) => !good)) return this.#desks.context.badSignature(from, 'a checkpoint')
      if (this.#desks.context.group !== start) return
      if (this.#path?.start !== start || this.#path.end.epoch < led.path.end.epoch) this.#led(led.path)
      for (const checkpoint of fresh) {
        if (checkpoint.vote.epoch === start.epoch) this.#desks.checkpointing.believe(checkpoint)
      }
      if (this.#desks.finalising.stableDue) return this.#askOn(from)
      this.#transferTo(from, known.from, [...known.closing, ...fresh], cut || known.closing.length > 0)
      if (shown.length >= CHECKPOINTS_PER_MESSAGE_MAX) this.#askBeyond(from, led.path)
    })
    return true
  }

  /** Those that lead on from a path, or tell of a state beyond ours, in ascending order; of one that is known, our own copy. */
  #freshOf(shown: readonly CheckpointCertificate[], { start, from, end }: Path): readonly CheckpointCertificate[] {
    const { checkpointing, context } = this.#desks
    const fresh: CheckpointCertificate[] = []
    for (const checkpoint of shown) {
      const { epoch, height } = checkpoint.vote
      if (epoch < end.epoch || height <= (fresh.at(-1)?.vote.height ?? 0)) continue
      // A log that was cut can hold the state at the end of an epoch and not what closed it. Who strayed begins anew (B-32).
      const isPast = height <= checkpointing.stable.height && from === start
      if (isPast && ledTo(checkpoint, end, context.rules) === undefined) continue
      fresh.push(checkpointing.known(checkpoint) ?? checkpoint)
    }
    return fresh
  }

  /**
   * Whether what is shown leads on from this membership: it closes its epoch, or one in which it has returned. The checkpoint
   * before it tells whose epoch it closes, the genesis if there is none.
   */
  #attaches(end: Group, shown: readonly CheckpointCertificate[], first: CheckpointCertificate): boolean {
    if (first.vote.epoch === end.epoch) return true
    const { context, checkpointing } = this.#desks
    const before = shown[shown.indexOf(first) - 1]?.vote.members ?? checkpointing.handovers.genesis.members
    return end.sameMembers(before) && ledTo(first, end, context.rules) !== undefined
  }

  /**
   * B-32: nothing that this peer holds leads on from where we have got to. Where more say so than can lie, it has been left out,
   * which the genesis never is. While others lead us on, what answers another question looks the same.
   */
  #stray(from: NodeId, known: Path): void {
    const { start, closing, end } = known
    const { context, checkpointing, chain, syncing } = this.#desks
    const { genesis } = checkpointing.handovers
    const isLed = known.from !== start || closing.length > 0
    const { fetchTimeoutMs } = context.params
    if (isLed && context.now >= after(this.#askedAt, fetchTimeoutMs)) this.#askBeyond(from, known)
    if (isLed && context.now < after(this.#ledAt, STALLED_TIMEOUTS * fetchTimeoutMs)) return
    this.#strayed.add(from)
    if ((!isLed && end === genesis) || this.#strayed.size <= start.f) return
    this.#led({ start, from: genesis, closing: [], end: genesis })
    this.#askedAt = context.now
    syncing.follow(from, genesis.epoch, chain.height)
  }

  #led(path: Path): void {
    this.#path = path
    this.#ledAt = this.#desks.context.now
    this.#strayed.clear()
  }

  /** Where these checkpoints lead to from the end of a path, and what is to be checked for it; undefined if they do not. */
  #lead(
    from: NodeId,
    { start, from: begin, closing, end }: Path,
    checkpoints: readonly CheckpointCertificate[],
  ): { readonly path: Path; readonly claims: readonly Claim[] } | undefined {
    let group = end
    const claims: Claim[] = []
    const further: CheckpointCertificate[] = []
    for (const checkpoint of checkpoints) {
      const next = ledTo(checkpoint, group, this.#desks.context.rules)
      if (next === undefined && !wellFormed(checkpoint, group, this.#desks.context.rules)) {
        this.#desks.context.refuse(from, 20, 'a checkpoint that is none')
        return undefined
      }
      if (this.#desks.checkpointing.known(checkpoint) !== checkpoint) claims.push(...claimsOf(checkpoint, group))
      if (next === undefined) continue
      further.push(checkpoint)
      group = next
    }
    return { path: { start, from: begin, closing: [...closing, ...further], end: group }, claims }
  }

  /** Takes over the state that the last of these is about, if we cannot get there by blocks. */
  #transferTo(peer: NodeId, from: Group, checkpoints: readonly CheckpointCertificate[], cut: boolean): void {
    const { chain, transfer, finalising } = this.#desks
    const last = checkpoints.at(-1)
    if (last === undefined || !cut || last.vote.height <= Math.max(chain.height, transfer.height ?? 0)) return
    finalising.transferPath = { from, checkpoints }
    transfer.start(last, peer)
  }

  /** A peer shows so many checkpoints at a time: the next ones, whoever may hold the state at the last by now. */
  #askBeyond(from: NodeId, { closing, end }: Path): void {
    const { context, chain, checkpointing, syncing } = this.#desks
    const last = closing.at(-1)
    if (last === undefined && end !== checkpointing.handovers.genesis) return
    this.#askedAt = context.now
    syncing.follow(from, end.epoch, last?.vote.height ?? chain.height)
  }

  onCheckpointAhead(certificate: CheckpointCertificate): void {
    const next = this.#desks.syncing.next()
    // Our own state at that height is not the certified one: it is of no use to anyone.
    if (certificate.vote.height <= this.#desks.chain.height) {
      if (this.#desks.checkpointing.pending?.vote.height !== certificate.vote.height || next === undefined) return
      this.#desks.finalising.transferPath = { from: this.#desks.context.group, checkpoints: [certificate] }
      this.#desks.transfer.start(certificate, next)
      return
    }
    if (next !== undefined)
      this.#desks.syncing.askBlocks(next, this.#desks.context.group.epoch, this.#desks.chain.height)
  }
}

function epochOf(certificate: Certificate): Epoch {
  return certificate.kind === 'checkpoint' ? certificate.vote.epoch : certificate.epoch
}
