import type { NodeId } from '../kernel/index.ts'
import type { Claim } from './types.ts'

type Conclusion = (valid: readonly boolean[]) => void

/** Who causes a check: a peer by what it sends, or nobody but ourselves, as with votes that complete a certificate. */
export interface Cause {
  /** Undefined: ourselves. */
  readonly peer: NodeId | undefined
  /** Of how many members it is one; undefined: it is none. */
  readonly members: number | undefined
}

interface Asked {
  readonly id: number
  readonly claims: number
  readonly cause: Cause
  readonly conclude: Conclusion
}

/** Of the most checks that may be outstanding: what is not left to peers. Votes must always be counted. */
const OURS = 7 / 16
/** What members have together, each the same part of it. */
const MEMBERS = 1 / 2
/** What all others have together, and each of them. */
const OTHERS = 1 / 16
const OTHER = 1 / 64

/**
 * Signature checks that were asked for and not yet answered, in number bounded (B-9) and shared out, so that nobody keeps
 * those of others from being done (B-30). Where and in what batches they are done is the host's affair; here only what
 * follows from the answer.
 */
export class Inspection {
  readonly #checksMax: number
  /** In no order. Mostly one or two, each answered at once: tables of them, or sums per peer, would be made anew all the time. */
  readonly #asked: Asked[] = []
  #total = 0
  #nextId = 1

  constructor(checksMax: number) {
    this.#checksMax = checksMax
  }

  /** Checks not yet answered. */
  get outstanding(): number {
    return this.#total
  }

  /** The id to ask under, or undefined when there is too much outstanding: whoever sent it must send it again. */
  open(cause: Cause, claims: readonly Claim[], conclude: Conclusion): number | undefined {
    if (!this.#hasRoom(cause, claims.length)) return undefined
    const id = this.#nextId++
    this.#asked.push({ id, claims: claims.length, cause, conclude })
    this.#total += claims.length
    return id
  }

  /** However much it takes, one message at a time finds room: else the longest could never be looked at. */
  #hasRoom(cause: Cause, checks: number): boolean {
    const max = this.#checksMax
    let own = 0
    let others = 0
    for (const asked of this.#asked) {
      if (asked.cause.peer === cause.peer) own += asked.claims
      if (isOther(asked.cause)) others += asked.claims
    }
    if (isOther(cause) && others > 0 && others + checks > max * OTHERS) return false
    if (own === 0) return true
    if (cause.peer === undefined) return own + checks <= max * OURS
    return own + checks <= (cause.members === undefined ? max * OTHER : (max * MEMBERS) / cause.members)
  }

  /** Takes an answer; unknown ids and answers of another length are the host's bug and say nothing. */
  close(id: number, valid: readonly boolean[]): void {
    const at = this.#asked.findIndex((asked) => asked.id === id)
    const asked = this.#asked[at]
    if (asked === undefined || asked.claims !== valid.length) return
    const last = this.#asked.pop()
    if (last !== undefined && last !== asked) this.#asked[at] = last
    this.#total -= asked.claims
    asked.conclude(valid)
  }
}

function isOther({ peer, members }: Cause): boolean {
  return peer !== undefined && members === undefined
}
