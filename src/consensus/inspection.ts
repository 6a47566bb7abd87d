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
  /** In no order. Mostly one or two, each answered at once: a table would be made anew all the time. */
  readonly #asked: Asked[] = []
  readonly #perPeer = new Map<NodeId | undefined, number>()
  #total = 0
  #others = 0
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
    this.#count(cause, claims.length)
    return id
  }

  /** However much it takes, one message at a time finds room: else the longest could never be looked at. */
  #hasRoom({ peer, members }: Cause, checks: number): boolean {
    const max = this.#checksMax
    const isOther = peer !== undefined && members === undefined
    if (isOther && this.#others > 0 && this.#others + checks > max * OTHERS) return false
    const own = this.#perPeer.get(peer) ?? 0
    if (own === 0) return true
    if (peer === undefined) return own + checks <= max * OURS
    return own + checks <= (members === undefined ? max * OTHER : (max * MEMBERS) / members)
  }

  #count({ peer, members }: Cause, checks: number): void {
    const own = (this.#perPeer.get(peer) ?? 0) + checks
    if (own > 0) this.#perPeer.set(peer, own)
    else this.#perPeer.delete(peer)
    this.#total += checks
    if (peer !== undefined && members === undefined) this.#others += checks
  }

  /** Takes an answer; unknown ids and answers of another length are the host's bug and say nothing. */
  close(id: number, valid: readonly boolean[]): void {
    const at = this.#asked.findIndex((asked) => asked.id === id)
    const asked = this.#asked[at]
    if (asked === undefined || asked.claims !== valid.length) return
    const last = this.#asked.pop()
    if (last !== undefined && last !== asked) this.#asked[at] = last
    this.#count(asked.cause, -asked.claims)
    asked.conclude(valid)
  }
}
