import type { Claim } from './types.ts'

type Conclusion = (valid: readonly boolean[]) => void

interface Asked {
  readonly id: number
  readonly claims: number
  readonly conclude: Conclusion
}

/**
 * Signature checks that were asked for and not yet answered, in number bounded (B-9). Where and in what batches they are
 * done is the host's affair; here only what follows from the answer.
 */
export class Inspection {
  readonly #outstandingMax: number
  /** In no order. Mostly one or two, each answered at once: a table would be made anew all the time. */
  readonly #asked: Asked[] = []
  #nextId = 1

  constructor(outstandingMax: number) {
    this.#outstandingMax = outstandingMax
  }

  get outstanding(): number {
    return this.#asked.length
  }

  /** The id to ask under, or undefined when there is too much outstanding: whoever sent it must send it again. */
  open(claims: readonly Claim[], conclude: Conclusion): number | undefined {
    if (this.#asked.length >= this.#outstandingMax) return undefined
    const id = this.#nextId++
    this.#asked.push({ id, claims: claims.length, conclude })
    return id
  }

  /** Takes an answer; unknown ids and answers of another length are the host's bug and say nothing. */
  close(id: number, valid: readonly boolean[]): void {
    const at = this.#asked.findIndex((asked) => asked.id === id)
    const asked = this.#asked[at]
    if (asked === undefined || asked.claims !== valid.length) return
    const last = this.#asked.pop()
    if (last !== undefined && last !== asked) this.#asked[at] = last
    asked.conclude(valid)
  }
}
