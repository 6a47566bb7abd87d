import type { CastVote, CheckpointVote, Height, Seat } from './types.ts'
import { sameCheckpoint } from './votes.ts'

/** A checkpoint vote as received. */
export interface CheckpointSlot {
  readonly seat: Seat
  readonly vote: CheckpointVote
  readonly signature: Uint8Array
  state: 'unchecked' | 'checking' | 'good'
}

/**
 * Checkpoint votes received in one epoch: per seat its latest height only, so n places in all (B-9). A correct member
 * signs them in ascending order.
 */
export class CheckpointLedger {
  readonly #slots: (CheckpointSlot | undefined)[] = []

  /** The vote held, if the new one contradicts it. */
  add(seat: Seat, cast: CastVote & { readonly vote: CheckpointVote }, good: boolean): CheckpointSlot | undefined {
    const held = this.#slots[seat]
    if (held !== undefined && held.vote.height === cast.vote.height) {
      if (!sameCheckpoint(held.vote, cast.vote)) return held
      if (good) held.state = 'good'
      return undefined
    }
    if (held !== undefined && held.vote.height > cast.vote.height) return undefined
    this.#slots[seat] = { seat, vote: cast.vote, signature: cast.signature, state: good ? 'good' : 'unchecked' }
    return undefined
  }

  /** Votes for the same state as this one. */
  tally(vote: CheckpointVote): readonly CheckpointSlot[] {
    const slots: CheckpointSlot[] = []
    for (const slot of this.#slots) if (slot !== undefined && sameCheckpoint(slot.vote, vote)) slots.push(slot)
    return slots
  }

  /** Votes above a height, in order of seats: what others hold stable or soon will. */
  above(height: Height): readonly CheckpointSlot[] {
    return this.#slots.filter((slot) => slot !== undefined && slot.vote.height > height) as CheckpointSlot[]
  }

  held(seat: Seat): CheckpointSlot | undefined {
    return this.#slots[seat]
  }

  drop(slot: CheckpointSlot): void {
    if (this.#slots[slot.seat] === slot) this.#slots[slot.seat] = undefined
  }
}
