import { BoundedMap, type ProposalOutcome, SwarmError } from '../src/index.ts'

/** Proposals on their way at once; a person makes one at a time. */
const PROPOSALS_MAX = 1024

/** Brings the outcome of each proposal to whoever made it. */
export class Proposals {
  readonly #waiting = new BoundedMap<number, (outcome: ProposalOutcome) => void>(PROPOSALS_MAX)
  #next = 1

  /** @throws SwarmError OVERLOADED */
  make(propose: (id: number) => void): Promise<ProposalOutcome> {
    if (this.#waiting.full)
      throw new SwarmError('OVERLOADED', 'too many proposals wait for a decision: try again later')
    const id = this.#next++
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      propose(id)
    })
  }

  settle(id: number, outcome: ProposalOutcome): void {
    const resolve = this.#waiting.get(id)
    this.#waiting.delete(id)
    resolve?.(outcome)
  }
}
