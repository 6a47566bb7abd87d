import { BoundedMap, type NodeId } from '../kernel/index.ts'
import type { Ground } from './ground.ts'
import type { Links } from './links.ts'
import { ADDRESSES_MAX, REMEMBERED_PEERS_MAX } from './messages.ts'
import { type Entry, isUp } from './table.ts'
import { Timer } from './timers.ts'
import type { Peer } from './types.ts'

/** Remembered peers that a node without any link dials at once. */
const DIALS_ALONE = 3
/**
 * The first neighbours are written down after this long, later changes after twice as long each time, and in the end every
 * `rememberIntervalMs`: who dies young knows more than the one that it met first.
 */
const FIRST_MEMORY_MS = 500
/** Who has fewer neighbours also keeps those of before: they may be all that leads back to the others. */
const REMEMBERED_MIN = 8
/** Room for the dials of one round and those of the round before. */
const DIALS_MAX = 8
/** Of these for strangers that somebody came across: whoever shouts on the LAN can make up as many as it likes. */
const STRANGERS_MAX = 4

/**
 * Finds back to those it has lost: one of the dead at a time, slowly and for as long as their tombstones last, so that a
 * healed partition is noticed from either side (M-7); and when it has no link at all, the peers of its last run, or those
 * that a newcomer was told of.
 */
export class Recontact {
  readonly #ground: Ground
  readonly #links: Links
  /** Dialled first. */
  readonly #first: readonly Peer[]
  readonly #seeds: readonly Peer[]
  readonly #dials = new BoundedMap<NodeId, Timer>(DIALS_MAX)
  /** Those of the dials that are for strangers. */
  readonly #strangers = new Set<NodeId>()
  readonly #round = new Timer(() => this.#turn())
  readonly #memory = new Timer(() => this.#remember())
  #memoryMs = FIRST_MEMORY_MS
  /** What the next run will know. */
  #remembered: readonly Peer[]

  constructor(ground: Ground, links: Links, first: readonly Peer[], spares: readonly Peer[]) {
    this.#ground = ground
    this.#links = links
    const others = (peers: readonly Peer[]) => peers.filter(({ node }) => node !== ground.self.node)
    this.#first = others(first).slice(0, 4 * REMEMBERED_PEERS_MAX)
    this.#seeds = [...this.#first, ...others(spares).slice(0, REMEMBERED_PEERS_MAX)]
    this.#remembered = this.#first.slice(0, REMEMBERED_PEERS_MAX)
  }

  start(): void {
    this.#turn(this.#first)
    // Soon at first: a node that ends right after its first links must find them again.
    this.#ground.timers.arm(this.#memory, this.#ground.awake + FIRST_MEMORY_MS)
  }

  /** A dial has come through. */
  linked(peer: NodeId): void {
    const timer = this.#dials.get(peer)
    if (timer === undefined) return
    this.#ground.timers.disarm(timer)
    this.#ended(peer)
  }

  /** A peer that nobody in the table is. Dialled now; whoever finds it again introduces it again. */
  introduce(peer: NodeId, addresses: readonly string[]): void {
    if (this.#strangers.size >= STRANGERS_MAX || this.#dials.has(peer)) return
    this.#dial({ node: peer, addresses: addresses.slice(0, ADDRESSES_MAX) })
    if (this.#dials.has(peer)) this.#strangers.add(peer)
  }

  #ended(peer: NodeId): void {
    this.#dials.delete(peer)
    this.#strangers.delete(peer)
  }

  #turn(seeds = this.#seeds): void {
    const { timers, awake, params, random, table, links } = this.#ground
    timers.arm(this.#round, awake + params.recontactIntervalMs * random.between(0.75, 1))
    const dead = table.randomDead(random)
    if (dead !== undefined) this.#dial({ node: dead.node, addresses: this.#addressesOf(dead) })
    if (links.size === 0) {
      for (const seed of random.sample(seeds, DIALS_ALONE)) this.#dial(seed)
      return
    }
    // Whoever was never met in this life may be on an island whose members know of nobody here (M-7).
    const unmet = this.#seeds.filter(({ node }) => table.get(node) === undefined)
    if (unmet.length > 0) this.#dial(random.pick(unmet))
  }

  /** Where it said it was, and where it was before: its last word may have been that of a copy of it elsewhere. */
  #addressesOf({ node, judged }: Entry): readonly string[] {
    const said = judged.presence.addresses
    const before = this.#seeds.find((seed) => seed.node === node)?.addresses ?? []
    return [...said, ...before.filter((address) => !said.includes(address))]
  }

  #dial(peer: Peer): void {
    const { timers, awake, params, links } = this.#ground
    if (links.has(peer.node) || this.#links.isWanted(peer.node) || this.#dials.has(peer.node)) return
    if (this.#dials.full) return
    const timer = new Timer(() => this.#giveUp(peer.node))
    this.#dials.set(peer.node, timer)
    timers.arm(timer, awake + params.recontactPatienceMs)
    this.#ground.emit({ kind: 'connect', peer: peer.node, addresses: peer.addresses })
  }

  #giveUp(node: NodeId): void {
    this.#ended(node)
    if (this.#ground.links.has(node) || this.#links.isWanted(node)) return
    this.#ground.emit({ kind: 'disconnect', peer: node, reason: 'closed-by-us' })
  }

  /** Keeps the addresses of neighbours for the next run, when they have changed. */
  #remember(): void {
    const { timers, awake, params, table } = this.#ground
    const peers: Peer[] = []
    for (const node of this.#links.neighbours()) {
      const entry = table.get(node)
      if (entry === undefined || !isUp(entry) || peers.length >= REMEMBERED_PEERS_MAX) continue
      peers.push({ node, addresses: entry.judged.presence.addresses })
    }
    // While nobody was met, the first one is not made to wait for a later round.
    if (peers.length > 0 || this.#memoryMs > FIRST_MEMORY_MS)
      this.#memoryMs = Math.min(params.rememberIntervalMs, this.#memoryMs * 2)
    timers.arm(this.#memory, awake + this.#memoryMs)
    // A node that has lost everyone keeps what it knew.
    if (peers.length === 0) return
    const all = [...peers, ...this.#formerBeside(peers)]
    if (JSON.stringify(all) === JSON.stringify(this.#remembered)) return
    this.#remembered = all
    this.#ground.emit({ kind: 'persist', record: { kind: 'peers', peers: all } })
  }

  /** Those of before that are neighbours no more, as many as there is room for beside few. Who has left is not missed. */
  #formerBeside(peers: readonly Peer[]): readonly Peer[] {
    const { table } = this.#ground
    const nodes = new Set(peers.map(({ node }) => node))
    const former = this.#remembered.filter(({ node }) => !nodes.has(node) && table.get(node)?.state !== 'left')
    return former.slice(0, Math.max(0, REMEMBERED_MIN - peers.length))
  }
}
