import type { NodeId } from '../kernel/index.ts'
import type { PeerWaiter, Task } from './task.ts'

/** One wait of another node, and what for. */
export interface PeerWait {
  readonly waiter: PeerWaiter
  readonly task: Task
}

/**
 * Waits of other nodes, by node (CL-19). Whoever is alone may fill the room; when it is full, whoever has more makes room
 * for whoever has fewer, so that of n nodes that want it each has one n-th.
 */
export class WaitingRoom {
  /** Of each node in the order in which they were last heard. */
  readonly #waits = new Map<NodeId, Map<PeerWaiter, Task>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(waiter: PeerWaiter, task: Task): void {
    const waits = this.#waits.get(waiter.node)
    if (waits === undefined) this.#waits.set(waiter.node, new Map([[waiter, task]]))
    else waits.set(waiter, task)
    this.#size += 1
  }

  delete(waiter: PeerWaiter): void {
    const waits = this.#waits.get(waiter.node)
    if (waits?.delete(waiter) !== true) return
    if (waits.size === 0) this.#waits.delete(waiter.node)
    this.#size -= 1
  }

  /** What goes for one more of `node`: of the node with the most, what was not heard for longest. None if it has no more than that one. */
  surplus(node: NodeId): PeerWait | undefined {
    let most: ReadonlyMap<PeerWaiter, Task> | undefined
    for (const waits of this.#waits.values()) if (waits.size > (most?.size ?? 0)) most = waits
    if (most === undefined || most.size <= (this.#waits.get(node)?.size ?? 0) + 1) return undefined
    for (const [waiter, task] of most) return { waiter, task }
    return undefined
  }
}
