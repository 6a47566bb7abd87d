import { after, earliest, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import { Ballot } from './ballot.ts'
import { Beliefs } from './beliefs.ts'
import { assemble } from './certificates.ts'
import type { Context } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { type Tally, type ViewVote, VoteLedger } from './ledger.ts'
import { Pace } from './pace.ts'
import { Patience } from './patience.ts'
import type { Resumed } from './replay.ts'
import { voteClaim } from './statements.ts'
import type {
  CastVote,
  CheckpointVote,
  CommitCertificate,
  Digest,
  Evidence,
  Seat,
  SkipCertificate,
  TipCertificate,
  View,
  Vote,
} from './types.ts'

/** The highest certified block this member knows: what a proposal must stand on. */
export interface Tip {
  readonly view: View
  readonly digest: Digest
  /** Absent on the epoch's anchor. */
  readonly certificate: TipCertificate | undefined
}

/** What moving through the views brings about elsewhere. */
export interface VotingEvents {
  /** A block is final, and all below it. */
  onCommitted(certificate: CommitCertificate): void
  /** Who waits for this block to be final; undefined if everybody may. */
  awaiting(digest: Digest): readonly NodeId[] | undefined
  onEvidence(evidence: Evidence): void
  onView(): void
  /** Votes this member may not cast now (B-20). */
  abstains(view: View): boolean
  /** A peer speaks of views we cannot have reached: we lag. */
  onAhead(from: NodeId): void
  /** A peer is in a view that we have left. */
  onBehind(from: NodeId): void
}

/**
 * One epoch's views: counting votes into certificates and moving by them (README, "The view rules"). Casting a vote is
 * always: make it durable, then send it, and count it when it is durable (B-19).
 */
export class Voting {
  readonly #context: Context
  readonly #events: VotingEvents
  readonly ballot: Ballot
  readonly ledger: VoteLedger
  readonly pace: Pace
  /** The block this epoch starts on. */
  readonly anchor: Digest
  readonly #beliefs: Beliefs
  readonly #patience: Patience
  readonly #last = new Map<Vote['kind'], CastVote>()
  readonly #waiting: { readonly mark: number; readonly cast: CastVote }[] = []
  #view: View
  /** Whose turn it is. */
  #primary: Seat
  #tip: Tip
  #skip: SkipCertificate | undefined
  #committed: CommitCertificate | undefined
  #enteredAt: Millis
  #busySince: Millis | undefined
  #satOut = false

  constructor(context: Context, events: VotingEvents, anchor: Digest) {
    const { group, params, rules } = context
    this.#context = context
    this.#events = events
    this.ballot = new Ballot(group.epoch, rules)
    this.ledger = new VoteLedger(group, rules)
    this.pace = new Pace(params, rules, group.size, group.q)
    this.#beliefs = new Beliefs(params.viewsBehindMax + params.viewsAheadMax)
    this.#patience = new Patience(context)
    this.anchor = anchor
    this.#view = 1 as View
    this.#primary = group.primarySeat(this.#view)
    this.#tip = { view: 0 as View, digest: anchor, certificate: undefined }
    this.#enteredAt = context.now
  }

  get view(): View {
    return this.#view
  }

  get primary(): Seat {
    return this.#primary
  }

  get tip(): Tip {
    return this.#tip
  }

  get enteredAt(): Millis {
    return this.#enteredAt
  }

  /** The highest commit certificate known. */
  get committed(): CommitCertificate | undefined {
    return this.#committed
  }

  /** Shows that the views between the tip and ours may be passed over, if that needs showing (B-17). */
  get skip(): SkipCertificate | undefined {
    return this.#tip.view === this.#view - 1 ? undefined : this.#skip
  }

  /** The certificates that brought us here, for others. */
  get standing(): readonly (TipCertificate | SkipCertificate)[] {
    const tip = this.#tip.certificate
    const skip = this.skip
    return [...(tip === undefined ? [] : [tip]), ...(skip === undefined ? [] : [skip])]
  }

  believes(certificate: TipCertificate | SkipCertificate): boolean {
    return this.#beliefs.holds(certificate)
  }

  /** Whether votes for a view are kept (B-9). */
  inWindow(view: View): boolean {
    const { viewsAheadMax, viewsBehindMax } = this.#context.params
    return view > 0 && view <= this.#view + viewsAheadMax && view >= this.#view - viewsBehindMax
  }

  /** A vote straight from a member, its signature not yet looked at; whether it is the first for its place. */
  receive(seat: Seat, from: NodeId, cast: CastVote, vote: ViewVote): boolean {
    // `vote` is the one that is cast: the caller has seen that it is no checkpoint.
    if (!this.inWindow(vote.view)) {
      if (vote.view > this.#view) this.#events.onAhead(from)
      else this.#events.onBehind(from)
      return false
    }
    // Its skip is of no use to us before we know the certificate that it names (B-16).
    if (vote.kind === 'skip' && vote.tip > this.#tip.view) this.#events.onAhead(from)
    const isNew = this.#add(seat, cast, false)
    if (vote.view < this.#view && this.#tellsOfLag(vote, isNew)) this.#events.onBehind(from)
    this.#count(vote)
    return isNew
  }

  /** The slowest always votes after the others have gone on: that it is behind shows only if it repeats itself. */
  #tellsOfLag(vote: ViewVote, isNew: boolean): boolean {
    if (vote.kind === 'commit') return false
    // Its time was up in a view that was certified: nobody else will tell it.
    return !isNew || (vote.kind === 'skip' && vote.view <= this.#tip.view)
  }

  /** A vote known to be good: our own, or out of a believed certificate. */
  absorb(seat: Seat, cast: CastVote): void {
    if (cast.vote.kind === 'checkpoint' || !this.inWindow(cast.vote.view)) return
    this.#add(seat, cast, true)
    this.#count(cast.vote)
  }

  /** Whether the vote is the first for its place. */
  #add(seat: Seat, cast: CastVote, good: boolean): boolean {
    const added = this.ledger.add(seat, cast, good)
    if (added.kind !== 'conflict') return added.kind === 'added'
    const evidence = evidenceOf(this.ledger.group, seat, added.earlier, cast)
    if (evidence !== undefined) this.#events.onEvidence(evidence)
    return false
  }

  /** Looks whether there are enough votes like this one, and verifies just as many as are missing (B-22). */
  #count(vote: ViewVote): void {
    if (vote.kind === 'skip') this.#countSkips(vote.view)
    else this.#countDigest(vote.kind, vote.view, vote.digest)
  }

  #countDigest(kind: 'prepare' | 'commit', view: View, digest: Digest): void {
    if (!this.ledger.mayCertify(kind, view, digest)) return
    const tally = this.ledger.tally(kind, view, digest)
    if (tally.good.length >= this.ledger.group.q) {
      this.ledger.setCertified(kind, view, digest)
      const about = { epoch: this.ledger.group.epoch, view, digest }
      const signatures = tally.good.slice(0, this.ledger.group.q)
      if (kind === 'prepare') this.certified(assemble('prepare', about, signatures))
      else this.committedBy(assemble('commit', about, signatures))
      return
    }
    this.#verifyMissing(tally, () => this.#countDigest(kind, view, digest))
  }

  #countSkips(view: View): void {
    if (view < this.#view || !this.ledger.mayComplete('skip', view)) return
    const { q, epoch } = this.ledger.group
    const tally = this.ledger.skips(view, this.#tip.view)
    if (tally.good.length < q) {
      this.#verifyMissing(tally, () => this.#countSkips(view))
      return
    }
    const votes = tally.good
      .slice(0, q)
      .flatMap(({ seat, vote, signature }) => (vote.kind === 'skip' ? [{ seat, tip: vote.tip, signature }] : []))
    this.skipped({ kind: 'skip', epoch, view, votes, tip: this.#tip.certificate })
  }

  #verifyMissing(tally: Tally, recount: () => void): void {
    const { q, members, id } = this.ledger.group
    const missing = q - tally.good.length - tally.checking
    if (missing <= 0 || tally.unchecked.length < missing) return
    const slots = tally.unchecked.slice(0, missing)
    const claims = slots.map((slot) => voteClaim(id, members[slot.seat] as NodeId, slot))
    const asked = this.#context.inspect(undefined, claims, (valid) => {
      if (this.#context.group !== this.ledger.group) return
      slots.forEach((slot, i) => {
        if (valid[i] === true) {
          slot.state = 'good'
          return
        }
        this.ledger.drop(slot)
        this.#context.badSignature(members[slot.seat] as NodeId, `a ${slot.vote.kind}`)
      })
      recount()
    })
    if (asked) for (const slot of slots) slot.state = 'checking'
  }

  /** A believed certificate for a block in a view: commit to it if that is still open, and leave the view. */
  certified(certificate: TipCertificate): void {
    const { view, digest } = certificate
    // A commit certificate shows as well that its block was certified.
    this.#beliefs.add(view, 'prepare', digest)
    this.ledger.setCertified('prepare', view, digest)
    if (view > this.#tip.view) {
      this.#tip = { view, digest, certificate }
      // What moves us must outlive us: a later skip names it (B-16), and it proves to others where we are (B-20).
      this.#context.persist({ kind: 'certificate', certificate })
    }
    if (!this.#events.abstains(view)) {
      const commit = this.ballot.commit(view, digest, this.#view)
      if (commit !== undefined) {
        const cast = this.#context.sign(commit)
        this.castAs(cast)
        this.#patience.tell(cast, view, this.#events.awaiting(digest))
      }
    }
    if (view < this.#view) return
    const tookMs =
      view === this.#view && this.#busySince !== undefined ? this.#context.now - this.#busySince : undefined
    this.pace.certified(this.ledger.group.primarySeat(view), tookMs)
    this.#enter((view + 1) as View)
  }

  /** A believed skip certificate; its tip has been believed before it. */
  skipped(certificate: SkipCertificate): void {
    const { view } = certificate
    this.#beliefs.take(certificate)
    if (view < this.#view) return
    this.#skip = certificate
    this.#context.persist({ kind: 'certificate', certificate })
    const primary = this.ledger.group.primarySeat(view)
    this.pace.skipped(primary, this.#satOut && view === this.#view)
    this.#context.observe({
      kind: 'consensus.view-skipped',
      view,
      primary: this.ledger.group.members[primary] ?? '',
    })
    this.#enter((view + 1) as View)
  }

  /** A believed commit certificate: it shows as well that its block was certified. */
  committedBy(certificate: CommitCertificate): void {
    const { view, digest } = certificate
    if (this.#beliefs.holds(certificate)) return
    this.#beliefs.take(certificate)
    this.ledger.setCertified('commit', view, digest)
    if (this.#committed === undefined || view > this.#committed.view) this.#committed = certificate
    if (view > this.#tip.view) this.certified(certificate)
    this.#events.onCommitted(certificate)
  }

  #enter(view: View): void {
    this.#view = view
    this.#enteredAt = this.#context.now
    this.#busySince = undefined
    const oldest = view - this.#context.params.viewsBehindMax
    this.ledger.prune(oldest as View)
    this.#beliefs.prune(Math.min(oldest, this.#tip.view) as View)
    this.#primary = this.ledger.group.primarySeat(view)
    this.#satOut = this.pace.sitsOut(this.#primary)
    this.#events.onView()
    // Votes for this view may have come before us.
    for (const digest of this.ledger.digests('prepare', view)) this.#countDigest('prepare', view, digest)
    if (this.#view === view) this.#countSkips(view)
  }

  /** Tells whether there is something to decide; the view's time runs only while there is (B-27). */
  setBusy(busy: boolean): void {
    if (!busy) this.#busySince = undefined
    else this.#busySince ??= this.#context.now
  }

  /** Looks at the votes taken from the log: in a small group they may be all that is needed. */
  recount(): void {
    for (const { vote } of this.ownVotes())
      if (vote.kind !== 'checkpoint' && this.inWindow(vote.view)) this.#count(vote)
  }

  /** When there will be something to do although nothing has happened. */
  deadline(): Millis {
    return earliest(this.timeoutAt(), this.#patience.deadline())
  }

  /** When this view will have taken too long. */
  timeoutAt(): Millis {
    if (this.#busySince === undefined || this.ballot.own.skipped >= this.#view) return NEVER
    if (this.#events.abstains(this.#view)) return NEVER
    return this.#satOut ? this.#busySince : after(this.#busySince, this.pace.timeoutMs())
  }

  /** Skips the view if its time is up. */
  tick(): void {
    this.#patience.tick()
    if (this.#context.now < this.timeoutAt()) return
    const skip = this.ballot.skip(this.#view, this.#tip.view)
    if (skip === undefined) return
    // Whoever does not know our tip could not use our skip (B-16).
    if (this.#tip.certificate !== undefined && !this.#satOut) {
      this.#context.broadcast({ kind: 'certificates', certificates: [this.#tip.certificate] })
    }
    this.cast(skip)
  }

  /** B-19: durable, then sent; counted when it is durable. */
  cast(vote: Vote): void {
    const cast = this.#context.sign(vote)
    this.castAs(cast)
    this.#context.broadcast({ kind: 'votes', votes: [cast] })
  }

  /** Signs a state; or says again what was signed of that height before a restart, for another version may judge otherwise (B-4). */
  castCheckpoint(vote: CheckpointVote): void {
    const last = this.#last.get('checkpoint')
    const isSigned = last?.vote.kind === 'checkpoint' && last.vote.height >= vote.height
    if (!isSigned) {
      this.cast(vote)
      return
    }
    this.castAs(last)
    this.#context.broadcast({ kind: 'votes', votes: [last] })
  }

  /** As {@link cast}, for a vote that is sent otherwise. */
  castAs(cast: CastVote): void {
    this.#last.set(cast.vote.kind, cast)
    this.#waiting.push({ mark: this.#context.persist({ kind: 'vote', cast }), cast })
  }

  /** Whether a vote of ours becomes durable with this mark. */
  awaits(mark: number): boolean {
    const [oldest] = this.#waiting
    return oldest !== undefined && oldest.mark <= mark
  }

  durable(mark: number): readonly CastVote[] {
    const casts: CastVote[] = []
    // Marks ascend.
    for (let next = this.#waiting[0]; next !== undefined && next.mark <= mark; next = this.#waiting[0]) {
      casts.push(next.cast)
      this.#waiting.shift()
    }
    const seat = this.ledger.group.seatOf(this.#context.self)
    if (seat !== undefined) for (const cast of casts) this.absorb(seat, cast)
    return casts
  }

  /** Our last vote of each kind: to be sent again, and to be kept when the log is cut. */
  ownVotes(): readonly CastVote[] {
    return [...this.#last.values()]
  }

  /** Takes up where the log left off. */
  resume({ tip, skip, casts }: Resumed): void {
    const seat = this.ledger.group.seatOf(this.#context.self)
    for (const cast of casts) {
      this.ballot.remember(cast.vote)
      this.#last.set(cast.vote.kind, cast)
    }
    const { prepared, committed, skipped } = this.ballot.own
    this.#view = Math.max(1, prepared, committed + 1, skipped, (tip?.view ?? 0) + 1, (skip?.view ?? 0) + 1) as View
    this.#primary = this.ledger.group.primarySeat(this.#view)
    this.#skip = skip
    if (tip !== undefined) {
      this.#tip = { view: tip.view, digest: tip.digest, certificate: tip }
      this.#beliefs.add(tip.view, 'prepare', tip.digest)
    }
    if (seat === undefined) return
    for (const cast of casts) {
      if (cast.vote.kind !== 'checkpoint' && this.inWindow(cast.vote.view)) this.ledger.add(seat, cast, true)
    }
  }

  /** Whether so many skip our view that one of them must be right. */
  othersSkip(): boolean {
    return this.ledger.count('skip', this.#view) > this.ledger.group.f
  }
}
