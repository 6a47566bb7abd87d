import { BoundedMap, type Millis, type NodeId } from '../kernel/index.ts'
import type { MembershipView } from '../membership/index.ts'

/** More than a group has members. */
const UNKNOWN_MAX = 256

/** How long members of a group have been away, as far as this node can tell. */
export class Absences {
  readonly #membership: MembershipView
  /** Nodes that membership does not know (any more, or since this node started), and since when. */
  readonly #unknown = new BoundedMap<NodeId, Millis>(UNKNOWN_MAX)

  constructor(membership: MembershipView) {
    this.#membership = membership
  }

  /** 0 for who is there, or is only doubted. Ask often: time with nobody asking does not count for who is unknown. */
  awayMs(now: Millis, node: NodeId): number {
    const member = this.#membership.member(node)
    if (member !== undefined) {
      this.#unknown.delete(node)
      return member.state === 'dead' || member.state === 'left' ? now - member.since : 0
    }
    const since = this.#unknown.get(node) ?? now
    this.#unknown.set(node, since)
    return now - since
  }
}
