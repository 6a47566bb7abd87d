import type { Claim } from './types.ts'

type Conclusion = (valid: readonly boolean[]) => void

/**
 * Signature checks that were asked for and not yet answered, in number bounded (B-9). Where and in what batches they are
 * done is the host's affair; here only what follows from the answer.
 */
export class Inspection {
  readonly #outstandingMax: number
  readonly #conclusions = new Map<number, { readonly claims: number; readonly conclude: Conclusion }>()
  #nextId = 1

  constructor(outstandingMax: number) {
    this.#outstandingMax = outstandingMax
  }

  get outstanding(): number {
    return this.#conclusions.size
  }

  /** The id to ask under, or undefined when there is too much outstanding: whoever sent it must send it again. */
  open(claims: readonly Claim[], conclude: Conclusion): number | undefined {
    if (this.#conclusions.size >= this.#outstandingMax) return undefined
    const id = this.#nextId++
    this.#conclusions.set(id, { claims: claims.length, conclude })
    return id
  }

  /** Takes an answer; unknown ids and answers of another length are the host's bug and say nothing. */
  close(id: number, valid: readonly boolean[]): void {
    const open = this.#conclusions.get(id)
    if (open === undefined || open.claims !== valid.length) return
    this.#conclusions.delete(id)
    open.conclude(valid)
  }
}
