import type { NodeId } from '../kernel/index.ts'
import { hashNumber } from './hash.ts'

interface Place {
  readonly position: number
  readonly node: NodeId
}

/**
 * Who is neighbour to whom, as a function of the living members alone (M-16): every node computes the same answer from
 * the same view, for itself and for any other, without asking.
 *
 * Each ring orders the members by another hash; successors on one ring are strangers on the next, so the union is an
 * expander: news crosses it in O(log n) hops and few failures cut it. On one ring a node shares neighbours with its
 * neighbours, and those are the helpers of indirect probes.
 */
export class Overlay {
  readonly #rings: Place[][]
  readonly #span: number
  readonly #meshMax: number
  readonly #meshMin: number
  #mesh = true

  constructor(options: { rings: number; ringSpan: number; fullMeshMax: number; fullMeshMin: number }) {
    this.#rings = Array.from({ length: options.rings }, () => [])
    this.#span = options.ringSpan
    this.#meshMax = options.fullMeshMax
    this.#meshMin = options.fullMeshMin
  }

  get size(): number {
    return this.#rings[0]?.length ?? 0
  }

  get mode(): 'mesh' | 'rings' {
    return this.#mesh ? 'mesh' : 'rings'
  }

  /** `nodeHash` is the hash of the node's id, which its owner keeps. */
  add(node: NodeId, nodeHash: number): void {
    for (const [i, ring] of this.#rings.entries()) {
      const position = hashNumber(nodeHash, i + 1)
      ring.splice(indexOf(ring, position, node), 0, { position, node })
    }
    this.#settle()
  }

  remove(node: NodeId, nodeHash: number): void {
    for (const [i, ring] of this.#rings.entries()) {
      const at = indexOf(ring, hashNumber(nodeHash, i + 1), node)
      if (ring[at]?.node === node) ring.splice(at, 1)
    }
    this.#settle()
  }

  /**
   * The nearest of the first ring come first, and those of the next after its last: so every node is the first neighbour
   * of as many others as any, and the second, and so on. O(rings · (span + log n)) on rings, O(fullMeshMax) in the mesh,
   * which is one ring on which everyone is near. The node itself need not be a member.
   */
  neighboursOf(node: NodeId, nodeHash: number): Set<NodeId> {
    const found = new Set<NodeId>()
    const span = this.#mesh ? Math.ceil(this.size / 2) : this.#span
    for (const [i, ring] of this.#rings.entries()) {
      if (this.#mesh && i > 0) break
      const at = indexOf(ring, hashNumber(nodeHash, i + 1), node)
      const next = ring[at]?.node === node ? at + 1 : at
      for (let step = 1; step <= span; step++) {
        found.add(around(ring, at - step))
        found.add(around(ring, next + step - 1))
      }
    }
    found.delete(node)
    return found
  }

  #settle(): void {
    if (this.#mesh && this.size > this.#meshMax) this.#mesh = false
    else if (!this.#mesh && this.size < this.#meshMin) this.#mesh = true
  }
}

function around(ring: readonly Place[], index: number): NodeId {
  const { length } = ring
  return (ring[((index % length) + length) % length] as Place).node
}

/** Where the node stands in the ring, or would stand. Equal positions are ordered by id. */
function indexOf(ring: readonly Place[], position: number, node: NodeId): number {
  let low = 0
  let high = ring.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const place = ring[middle] as Place
    if (place.position < position || (place.position === position && place.node < node)) low = middle + 1
    else high = middle
  }
  return low
}
