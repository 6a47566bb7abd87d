import type { NodeId } from '../kernel/index.ts'
import { CheckpointLedger } from './checkpoint-ledger.ts'
import type { Context } from './context.ts'
import { evidenceOf } from './evidence.ts'
import type { SavedState } from './execution.ts'
import { closes, Handovers } from './handovers.ts'
import { voteClaim } from './statements.ts'
import type { CastVote, CheckpointCertificate, CheckpointVote, Digest, Evidence, Height, Seat } from './types.ts'
import { sameCheckpoint } from './votes.ts'

/** A state that a quorum signed, with the pieces that others may ask for. Absent certificate: the genesis. */
export interface StableState {
  readonly height: Height
  readonly certificate: CheckpointCertificate | undefined
  readonly chunks: readonly Uint8Array[]
  readonly digests: readonly Digest[]
}

export interface CheckpointingEvents {
  cast(vote: CheckpointVote): void
  /** Our state at this boundary is certified: the log may be cut, the epoch may end. */
  onStable(certificate: CheckpointCertificate, state: SavedState): void
  /** A quorum is at a boundary that we have not reached, or reached otherwise. */
  onCheckpointAhead(certificate: CheckpointCertificate): void
  onEvidence(evidence: Evidence): void
}

/** Boundaries: voting on the state after each, and what a quorum has signed (B-6, B-18, B-23). */
export class Checkpointing {
  readonly #context: Context
  readonly #events: CheckpointingEvents
  /** What closed the epochs so far. */
  readonly handovers: Handovers
  #ledger = new CheckpointLedger()
  #pending: SavedState | undefined
  #stable: StableState
  #ahead: CheckpointCertificate | undefined

  constructor(context: Context, events: CheckpointingEvents) {
    this.#context = context
    this.#events = events
    this.handovers = new Handovers(context.group, context.params.recentEpochsMax)
    this.#stable = { height: 0 as Height, certificate: undefined, chunks: [], digests: [] }
  }

  get stable(): StableState {
    return this.#stable
  }

  /** A boundary we have executed and that is not stable yet. */
  get pending(): SavedState | undefined {
    return this.#pending
  }

  /** The highest checkpoint known that we have yet to reach. */
  get ahead(): CheckpointCertificate | undefined {
    return this.#ahead
  }

  /** Our own copy of a certificate that was found good, if this one says the same: its signatures may be others. */
  known(certificate: CheckpointCertificate): CheckpointCertificate | undefined {
    return this.#ahead !== undefined && sameCheckpoint(this.#ahead.vote, certificate.vote) ? this.#ahead : undefined
  }

  /** How far the boundary at a height is settled (B-18). */
  boundary(height: Height): 'open' | 'stable' | 'closed' {
    if (height > this.#stable.height) return 'open'
    const certificate = this.#stable.certificate
    if (certificate === undefined || certificate.vote.height !== height) return 'stable'
    return closes(certificate, this.#context.group) ? 'closed' : 'stable'
  }

  /** We executed a boundary: sign what came of it. */
  reached(state: SavedState): void {
    this.#pending = state
    if (this.#ahead !== undefined && this.#settle(this.#ahead)) return
    if (this.#context.member) this.#events.cast(state.vote)
    this.#count(state.vote)
  }

  /** A vote from a member, or our own once it is durable. */
  receive(seat: Seat, cast: CastVote & { readonly vote: CheckpointVote }, good: boolean): void {
    if (cast.vote.height <= this.#stable.height) return
    const held = this.#ledger.add(seat, cast, good)
    if (held !== undefined) {
      const evidence = evidenceOf(this.#context.group, seat, held, cast)
      if (evidence !== undefined) this.#events.onEvidence(evidence)
    }
    this.#count(cast.vote)
  }

  #count(vote: CheckpointVote): void {
    if (vote.height <= this.#stable.height) return
    const { group } = this.#context
    const slots = this.#ledger.tally(vote)
    if (slots.length < group.q) return
    const good = slots.filter((slot) => slot.state === 'good')
    if (good.length >= group.q) {
      const signatures = good.slice(0, group.q).map(({ seat, signature }) => ({ seat, signature }))
      this.believe({ kind: 'checkpoint', vote, signatures })
      return
    }
    const unchecked = slots.filter((slot) => slot.state === 'unchecked')
    const missing = group.q - (slots.length - unchecked.length)
    if (missing <= 0 || unchecked.length < missing) return
    const looked = unchecked.slice(0, missing)
    const claims = looked.map((slot) => voteClaim(group.id, group.members[slot.seat] as NodeId, slot))
    const asked = this.#context.inspect(undefined, claims, (valid) => {
      looked.forEach((slot, i) => {
        if (valid[i] === true) slot.state = 'good'
        else {
          this.#ledger.drop(slot)
          this.#context.badSignature(group.members[slot.seat] as NodeId, 'a checkpoint')
        }
      })
      if (this.#context.group === group) this.#count(vote)
    })
    if (asked) for (const slot of looked) slot.state = 'checking'
  }

  /** Takes a certificate whose signatures were found good, of the current epoch. */
  believe(certificate: CheckpointCertificate): void {
    if (certificate.vote.height <= this.#stable.height || this.#settle(certificate)) return
    if (this.#ahead !== undefined && this.#ahead.vote.height >= certificate.vote.height) return
    this.#ahead = certificate
    this.#events.onCheckpointAhead(certificate)
  }

  /** Whether the certificate is about the state that we hold. */
  #settle(certificate: CheckpointCertificate): boolean {
    const state = this.#pending
    if (state === undefined || state.vote.height !== certificate.vote.height) return false
    if (!sameCheckpoint(state.vote, certificate.vote)) {
      this.#context.observe({
        kind: 'consensus.roots-differ',
        height: state.vote.height,
        ours: state.vote.root,
        theirs: certificate.vote.root,
      })
      return false
    }
    this.adopt(certificate, state)
    return true
  }

  /** Makes a state the stable one: ours and certified, or transferred and certified. */
  adopt(certificate: CheckpointCertificate, state: SavedState): void {
    const { height } = certificate.vote
    this.#stable = { height, certificate, chunks: state.chunks, digests: state.digests }
    this.#pending = undefined
    if (this.#ahead !== undefined && this.#ahead.vote.height <= height) this.#ahead = undefined
    this.#events.onStable(certificate, state)
  }

  /** Takes up what the log holds: nothing of it is news. */
  resume(certificate: CheckpointCertificate, state: SavedState): void {
    this.#stable = { height: certificate.vote.height, certificate, chunks: state.chunks, digests: state.digests }
    this.#pending = undefined
  }

  resumePending(state: SavedState): void {
    this.#pending = state
  }

  /** A new epoch begins: its votes are other votes. */
  startEpoch(): void {
    this.#ledger = new CheckpointLedger()
    this.#ahead = undefined
  }
}
