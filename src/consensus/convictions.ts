import type { NodeId } from '../kernel/index.ts'
import type { Context } from './context.ts'
import { contradictionIn, evidenceClaims } from './evidence.ts'
import type { Evidence } from './types.ts'

/**
 * Evidence found good, one piece per member of the epoch: enough to convict, and bounded (B-8, B-9). It is passed on, and
 * primaries put it into blocks until its subject is convicted by the group.
 */
export class Convictions {
  readonly #context: Context
  readonly #onGood: (evidence: Evidence) => void
  readonly #held = new Map<NodeId, Evidence>()
  readonly #checking = new Set<NodeId>()

  constructor(context: Context, onGood: (evidence: Evidence) => void) {
    this.#context = context
    this.#onGood = onGood
  }

  get held(): readonly Evidence[] {
    return [...this.#held.values()]
  }

  get any(): boolean {
    return this.#held.size > 0
  }

  has(node: NodeId): boolean {
    return this.#held.has(node)
  }

  /** Checks what may be evidence. `from` answers for it if it is not. */
  consider(from: NodeId, evidence: Evidence): void {
    const { signer } = evidence
    const { group } = this.#context
    if (group.seatOf(signer) === undefined || this.#held.has(signer) || this.#checking.has(signer)) return
    // Of another epoch: one of us has not heard of the change yet, and either may be right.
    if (evidence.first.vote.epoch !== group.epoch) return
    const claims = evidenceClaims(group, evidence)
    if (claims === undefined) {
      this.#context.refuse(from, 20, 'evidence that convicts no one')
      return
    }
    // Of each member one at a time, so that nobody need pay for it: least of all whom it accuses.
    const asked = this.#context.inspect(undefined, claims, (valid) => {
      this.#checking.delete(signer)
      if (valid.some((good) => !good)) return this.#context.badSignature(from, 'evidence')
      if (this.#context.group !== group || this.#held.has(signer)) return
      this.#held.set(signer, evidence)
      this.#context.observe({ kind: 'consensus.equivocation', signer, votes: contradictionIn(evidence) })
      this.#context.broadcast({ kind: 'evidence', evidence })
      this.#onGood(evidence)
    })
    if (asked) this.#checking.add(signer)
  }

  startEpoch(): void {
    this.#held.clear()
    this.#checking.clear()
  }
}
