import type { Addressed, Message as ConsensusMessage, GroupId } from '../consensus/index.ts'
import type { WallMillis } from '../kernel/index.ts'
import { earliest, type Millis, NEVER, type NodeId, type Random, TICK } from '../kernel/index.ts'
import { Following } from './following.ts'
import type { GroupHost, GroupNews } from './group-host.ts'
import type { SwarmEffect, SwarmInput } from './types.ts'

export interface GroupsOptions {
  readonly random: Random
  /** Something came of a step of this group. Called inside the step; may submit to it for a later one. */
  onNews(now: Millis, group: GroupHost, news: GroupNews, effects: SwarmEffect[]): void
}

interface Hosted {
  readonly host: GroupHost
  readonly following: Following
}

/** What a host says to a group. */
export type GroupInput = Extract<SwarmInput, { kind: 'settled' | 'verified' | 'propose' }>

/** Messages between members, which a group may get from whoever has a link. */
export interface GroupMessage {
  readonly kind: `consensus.${string}`
  readonly body: Addressed
}

/**
 * The groups of this node: it is a member of some and follows others (GR-4), with the same code. Which they are, who their
 * members are and what they decide about is not known here.
 */
export class Groups {
  readonly #options: GroupsOptions
  readonly #hosted = new Map<GroupId, Hosted>()
  readonly #linked = new Set<NodeId>()

  constructor(options: GroupsOptions) {
    this.#options = options
  }

  add(host: GroupHost): void {
    const following = new Following(host.core, this.#options.random.fork(host.id))
    this.#hosted.set(host.id, { host, following })
  }

  deadline(): Millis {
    let first = NEVER
    for (const { host, following } of this.#hosted.values()) {
      first = earliest(first, host.deadline())
      if (this.#asks(host, following)) first = earliest(first, following.deadline())
    }
    return first
  }

  tick(now: Millis, effects: SwarmEffect[]): void {
    for (const { host, following } of this.#hosted.values()) {
      if (host.deadline() <= now) this.#step(now, host, TICK, effects)
      if (this.#asks(host, following) && following.deadline() <= now) this.#ask(now, host, following, effects)
    }
  }

  clock(now: Millis, wall: WallMillis, effects: SwarmEffect[]): void {
    for (const { host } of this.#hosted.values()) this.#step(now, host, { kind: 'clock', wall }, effects)
  }

  onMessage(now: Millis, from: NodeId, message: GroupMessage, effects: SwarmEffect[]): void {
    // A group that this node has no part in: somebody's view of who follows what is old.
    const hosted = this.#hosted.get(message.body.group)
    if (hosted === undefined) return
    const inner: ConsensusMessage = message.body.message
    if (message.kind !== 'consensus.announce') {
      this.#step(now, hosted.host, { kind: 'message', from, message: inner }, effects)
    } else if (inner.kind === 'status') {
      hosted.following.hear(now, inner.epoch, inner.height)
      hosted.host.heard(now, inner.height)
      this.tick(now, effects)
    }
  }

  linkUp(now: Millis, peer: NodeId, effects: SwarmEffect[]): void {
    this.#linked.add(peer)
    for (const { host, following } of this.#hosted.values()) {
      const hasMember = [...this.#linked].some((node) => isOf(host, node))
      if (isOf(host, peer) || !hasMember) following.meet(now)
    }
    this.tick(now, effects)
  }

  /** Somebody relies on what this node does not know of that group: it asks whether it has missed something (GR-7). */
  doubt(now: Millis, group: GroupId): void {
    this.#hosted.get(group)?.following.doubt(now)
  }

  /** This node finds that it may have forgotten what it said: its members abstain until it is safe (B-20). */
  mistrust(now: Millis, why: string, effects: SwarmEffect[]): void {
    for (const { host } of this.#hosted.values()) this.#step(now, host, { kind: 'doubt', why }, effects)
  }

  linkDown(peer: NodeId): void {
    this.#linked.delete(peer)
  }

  /** What the host says to one group. */
  tell(now: Millis, said: GroupInput, effects: SwarmEffect[]): void {
    const hosted = this.#hosted.get(said.group)
    if (hosted === undefined) return
    if (said.kind === 'settled') this.#step(now, hosted.host, { kind: 'durable', mark: said.mark }, effects)
    else if (said.kind === 'verified') this.#step(now, hosted.host, said, effects)
    else this.#step(now, hosted.host, { kind: 'submit', submissions: said.proposals }, effects)
  }

  /** Links that the groups need: a member to all the others, a follower to one member, whichever it has. */
  wanted(): readonly NodeId[] {
    const wanted = new Set<NodeId>()
    for (const { host } of this.#hosted.values()) {
      const others = host.core.members.filter((node) => node !== host.self)
      if (host.isMember) for (const node of others) wanted.add(node)
      else if (!others.some((node) => this.#linked.has(node))) {
        const choice = others[hashOf(host.self) % Math.max(1, others.length)]
        if (choice !== undefined) wanted.add(choice)
      }
    }
    return [...wanted].sort()
  }

  /** Members hear of each other by themselves, but for what was said before they had a link. */
  #asks(host: GroupHost, following: Following): boolean {
    return this.#linked.size > 0 && (!host.isMember || following.isEager)
  }

  #ask(now: Millis, host: GroupHost, following: Following, effects: SwarmEffect[]): void {
    const linked = [...this.#linked]
    const members = linked.filter((node) => isOf(host, node))
    const peer = following.next(now, members, linked)
    if (peer !== undefined) this.#step(now, host, { kind: 'follow', peer }, effects)
  }

  #step(now: Millis, host: GroupHost, input: Parameters<GroupHost['step']>[1], effects: SwarmEffect[]): void {
    const { height, epoch } = host.core
    // What came of an operation is final by what others hold; whoever asked need not wait for this node's disk.
    const asked: SwarmEffect[] = []
    const news = host.step(now, input, asked)
    if (host.core.height > height || host.core.epoch > epoch) this.#hosted.get(host.id)?.following.moved(now)
    this.#options.onNews(now, host, news, effects)
    for (const effect of asked) effects.push(effect)
  }
}

function isOf(host: GroupHost, node: NodeId): boolean {
  return host.core.members.includes(node)
}

/** Spreads followers over members. */
function hashOf(node: NodeId): number {
  let hash = 0
  for (let i = 0; i < node.length; i++) hash = (Math.imul(hash, 31) + node.charCodeAt(i)) >>> 0
  return hash
}
