import type { Outcome } from '../../src/consensus/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'

/** What a group's decisions come to, reckoned a second time. */
export interface Model<V> {
  /** What is wrong with this operation having had this outcome here, if anything; then it counts. */
  apply(client: NodeId, operation: Uint8Array, outcome: Outcome): string | undefined
  /** What of a node's state is not what the decisions come to. */
  difference(view: V): string | undefined
}
