import { type NodeId, TokenBucket } from '../kernel/index.ts'
import type { LinkDownReason } from '../wire/index.ts'
import type { Detector } from './detector.ts'
import type { Ground, Link } from './ground.ts'
import { outsiderPatienceMs } from './params.ts'
import { isUp } from './table.ts'
import { Timer } from './timers.ts'

/** When the rate of link changes is used up, the rest waits this long. */
const RATE_WAIT_MS = 250

/** Whoever wants a link to us pings within its longest patience, and within some of them when it is late (M-28). */
const PINGED_LATELY = 4

interface Wanted {
  readonly node: NodeId
  /** When to dial, unless the other side has. */
  readonly dial: Timer
  asked: boolean
  /** How long this side leaves it to the other to dial. */
  readonly leaveMs: number
  /** Until when the first dial may wait for the swarm to stop growing. */
  patientUntil: number
}

/**
 * Which links this node has, wants, and gives up (M-16). It dials its neighbours and whom other cores hold, takes any
 * link that comes in, and closes only what neither side needs.
 */
export class Links {
  readonly #ground: Ground
  readonly #detector: Detector
  readonly #wanted = new Map<NodeId, Wanted>()
  readonly #reckoning = new Timer(() => this.#reckon())
  readonly #changes: TokenBucket
  /** Dials for other cores' business, which must not wait behind a cell that forms. */
  readonly #heldDials: TokenBucket
  #held: ReadonlySet<NodeId> = new Set()
  #reckonedAt = Number.NEGATIVE_INFINITY

  constructor(ground: Ground, detector: Detector) {
    this.#ground = ground
    this.#detector = detector
    const { linkChangesPerSecond, heldDialsPerSecond } = ground.params
    this.#changes = new TokenBucket(linkChangesPerSecond, linkChangesPerSecond * 4, ground.now)
    this.#heldDials = new TokenBucket(heldDialsPerSecond, heldDialsPerSecond * 4, ground.now)
  }

  /** Whom this node links to and probes, sorted. */
  neighbours(): readonly NodeId[] {
    return [...this.#wanted.keys()].sort()
  }

  isWanted(node: NodeId): boolean {
    return this.#wanted.has(node)
  }

  /** A link that another core needs is needed now, and the peer does not know of it: this side dials at once. */
  hold(peers: readonly NodeId[]): void {
    const { params, table, self } = this.#ground
    const before = this.#held
    this.#held = new Set(peers.slice(0, params.heldMax))
    this.#ground.dirty = true
    for (const node of this.#held) {
      const entry = table.get(node)
      if (before.has(node) || node === self.node || entry === undefined || !isUp(entry)) continue
      this.#detector.watch(entry)
      if (!this.#wanted.has(node)) this.#want(node)
    }
  }

  /** At the end of a step: the living have changed, so the neighbours may have. */
  settle(): void {
    if (!this.#ground.dirty || this.#reckoning.armed) return
    const earliest = this.#reckonedAt + this.#ground.params.overlayIntervalMs
    this.#ground.timers.arm(this.#reckoning, Math.max(this.#ground.awake, earliest))
  }

  up(peer: NodeId): Link {
    const { awake, links } = this.#ground
    const link: Link = {
      peer,
      upSince: awake,
      heardAt: awake,
      pingedAt: Number.NEGATIVE_INFINITY,
      rttMs: links.get(peer)?.rttMs,
      answerMs: 0,
      answerAt: awake,
      coordinate: links.get(peer)?.coordinate,
    }
    links.set(peer, link)
    const wanted = this.#wanted.get(peer)
    if (wanted !== undefined) {
      this.#ground.timers.disarm(wanted.dial)
      wanted.patientUntil = awake
    }
    return link
  }

  down(peer: NodeId, reason: LinkDownReason): void {
    const { links, table, timers, awake, params, random } = this.#ground
    if (!links.delete(peer)) return
    const entry = table.get(peer)
    const wanted = this.#wanted.get(peer)
    if (wanted !== undefined) {
      wanted.asked = false
      // A peer that closes has its reasons; one that broke off is dialled at once.
      const delayMs = reason === 'connection-lost' ? 0 : params.dialDelayMs * random.between(0.5, 1)
      timers.arm(wanted.dial, awake + delayMs)
    }
    if (entry !== undefined && reason === 'connection-lost') this.#detector.connectionLost(entry)
  }

  /** Closes links that neither side needs, oldest first, when there are too many. */
  prune(): void {
    const { links, params, awake, now } = this.#ground
    let surplus = links.size - params.linksMax
    if (surplus <= 0) return
    for (const link of links.values()) {
      if (surplus <= 0) return
      if (this.#isNeeded(link) || awake - link.upSince < params.lingerMs) continue
      if (!this.#changes.take(now)) return
      surplus -= 1
      this.#ground.emit({ kind: 'disconnect', peer: link.peer, reason: 'closed-by-us' })
    }
  }

  #isNeeded(link: Link): boolean {
    const { awake, params } = this.#ground
    return this.#wanted.has(link.peer) || awake - link.pingedAt < PINGED_LATELY * outsiderPatienceMs(params)
  }

  /** Who are the neighbours now? O(neighbours). */
  #reckon(): void {
    const ground = this.#ground
    ground.dirty = false
    this.#reckonedAt = ground.awake
    const self = ground.table.get(ground.self.node)
    if (self === undefined) return
    const neighbours = ground.overlay.neighboursOf(self.node, self.nodeHash)
    ground.neighbours = new Set(neighbours)
    for (const node of this.#held) if (node !== self.node) neighbours.add(node)
    let changed = false
    for (const wanted of [...this.#wanted.values()]) {
      if (neighbours.has(wanted.node) && this.#isLiving(wanted.node)) continue
      this.#release(wanted)
      changed = true
    }
    for (const node of neighbours) {
      const entry = ground.table.get(node)
      if (entry === undefined || !isUp(entry)) continue
      this.#detector.watch(entry)
      if (this.#wanted.has(node)) continue
      this.#want(node)
      changed = true
    }
    if (!changed) return
    const { mode, size } = ground.overlay
    ground.observe({ kind: 'overlay', mode, members: size, neighbours: this.#wanted.size })
  }

  #isLiving(node: NodeId): boolean {
    const entry = this.#ground.table.get(node)
    return entry !== undefined && isUp(entry)
  }

  #want(node: NodeId): void {
    const { links, timers, awake, self, params } = this.#ground
    const patientUntil = links.has(node) ? awake : awake + params.growthPatienceMs
    // The lower id dials, so that two do not dial each other at once; the other waits in case the lower cannot.
    const leaveMs = self.node < node || this.#held.has(node) ? 0 : params.dialDelayMs
    const wanted: Wanted = { node, dial: new Timer(() => this.#dial(wanted)), asked: false, leaveMs, patientUntil }
    this.#wanted.set(node, wanted)
    if (!links.has(node)) timers.arm(wanted.dial, awake + leaveMs)
  }

  #release(wanted: Wanted): void {
    const { links, timers } = this.#ground
    this.#wanted.delete(wanted.node)
    timers.disarm(wanted.dial)
    this.#detector.unwatch(wanted.node)
    // Takes back the wish for a link that never came; a link that is up stays until there are too many.
    if (wanted.asked && !links.has(wanted.node)) {
      this.#ground.emit({ kind: 'disconnect', peer: wanted.node, reason: 'closed-by-us' })
    }
  }

  #dial(wanted: Wanted): void {
    const { links, table, now, awake, timers } = this.#ground
    const entry = table.get(wanted.node)
    if (links.has(wanted.node) || entry === undefined || !isUp(entry)) return
    const waitUntil = this.#patience(wanted)
    if (waitUntil > awake) {
      timers.arm(wanted.dial, waitUntil + wanted.leaveMs)
      return
    }
    const rate = this.#held.has(wanted.node) ? this.#heldDials : this.#changes
    if (!rate.take(now)) {
      timers.arm(wanted.dial, awake + RATE_WAIT_MS)
      return
    }
    wanted.asked = true
    this.#ground.emit({ kind: 'connect', peer: wanted.node, addresses: entry.judged.presence.addresses })
  }

  /** Until when this dial waits: each newcomer on the rings gives others other neighbours, and links cost both ends. */
  #patience({ node, patientUntil }: Wanted): number {
    const { awake, grewAt, params } = this.#ground
    if (this.#held.has(node) || this.#linksToCome() < params.growthLinksMax) return awake
    return Math.min(patientUntil, grewAt + params.growthCalmMs)
  }

  #linksToCome(): number {
    const { links } = this.#ground
    let count = links.size
    for (const { node, asked } of this.#wanted.values()) if (asked && !links.has(node)) count += 1
    return count
  }
}
