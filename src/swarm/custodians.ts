import { type CellOperation, CHANGES_MAX, decodeCellOperation, encodeCellOperation } from '../cell/index.ts'
import type { Millis, NodeId } from '../kernel/index.ts'
import type { MembershipView } from '../membership/index.ts'
import { Absences } from './absences.ts'
import { CELL_SIZE_MAX, type CellDesk } from './cell-desk.ts'
import { isGrown } from './growth.ts'
import type { RecruiterParams } from './recruiter.ts'
import { Turns } from './turns.ts'

/** How long the same is not proposed again by the same node. */
const AGAIN_MS = 10_000
/** Three without one still decide; two of three would be two that need each other. */
const ABSENT_SIZE_MIN = 4

type Change = Extract<CellOperation, { readonly kind: 'custodians' }>

/**
 * A cell fills and renews itself (CU-1 to CU-5 in README.md). Every custodian runs this, and speaks for what it has seen
 * for itself; the machine counts the voices (CE-3). One opens a motion, the others join it.
 */
export class Custodians {
  readonly #desk: CellDesk
  readonly #membership: MembershipView
  readonly #isRevoked: (node: NodeId) => boolean
  readonly #params: RecruiterParams
  readonly #absences: Absences
  readonly #turns: Turns

  constructor(
    desk: CellDesk,
    ports: { readonly membership: MembershipView; readonly isRevoked: (node: NodeId) => boolean },
    params: RecruiterParams,
  ) {
    this.#desk = desk
    this.#membership = ports.membership
    this.#absences = new Absences(ports.membership)
    this.#turns = new Turns(desk.host, ports.membership, AGAIN_MS)
    this.#isRevoked = ports.isRevoked
    this.#params = params
  }

  deadline(): Millis {
    return this.#turns.deadline()
  }

  /** What to propose now, in this node's own name; most of the time nothing. */
  proposals(now: Millis): readonly Uint8Array[] {
    if (!this.#turns.begin(now, this.#desk.state.custodians)) return []
    const open = this.#open(now)
    const wanted = open.length > 0 ? [] : this.#wanted(now)
    const dueSince = this.#turns.due(now, wanted.length > 0)
    const motions = dueSince === undefined ? [] : this.#ripe(now, dueSince, wanted)
    const joined = open.flatMap(({ operation, voters }) => (voters.includes(this.#desk.self) ? [] : [operation]))
    const said = [...joined, ...motions.map(encodeCellOperation)]
    return said.filter((bytes) => this.#desk.check(bytes) === undefined && this.#turns.take(now, bytes))
  }

  /** CU-5: who is to come waits for the swarm to have grown, who is to go does not. */
  #ripe(now: Millis, dueSince: Millis, wanted: readonly Change[]): readonly Change[] {
    const isOver = isGrown(now, dueSince, this.#membership, this.#params.admitAfterMs)
    return wanted.filter(({ add }) => add.length === 0 || isOver)
  }

  /**
   * Motions that are open and right, by what this node has seen: its voice belongs to them. What has become impossible
   * since it was moved is not waited for.
   */
  #open(now: Millis): readonly { readonly operation: Uint8Array; readonly voters: readonly NodeId[] }[] {
    return this.#desk.state.motions.table.rows().flatMap(({ value }) => {
      const decoded = decodeCellOperation(value.operation)
      const isRight = decoded.ok && decoded.value.kind === 'custodians' && this.#isRight(now, decoded.value)
      return isRight && this.#desk.check(value.operation) === undefined ? [value] : []
    })
  }

  /** CU-1 to CU-3: what ought to be moved, if anybody is to come or to go. */
  #wanted(now: Millis): readonly Change[] {
    const { custodians } = this.#desk.state
    const gone = custodians.rows().find(({ key }) => this.#isGone(now, key))
    const leaving = gone === undefined ? [] : [this.#leaving(gone.key)]
    const room = Math.min(CELL_SIZE_MAX - custodians.size, CHANGES_MAX)
    const waiting = [...this.#membership.members()].map(({ node }) => node).sort()
    const add = waiting.filter((node) => this.#mayCome(now, node)).slice(0, Math.max(0, room))
    const coming: readonly Change[] = add.length === 0 ? [] : [change(add, [])]
    return [...leaving, ...coming].filter((each) => this.#isRight(now, each))
  }

  #isRight(now: Millis, { add, remove, lost }: Change): boolean {
    const { size } = this.#desk.state.custodians
    // CU-4: what only a revoked one holds is lost with it; of others nothing is given up without a person's word.
    if (lost && !remove.every((node) => this.#isRevoked(node))) return false
    if (size + add.length - remove.length > CELL_SIZE_MAX) return false
    const isRevocation = remove.some((node) => this.#isRevoked(node))
    // CU-2: two need each other, and are worse than one; a revoked one is worse than that.
    if (size + add.length - remove.length === 2 && !isRevocation) return false
    return add.every((node) => this.#mayCome(now, node)) && remove.every((node) => this.#isGone(now, node))
  }

  #leaving(node: NodeId): Change {
    const holdsAlone = this.#desk.state.heldBy(node).some(({ value }) => value.inSync.length === 1)
    return { ...change([], [node]), lost: this.#isRevoked(node) && holdsAlone }
  }

  /** CU-1: up for long enough, certified as a custodian, and not revoked. */
  #mayCome(now: Millis, node: NodeId): boolean {
    const member = this.#membership.member(node)
    if (member === undefined || this.#desk.state.custodians.has(node) || this.#isRevoked(node)) return false
    const isStable = member.state === 'alive' && now - member.since >= this.#params.admitAfterMs
    return isStable && member.roles.includes('custodian')
  }

  /** CU-3: revoked, or away for long in a cell that can do without. */
  #isGone(now: Millis, node: NodeId): boolean {
    const { custodians } = this.#desk.state
    if (!custodians.has(node) || node === this.#desk.self) return false
    if (this.#isRevoked(node)) return true
    return custodians.size >= ABSENT_SIZE_MIN && this.#absences.awayMs(now, node) >= this.#params.absentAfterMs
  }
}

function change(add: readonly NodeId[], remove: readonly NodeId[]): Change {
  return { kind: 'custodians', add, remove, lost: false }
}
