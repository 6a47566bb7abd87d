import { after, BoundedMap, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import type { MembershipView } from '../membership/index.ts'
import type { GroupHost } from './group-host.ts'

/** How often members of a group look whether something is to be proposed. */
const INTERVAL_MS = 2_000
/** How much later each further member acts, should those before it not. */
const RANK_MS = 4_000
const PROPOSED_MAX = 64

/** When a member of a group that renews itself looks and acts: every member runs the same, and one acts for all. */
export class Turns {
  readonly #host: GroupHost
  readonly #membership: MembershipView
  readonly #againMs: number
  readonly #proposed = new BoundedMap<string, Millis>(PROPOSED_MAX)
  #lookAt = 0 as Millis
  /** Since when there has been something to do that nobody has done. */
  #dueSince: Millis | undefined

  /** @param againMs how long the same is not proposed again by the same node */
  constructor(host: GroupHost, membership: MembershipView, againMs: number) {
    this.#host = host
    this.#membership = membership
    this.#againMs = againMs
  }

  deadline(): Millis {
    return this.#host.isMember ? this.#lookAt : NEVER
  }

  /** Whether it is time to look, with these decided to be members. One change at a time: until the epoch that it makes. */
  begin(now: Millis, seats: { readonly size: number; has(node: NodeId): boolean }): boolean {
    if (!this.#host.isMember || now < this.#lookAt) return false
    this.#lookAt = after(now, INTERVAL_MS)
    const { members } = this.#host.core
    return seats.size === members.length && members.every((node) => seats.has(node))
  }

  /** Since when there has been something to do, if it is for this node to do it by now: those before it have not. */
  due(now: Millis, isSomething: boolean): Millis | undefined {
    this.#dueSince = isSomething ? (this.#dueSince ?? now) : undefined
    return this.#dueSince !== undefined && now >= after(this.#dueSince, RANK_MS * this.#rank())
      ? this.#dueSince
      : undefined
  }

  /** Whether this was not proposed lately; from now on it was. */
  take(now: Millis, operation: Uint8Array): boolean {
    const key = String.fromCharCode(...operation)
    const last = this.#proposed.get(key)
    if (last !== undefined && now < after(last, this.#againMs)) return false
    this.#proposed.set(key, now)
    return true
  }

  /** This node's place among the members that are up. */
  #rank(): number {
    const { self, core } = this.#host
    const up = core.members.filter((node) => node === self || this.#membership.state(node) === 'alive')
    return up.indexOf(self)
  }
}
