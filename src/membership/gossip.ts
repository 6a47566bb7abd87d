import type { NodeId } from '../kernel/index.ts'
import type { Rumour } from './messages.ts'

interface Item {
  readonly rumour: Rumour
  /** Who has told it or was told: no more than there are links, and then it leaves (M-25). */
  readonly knownBy: Set<NodeId>
  sent: number
}

/** A rumour as it is told to one peer. */
export interface Telling {
  readonly rumour: Rumour
  /** How often it has been told with this one, by this node. */
  readonly count: number
}

/** How far a rumour is carried. */
export interface Reach {
  /** One sent so often leaves the queue. */
  readonly sendsMax: number
  /** How many could be told; one that so many know leaves the queue. */
  readonly listeners: number
  /** Each of them hears of a doubt or a death, however often it was sent (M-30). */
  readonly neighbours: ReadonlySet<NodeId>
}

/**
 * Rumours that wait to be passed on: the latest about each node. Doubts of different accusers about one incarnation
 * stand side by side, because each of them confirms and a lost one would lengthen the suspicion (M-5). Those sent least
 * often go first, so that news overtakes what most have heard (SWIM, section 4.1).
 */
export class RumourQueue {
  readonly #itemsMax: number
  /** One ordered set per number of sends: the next to go is the first of the lowest level. */
  readonly #levels: Set<Item>[] = []
  /** By the node that they are about; more than one only for doubts of several accusers. */
  readonly #items = new Map<NodeId, readonly Item[]>()
  #size = 0
  #doubts = 0

  constructor(itemsMax: number) {
    this.#itemsMax = itemsMax
  }

  get size(): number {
    return this.#size
  }

  /** Whether any of them is of a doubt or a death. */
  get hasDoubts(): boolean {
    return this.#doubts > 0
  }

  /** When full, the rumour that was sent most often makes room: most have heard it. */
  add(rumour: Rumour, from?: NodeId): void {
    for (const item of this.#items.get(rumour.node) ?? NONE) {
      if (!standsBeside(item.rumour, rumour)) this.#remove(item)
    }
    const beside = this.#items.get(rumour.node)
    const [oldest] = beside ?? NONE
    if (beside !== undefined && beside.length >= ACCUSERS_MAX && oldest !== undefined) this.#remove(oldest)
    if (this.#size >= this.#itemsMax) this.#dropMostSent()
    this.#put({ rumour, knownBy: new Set(from === undefined ? [] : [from]), sent: 0 })
  }

  /** The peer has told what is held here too. */
  heard(peer: NodeId, { node, incarnation, state, accuser }: Rumour): void {
    for (const item of this.#items.get(node) ?? NONE) {
      const { rumour } = item
      const isSame = rumour.incarnation === incarnation && rumour.state === state && rumour.accuser === accuser
      if (isSame) item.knownBy.add(peer)
    }
  }

  /** Drops all that is said about the node. */
  remove(node: NodeId): void {
    for (const item of this.#items.get(node) ?? NONE) this.#remove(item)
  }

  /** Up to `rumoursMax` rumours that are news to `peer`, each counted as sent once. */
  take(peer: NodeId, rumoursMax: number, reach: Reach): readonly Telling[] {
    if (this.#size === 0) return []
    const { sendsMax, listeners, neighbours } = reach
    const taken: Item[] = []
    // Looks at a bounded number, also when most of the queue came from this very peer.
    let looksLeft = rumoursMax * 2
    for (const level of this.#levels) {
      for (const item of level) {
        if (taken.length >= rumoursMax || looksLeft-- <= 0) break
        if (isNewsTo(peer, item) && (item.sent < sendsMax || neighbours.has(peer))) taken.push(item)
        else if (item.knownBy.size >= listeners) this.#remove(item)
      }
      if (taken.length >= rumoursMax || looksLeft <= 0) break
    }
    for (const item of taken) {
      this.#remove(item)
      item.sent += 1
      item.knownBy.add(peer)
      const isOpen = item.sent < sendsMax || (isDoubt(item) && !doAllKnow(neighbours, item))
      if (isOpen && item.knownBy.size < listeners) this.#put(item)
    }
    return taken.map(({ rumour, sent }) => ({ rumour, count: sent }))
  }

  clear(): void {
    this.#items.clear()
    this.#levels.length = 0
    this.#size = 0
    this.#doubts = 0
  }

  #put(item: Item): void {
    while (this.#levels.length <= item.sent) this.#levels.push(new Set())
    this.#levels[item.sent]?.add(item)
    this.#items.set(item.rumour.node, [...(this.#items.get(item.rumour.node) ?? NONE), item])
    this.#size += 1
    if (isDoubt(item)) this.#doubts += 1
  }

  #remove(item: Item): void {
    const { node } = item.rumour
    const rest = (this.#items.get(node) ?? NONE).filter((other) => other !== item)
    if (rest.length === 0) this.#items.delete(node)
    else this.#items.set(node, rest)
    this.#levels[item.sent]?.delete(item)
    this.#size -= 1
    if (isDoubt(item)) this.#doubts -= 1
  }

  #dropMostSent(): void {
    for (let sent = this.#levels.length - 1; sent >= 0; sent--) {
      const oldest = this.#levels[sent]?.values().next()
      if (oldest === undefined || oldest.done) continue
      this.#remove(oldest.value)
      return
    }
  }
}

const NONE: readonly Item[] = []

/** More accusers of one node than this confirm nothing further (`confirmations` and the first). */
const ACCUSERS_MAX = 4

function isDoubt({ rumour: { state } }: Item): boolean {
  return state === 'suspect' || state === 'dead'
}

function doAllKnow(peers: ReadonlySet<NodeId>, { knownBy }: Item): boolean {
  for (const peer of peers) if (!knownBy.has(peer)) return false
  return true
}

/** Two doubts about the same incarnation, by different accusers, are two pieces of news. */
function standsBeside(known: Rumour, news: Rumour): boolean {
  const areDoubts = known.state === 'suspect' && news.state === 'suspect'
  return areDoubts && known.incarnation === news.incarnation && known.accuser !== news.accuser
}

/** A peer needs no reminder that it lives, but it does need to hear that it is suspected (M-14). */
function isNewsTo(peer: NodeId, item: Item): boolean {
  return !item.knownBy.has(peer) && (item.rumour.node !== peer || isDoubt(item))
}
