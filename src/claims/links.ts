import { after, type Millis, type NodeId } from '../kernel/index.ts'
import type { Alarm } from './alarms.ts'
import type { Ground } from './ground.ts'
import type { ClaimsMessage } from './messages.ts'

interface Waiting {
  readonly until: Millis
  readonly message: ClaimsMessage
  readonly isWanted: () => boolean
}

/**
 * Which peers can be reached now, and what waits for those that cannot yet. A link that somebody asked for is wanted
 * for a while after its last use, so that a swarm too large for a full mesh still finds its partners linked.
 */
export class Links {
  readonly #ground: Ground
  readonly #up = new Set<NodeId>()
  readonly #outbox = new Map<NodeId, Waiting[]>()
  /** Peers with business, the latest last, and until when a link to them is wanted. */
  readonly #wanted = new Map<NodeId, Millis>()
  #waiting = 0
  #alarm: Alarm | undefined

  constructor(ground: Ground) {
    this.#ground = ground
  }

  isUp(peer: NodeId): boolean {
    return this.#up.has(peer)
  }

  get up(): ReadonlySet<NodeId> {
    return this.#up
  }

  /** Sends now, or when there is a link, if that is soon and it is still wanted. False when there is no room to wait. */
  send(to: NodeId, message: ClaimsMessage, isWanted: () => boolean = ALWAYS): boolean {
    if (this.#up.has(to)) {
      this.#ground.sendNow(to, message)
      return true
    }
    const { params, now } = this.#ground
    if (this.#waiting >= params.outboxMessagesMax) return false
    const until = after(now, params.linkPatienceMs)
    const queue = this.#outbox.get(to) ?? []
    queue.push({ until, message, isWanted })
    this.#outbox.set(to, queue)
    this.#waiting += 1
    this.keep(to)
    return true
  }

  /** Only if there is a link: its protocol repeats what is lost. */
  sendIfUp(to: NodeId, message: ClaimsMessage): void {
    if (this.#up.has(to)) this.#ground.sendNow(to, message)
  }

  /**
   * There is business with the peer: a link to it is wanted for a while, also one that is there by chance, which somebody
   * else might close for want of use. With too many of them, the one with the least recent business goes.
   */
  keep(peer: NodeId): void {
    const { params, now } = this.#ground
    const isNew = !this.#wanted.delete(peer)
    this.#wanted.set(peer, after(now, LINGER_PATIENCES * params.linkPatienceMs))
    if (!isNew) return
    const [stalest] = this.#wanted.keys()
    if (this.#wanted.size > params.linksWantedMax && stalest !== undefined) this.#wanted.delete(stalest)
    this.#tell()
    this.#alarm ??= this.#ground.in(params.linkPatienceMs, () => this.#sweep())
  }

  linkUp(peer: NodeId): void {
    this.#up.add(peer)
    for (const { until, message, isWanted } of this.#take(peer)) {
      if (until > this.#ground.now && isWanted()) this.#ground.sendNow(peer, message)
    }
  }

  linkDown(peer: NodeId): void {
    this.#up.delete(peer)
  }

  #take(peer: NodeId): readonly Waiting[] {
    const queue = this.#outbox.get(peer) ?? []
    this.#outbox.delete(peer)
    this.#waiting -= queue.length
    return queue
  }

  /** What has waited too long is dropped: whoever sent it has its own time-out. */
  #sweep(): void {
    this.#alarm = undefined
    const { now, params } = this.#ground
    for (const [peer, queue] of this.#outbox) {
      const kept = queue.filter(({ until }) => until > now)
      this.#waiting -= queue.length - kept.length
      if (kept.length === 0) this.#outbox.delete(peer)
      else this.#outbox.set(peer, kept)
    }
    const before = this.#wanted.size
    for (const [peer, until] of this.#wanted) {
      if (until > now) break
      this.#wanted.delete(peer)
    }
    if (this.#wanted.size < before) this.#tell()
    if (this.#wanted.size > 0) this.#alarm = this.#ground.in(params.linkPatienceMs, () => this.#sweep())
  }

  #tell(): void {
    const peers = [...this.#wanted.keys()].sort()
    this.#ground.emit({ kind: 'event', event: { kind: 'links-wanted', peers } })
  }
}

const ALWAYS = (): boolean => true

/** A link is wanted for so many patiences after its last use. */
const LINGER_PATIENCES = 20
