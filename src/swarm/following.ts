import type { ConsensusCore, Epoch } from '../consensus/index.ts'
import { after, type Millis, type NodeId, type Random } from '../kernel/index.ts'
import type { Height } from '../wire/index.ts'

/** How often a node that has heard of nothing new asks all the same: what it missed may have been missed by gossip too. */
const ASK_INTERVAL_MS = 30_000
/** How long an answer may take before somebody else is asked. */
const ASK_AGAIN_MS = 500
/** Questions about one announcement, which nobody has signed. */
const TRIES_MAX = 20
/** How often what others rely on, and this node does not know, makes it ask: anybody can rely on anything. */
const DOUBT_INTERVAL_MS = 1_000
/** Questions to somebody new: one may be lost. */
const EAGER_TRIES = 2

interface Ahead {
  readonly epoch: Epoch
  readonly height: Height
  tries: number
}

/** When a node asks whom for decisions that it has not got (GR-4): at once when it hears of one, else rarely. */
export class Following {
  readonly #core: ConsensusCore
  readonly #random: Random
  #ahead: Ahead | undefined
  #askAt: Millis
  #turn = 0
  /** Questions to ask soon, for no reason but that there is somebody new to ask. */
  #eager = 0
  #doubtAgainAt = 0 as Millis

  constructor(core: ConsensusCore, random: Random) {
    this.#core = core
    this.#random = random
    this.#askAt = random.below(ASK_AGAIN_MS) as Millis
  }

  /** Whether there is somebody new to ask. */
  get isEager(): boolean {
    return this.#eager > 0
  }

  deadline(): Millis {
    return this.#askAt
  }

  /** Somebody says that the group is there. A lie costs a few questions. */
  hear(now: Millis, epoch: Epoch, height: Height): void {
    if (!this.#isNews(epoch, height) || (this.#ahead !== undefined && this.#ahead.height >= height)) return
    this.#ahead = { epoch, height, tries: 0 }
    this.#askAt = now
  }

  /** There is somebody new to ask. */
  meet(now: Millis): void {
    this.#eager = EAGER_TRIES
    this.#askAt = now
  }

  /** Somebody relies on a decision that this node has not got; perhaps it was made. */
  doubt(now: Millis): void {
    if (now < this.#doubtAgainAt) return
    this.#doubtAgainAt = after(now, DOUBT_INTERVAL_MS)
    this.meet(now)
  }

  /** The group has moved here: there may be more where that came from. */
  moved(now: Millis): void {
    this.#askAt = now
  }

  /** Whom to ask now, of these; undefined if it is not time. */
  next(now: Millis, members: readonly NodeId[], others: readonly NodeId[]): NodeId | undefined {
    if (now < this.#askAt) return undefined
    if (this.#ahead !== undefined && !this.#isNews(this.#ahead.epoch, this.#ahead.height)) this.#ahead = undefined
    if (this.#ahead !== undefined && this.#ahead.tries++ >= TRIES_MAX) this.#ahead = undefined
    this.#eager = Math.max(0, this.#eager - 1)
    const soon = this.#ahead !== undefined || this.#eager > 0
    const waitMs = soon ? ASK_AGAIN_MS : ASK_INTERVAL_MS * this.#random.between(0.75, 1.25)
    this.#askAt = after(now, waitMs)
    const asked = members.length > 0 ? members : others
    return asked[this.#turn++ % Math.max(1, asked.length)]
  }

  #isNews(epoch: Epoch, height: Height): boolean {
    return height > this.#core.height || epoch > this.#core.epoch
  }
}
