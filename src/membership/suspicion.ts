import type { NodeId } from '../kernel/index.ts'
import type { MembershipParams } from './params.ts'
import type { Timer } from './timers.ts'

/** One node's doubt about one incarnation of another. */
export class Suspicion {
  /** On the awake clock. */
  startedAt: number
  readonly timer: Timer
  /** Who accuses, and whether its connection broke. At most `confirmations + 1`: more would change nothing. */
  readonly #accusers = new Map<NodeId, boolean>()
  /** Someone claims that the subject is dead: full confirmation, no more (M-10). */
  #isDeathClaimed = false
  /** The subject was heard directly since the suspicion began (M-12). */
  heard = false
  /** This node's own probe has failed too. */
  confirmedByUs = false

  constructor(startedAt: number, timer: Timer) {
    this.startedAt = startedAt
    this.timer = timer
  }

  get accusers(): number {
    return this.#accusers.size
  }

  get isDeathClaimed(): boolean {
    return this.#isDeathClaimed
  }

  /** True when this is an accuser not counted so far. */
  accuse(accuser: NodeId, lost: boolean, params: MembershipParams): boolean {
    const known = this.#accusers.get(accuser)
    if (known !== undefined) {
      // The stronger evidence of the same accuser counts, but is no news.
      if (lost && !known) this.#accusers.set(accuser, true)
      return false
    }
    if (this.#accusers.size > params.confirmations) return false
    this.#accusers.set(accuser, lost)
    return true
  }

  /** True when it was not claimed before. */
  claimDeath(): boolean {
    const first = !this.#isDeathClaimed
    this.#isDeathClaimed = true
    return first
  }

  /** Starts anew: whoever still doubts has to say so again. */
  restart(now: number): void {
    this.startedAt = now
    this.heard = false
    this.#isDeathClaimed = false
    this.#accusers.clear()
  }

  /**
   * When it ends in death, on the awake clock: the maximum, less with each independent confirmation, the first of which
   * weigh most (Lifeguard, section 3.2). `others` is how many could confirm.
   */
  endsAt(params: MembershipParams, judge: boolean, others: number): number {
    const minMs = this.allLost ? params.suspicionLostMinMs : params.suspicionMinMs
    if (this.#isDeathClaimed) return this.startedAt + minMs
    if (!judge) return this.startedAt + params.suspicionOrphanMs
    const needed = Math.min(params.confirmations, others)
    const confirmed = Math.min(needed, this.#accusers.size - 1)
    if (needed <= 0 || confirmed >= needed) return this.startedAt + minMs
    const share = confirmed <= 0 ? 0 : Math.log(confirmed + 1) / Math.log(needed + 1)
    return this.startedAt + params.suspicionMaxMs - share * (params.suspicionMaxMs - minMs)
  }

  /** Every accuser has seen its connection break: evidence that a pause does not give. */
  get allLost(): boolean {
    for (const lost of this.#accusers.values()) if (!lost) return false
    return this.#accusers.size > 0
  }
}
