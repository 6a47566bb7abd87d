import { assert, faultsTolerated, type NodeId } from '../kernel/index.ts'
import type { Rules } from './rules.ts'
import type { Epoch, GroupId, Seat, View } from './types.ts'

/** One epoch's membership: who sits where, how many make a quorum, whose turn a view is (B-3, B-24). */
export class Group {
  readonly id: GroupId
  readonly epoch: Epoch
  /** Sorted; a member's place is its seat. */
  readonly members: readonly NodeId[]
  /** Members that may be faulty. */
  readonly f: number
  /** Signatures that make a certificate. Computed once per epoch, never from who happens to be here. */
  readonly q: number
  readonly #rules: Rules
  readonly #seats: ReadonlyMap<NodeId, Seat>

  constructor(id: GroupId, epoch: Epoch, members: readonly NodeId[], rules: Rules) {
    assert(members.length > 0, 'a group has a member')
    this.id = id
    this.epoch = epoch
    this.members = [...new Set(members)].sort()
    this.f = faultsTolerated(this.members.length)
    this.q = rules.quorum(this.members.length)
    this.#rules = rules
    this.#seats = new Map(this.members.map((node, seat) => [node, seat as Seat]))
  }

  get size(): number {
    return this.members.length
  }

  seatOf(node: NodeId): Seat | undefined {
    return this.#seats.get(node)
  }

  memberAt(seat: Seat): NodeId | undefined {
    return this.members[seat]
  }

  /** The seat whose turn a view is. Epochs start at different seats, so that short epochs are no one's. */
  primarySeat(view: View): Seat {
    return this.#rules.primarySeat(this.epoch, view, this.size)
  }

  primaryOf(view: View): NodeId {
    return this.members[this.primarySeat(view)] as NodeId
  }

  sameMembers(members: readonly NodeId[]): boolean {
    return members.length === this.size && members.every((node, i) => node === this.members[i])
  }

  /**
   * The membership of the next epoch on the way to a wanted one: at most max(1, f) members differ (B-24), convicted
   * members leave first, then others come, then others leave. Never empty: one that is alone leaves once another has come,
   * and takes in two at once if it can, for of two either one's absence stops both.
   */
  towards(wanted: readonly NodeId[], convicted: ReadonlySet<NodeId>): readonly NodeId[] {
    const goal = new Set(wanted.filter((node) => !convicted.has(node)))
    const leaving = this.members.filter((node) => !goal.has(node))
    const coming = [...goal].filter((node) => !this.#seats.has(node)).sort()
    const first = this.size > 1 ? leaving.filter((node) => convicted.has(node)) : []
    const steps = [...first, ...coming, ...leaving.filter((node) => !first.includes(node))].slice(
      0,
      this.#rules.membershipStep(this.size, coming.length),
    )
    const next = new Set(this.members)
    for (const node of steps) {
      if (!next.delete(node)) next.add(node)
    }
    return next.size === 0 ? this.members : [...next].sort()
  }

  /** The same members in another epoch. */
  at(epoch: Epoch): Group {
    return epoch === this.epoch ? this : new Group(this.id, epoch, this.members, this.#rules)
  }

  /** The epoch after this one. */
  successor(members: readonly NodeId[]): Group {
    return new Group(this.id, (this.epoch + 1) as Epoch, members, this.#rules)
  }
}
