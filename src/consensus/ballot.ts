import { assert } from '../kernel/index.ts'
import type { OwnVotes, Rules } from './rules.ts'
import type { Digest, Epoch, View, Vote } from './types.ts'

const NONE = 0 as View

/** What this member has signed in one epoch, and so what it may still sign (B-14, B-15, B-16). Rebuilt from the log. */
export class Ballot {
  readonly epoch: Epoch
  readonly #rules: Rules
  #own: OwnVotes = { prepared: NONE, preparedDigest: undefined, committed: NONE, skipped: NONE }

  constructor(epoch: Epoch, rules: Rules) {
    this.epoch = epoch
    this.#rules = rules
  }

  get own(): OwnVotes {
    return this.#own
  }

  /** Each returns the vote to be made durable and then sent, or nothing if the rules forbid it. */
  prepare(view: View, digest: Digest): Vote | undefined {
    if (!this.#rules.mayPrepare(this.#own, view)) return undefined
    return this.#cast({ kind: 'prepare', epoch: this.epoch, view, digest })
  }

  commit(view: View, digest: Digest, current: View): Vote | undefined {
    if (!this.#rules.mayCommit(this.#own, view, digest, current)) return undefined
    return this.#cast({ kind: 'commit', epoch: this.epoch, view, digest })
  }

  skip(view: View, tip: View): Vote | undefined {
    if (!this.#rules.maySkip(this.#own, view)) return undefined
    return this.#cast({ kind: 'skip', epoch: this.epoch, view, tip: this.#rules.skipTip(tip) })
  }

  /** Takes a vote found in the log. */
  remember(vote: Vote): void {
    if (vote.kind === 'checkpoint') return
    assert(vote.epoch === this.epoch, 'a ballot is of one epoch', { vote: vote.epoch, ballot: this.epoch })
    const own = this.#own
    if (vote.kind === 'prepare') this.#own = { ...own, prepared: vote.view, preparedDigest: vote.digest }
    else if (vote.kind === 'commit') this.#own = { ...own, committed: Math.max(own.committed, vote.view) as View }
    else this.#own = { ...own, skipped: Math.max(own.skipped, vote.view) as View }
  }

  /** Whether a vote under our name is one we could have sent: the last of its kind, or older than what we remember. */
  explains(vote: Vote): boolean {
    if (vote.kind === 'checkpoint' || vote.epoch !== this.epoch) return true
    const own = this.#own
    if (vote.kind === 'prepare') return vote.view < own.prepared || vote.digest === own.preparedDigest
    return vote.view <= (vote.kind === 'commit' ? own.committed : own.skipped)
  }

  #cast(vote: Vote): Vote {
    this.remember(vote)
    return vote
  }
}
