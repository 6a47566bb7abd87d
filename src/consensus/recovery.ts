import { after, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import type { Context } from './context.ts'
import type { Epoch, View } from './types.ts'

type Phase =
  /** Our log can be relied on. */
  | { readonly kind: 'trusted' }
  /** Hearing from others where they are; what they prove counts. */
  | { readonly kind: 'asking'; readonly answers: Map<NodeId, View>; readonly last: boolean; askedAt: Millis }
  /** We may have voted in this epoch up to one view past what was proven. */
  | { readonly kind: 'bounded'; readonly epoch: Epoch; readonly proven: View; readonly last: boolean }
  /** Past all that in this epoch; to be asked once more in the next. */
  | { readonly kind: 'watchful' }

/** What the log says about itself at a start. */
export type Trust = 'trusted' | 'watchful' | 'suspect'

/**
 * Keeps a member that cannot rely on its log from voting until past every view it could have voted in (B-20; README,
 * "Safety on paper", 6). Asked again in the next epoch, in whose first views it may have voted as well.
 */
export class Recovery {
  readonly #context: Context
  #phase: Phase

  constructor(context: Context, trust: Trust) {
    this.#context = context
    this.#phase = trust === 'suspect' ? this.#asking(false) : { kind: trust }
  }

  /** What a restart has to know. */
  get trust(): Trust {
    const { kind } = this.#phase
    return kind === 'trusted' || kind === 'watchful' ? kind : 'suspect'
  }

  get asking(): boolean {
    return this.#phase.kind === 'asking'
  }

  /** Answers that are needed: so many that one is by a correct signer of whatever certificate let us vote. */
  get needed(): number {
    const { group } = this.#context
    return group.size + group.f + 1 - group.q
  }

  /** Begins anew: we met a vote of ours that we do not remember. */
  doubt(why: string): void {
    if (this.#phase.kind === 'asking') return
    this.#context.observe({ kind: 'consensus.abstaining', why })
    this.#context.persist({ kind: 'suspect' })
    this.#phase = this.#asking(false)
  }

  abstains(epoch: Epoch, view: View): boolean {
    const phase = this.#phase
    if (phase.kind === 'trusted' || phase.kind === 'watchful') return false
    if (phase.kind === 'asking') return this.#context.rules.abstains(view, Number.MAX_SAFE_INTEGER as View)
    return phase.epoch === epoch && this.#context.rules.abstains(view, phase.proven)
  }

  /** Another member has proven that its view in our epoch was reached. */
  answer(from: NodeId, proven: View): void {
    const phase = this.#phase
    if (phase.kind !== 'asking' || this.#context.group.seatOf(from) === undefined) return
    phase.answers.set(from, Math.max(proven, phase.answers.get(from) ?? 0) as View)
    if (phase.answers.size < this.needed) return
    const highest = Math.max(...phase.answers.values()) as View
    this.#phase = { kind: 'bounded', epoch: this.#context.group.epoch, proven: highest, last: phase.last }
    this.#context.observe({ kind: 'consensus.voting-again', epoch: this.#context.group.epoch, view: highest + 2 })
  }

  /** We are in this view now; past the bound nothing of the past matters in this epoch. */
  reached(view: View): void {
    const phase = this.#phase
    if (phase.kind !== 'bounded' || this.#context.rules.abstains(view, phase.proven)) return
    this.#phase = { kind: phase.last ? 'trusted' : 'watchful' }
    this.#context.persist({ kind: 'cleared', epoch: this.#context.group.epoch, view, entirely: phase.last })
  }

  /** The epoch changed under us. What was asked in the old one is asked once more in the new one. */
  startEpoch(): void {
    if (this.#phase.kind === 'trusted') return
    this.#phase = this.#asking(this.#phase.kind !== 'asking')
  }

  deadline(): Millis {
    return this.#phase.kind === 'asking' ? after(this.#phase.askedAt, this.#context.params.fetchTimeoutMs) : NEVER
  }

  tick(): void {
    const phase = this.#phase
    if (phase.kind !== 'asking' || this.#context.now < this.deadline()) return
    phase.askedAt = this.#context.now
    this.#context.broadcast({ kind: 'fetch', want: { kind: 'standing' } })
  }

  #asking(last: boolean): Phase {
    return { kind: 'asking', answers: new Map(), last, askedAt: this.#context.now }
  }
}
