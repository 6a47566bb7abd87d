import { after, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import type { Context } from './context.ts'
import { COMMIT_VIEWS_MAX } from './params.ts'
import type { CastVote, View } from './types.ts'

const NOBODY: readonly NodeId[] = []

/**
 * Who is told of our commits, and when (B-29). Whoever does not wait for a block to be final learns it from a later one:
 * all members tell everybody of the same views, so that votes for one of them meet, and of the last before a pause.
 */
export class Patience {
  readonly #context: Context
  #cast: CastVote | undefined
  #untold = NOBODY
  #until = NEVER

  constructor(context: Context) {
    this.#context = context
  }

  /** Tells those who wait, everybody if that is not known, and remembers the others. */
  tell(cast: CastVote, view: View, awaiting: readonly NodeId[] | undefined): void {
    const { others, now, params } = this.#context
    const all = awaiting === undefined || view % COMMIT_VIEWS_MAX === 0
    this.#untold = all ? NOBODY : others.filter((node) => !awaiting.includes(node))
    this.#cast = cast
    this.#until = this.#untold.length === 0 ? NEVER : after(now, params.commitWaitMs / 2)
    this.#send(all ? others : others.filter((node) => awaiting.includes(node)))
  }

  deadline(): Millis {
    return this.#until
  }

  /** Tells the others once no further commit has come for a while. */
  tick(): void {
    if (this.#context.now < this.#until) return
    this.#until = NEVER
    this.#send(this.#untold)
  }

  #send(to: readonly NodeId[]): void {
    if (this.#cast !== undefined) this.#context.tell(to, { kind: 'votes', votes: [this.#cast] })
  }
}
