import type { NodeId } from '../kernel/index.ts'
import type { Rumour } from './messages.ts'

interface Item {
  readonly rumour: Rumour
  /** Who told us; it need not hear it back. */
  readonly from: NodeId | undefined
  sent: number
}

/**
 * Rumours that wait to be passed on, one per node: a newer one about the same node replaces the older. Those sent least
 * often go first, so that news overtakes what most have heard (SWIM, section 4.1).
 */
export class RumourQueue {
  readonly #itemsMax: number
  /** One ordered map per number of sends: the next to go is the first of the lowest level. */
  readonly #levels: Map<NodeId, Item>[] = []
  readonly #items = new Map<NodeId, Item>()

  constructor(itemsMax: number) {
    this.#itemsMax = itemsMax
  }

  get size(): number {
    return this.#items.size
  }

  /** When full, the rumour that was sent most often makes room: most have heard it. */
  add(rumour: Rumour, from?: NodeId): void {
    this.remove(rumour.node)
    if (this.#items.size >= this.#itemsMax) this.#dropMostSent()
    this.#put({ rumour, from, sent: 0 })
  }

  remove(node: NodeId): void {
    const item = this.#items.get(node)
    if (item === undefined) return
    this.#items.delete(node)
    this.#levels[item.sent]?.delete(node)
  }

  /** Up to `rumoursMax` rumours for `peer`, each counted as sent once; one sent `sendsMax` times leaves the queue. */
  take(peer: NodeId, rumoursMax: number, sendsMax: number): readonly Rumour[] {
    if (this.#items.size === 0) return NONE
    const taken: Item[] = []
    // Looks at a bounded number, also when most of the queue came from this very peer.
    let looksLeft = rumoursMax * 2
    for (const level of this.#levels) {
      for (const item of level.values()) {
        if (taken.length >= rumoursMax || looksLeft-- <= 0) break
        if (isNewsTo(peer, item)) taken.push(item)
      }
      if (taken.length >= rumoursMax || looksLeft <= 0) break
    }
    for (const item of taken) {
      this.remove(item.rumour.node)
      item.sent += 1
      if (item.sent < sendsMax) this.#put(item)
    }
    return taken.map((item) => item.rumour)
  }

  clear(): void {
    this.#items.clear()
    this.#levels.length = 0
  }

  #put(item: Item): void {
    while (this.#levels.length <= item.sent) this.#levels.push(new Map())
    this.#items.set(item.rumour.node, item)
    this.#levels[item.sent]?.set(item.rumour.node, item)
  }

  #dropMostSent(): void {
    for (let sent = this.#levels.length - 1; sent >= 0; sent--) {
      const oldest = this.#levels[sent]?.keys().next()
      if (oldest === undefined || oldest.done) continue
      this.remove(oldest.value)
      return
    }
  }
}

const NONE: readonly Rumour[] = []

/** A peer needs no reminder that it lives, but it does need to hear that it is suspected (M-14). */
function isNewsTo(peer: NodeId, { rumour, from }: Item): boolean {
  if (from === peer) return false
  return rumour.node !== peer || rumour.state === 'suspect' || rumour.state === 'dead'
}
