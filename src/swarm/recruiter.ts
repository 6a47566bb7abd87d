import { decodeOperation, encodeOperation } from '../council/index.ts'
import { after, BoundedMap, type Millis, type NodeId } from '../kernel/index.ts'
import type { Member, MembershipView } from '../membership/index.ts'
import { Absences } from './absences.ts'
import type { CouncilDesk } from './council-desk.ts'
import { isGrown } from './growth.ts'
import { Turns } from './turns.ts'

/** When the council changes by itself, in milliseconds. */
export interface RecruiterParams {
  /** How long a member must have been up without a break before it is taken in. */
  readonly admitAfterMs: number
  /** How long a validator must have been gone before the others let it go. */
  readonly absentAfterMs: number
}

/** How long the same is not proposed again by the same node. */
const AGAIN_MS = 60_000
/** How long nothing else is moved while a motion that this node finds right is open: enough for the others to see it. */
const JOINED_WITHIN_MS = 30_000
/** As many motions as can be open. */
const SEEN_MAX = 256
/** Taken in at once; the council has the last word. */
const NEWCOMERS_MAX = 4

interface Open {
  readonly name: string
  readonly operation: Uint8Array
  readonly voters: readonly NodeId[]
}

/**
 * The council fills and renews itself (RC-1 to RC-5 in README.md). Every validator runs this, and speaks for what it has seen
 * for itself; the machine counts the voices (GV-7). One opens a motion, the others join it. Reachability only makes
 * proposals: what is decided, and by whom, is the council's (M-3).
 */
export class Recruiter {
  readonly #desk: CouncilDesk
  readonly #membership: MembershipView
  readonly #params: RecruiterParams
  readonly #absences: Absences
  readonly #turns: Turns
  /** Motions that this node finds right, and since when it knows of them. */
  readonly #seen = new BoundedMap<string, Millis>(SEEN_MAX)

  constructor(desk: CouncilDesk, membership: MembershipView, params: RecruiterParams) {
    this.#desk = desk
    this.#membership = membership
    this.#absences = new Absences(membership)
    this.#turns = new Turns(desk.host, membership, AGAIN_MS)
    this.#params = params
  }

  deadline(): Millis {
    return this.#turns.deadline()
  }

  /** What to propose now, in this node's own name; most of the time nothing. */
  proposals(now: Millis): readonly Uint8Array[] {
    if (!this.#turns.begin(now, this.#desk.state.validators)) return []
    const open = this.#open(now)
    const admission = this.#isWaiting(now, open) ? undefined : this.#admission(now)
    const dueSince = this.#turns.due(now, admission !== undefined)
    const mayAct = dueSince !== undefined && isGrown(now, dueSince, this.#membership, this.#params.admitAfterMs)
    const moved = mayAct && admission !== undefined ? [admission] : []
    const joined = open.flatMap(({ operation: bytes, voters }) => (voters.includes(this.#desk.self) ? [] : [bytes]))
    const removals = this.#absent(now).map((node) => operation([], [node]))
    return [...joined, ...moved, ...removals].filter((bytes) => {
      return this.#mayPropose(bytes) && this.#turns.take(now, bytes)
    })
  }

  /** Motions to take in whom this node itself would, as far as it has seen: its voice belongs to them. */
  #open(now: Millis): readonly Open[] {
    return this.#desk.state.motions.table.rows().flatMap(({ key, value }) => {
      return this.#isRight(now, value.operation) ? [{ name: key, ...value }] : []
    })
  }

  #isRight(now: Millis, bytes: Uint8Array): boolean {
    const decoded = decodeOperation(bytes)
    if (!decoded.ok || decoded.value.act.kind !== 'validator') return false
    const { add, remove } = decoded.value.act
    const newcomers = add.map((certificate) => this.#desk.nodeOf(certificate))
    const mayCome = newcomers.every((node) => {
      const member = node === undefined ? undefined : this.#membership.member(node)
      return member !== undefined && this.#isEligible(now, member)
    })
    return remove.length === 0 && mayCome && this.#isSize(newcomers.length) && this.#mayPropose(bytes)
  }

  /** Whether others are being given the time to join a motion. One that is right to this node alone is not waited for longer. */
  #isWaiting(now: Millis, open: readonly Open[]): boolean {
    for (const { name } of open) if (!this.#seen.has(name)) this.#seen.set(name, now)
    return open.some(({ name }) => now < after(this.#seen.get(name) ?? now, JOINED_WITHIN_MS))
  }

  /** RC-1, RC-2: whom to take in, if the council would. */
  #admission(now: Millis): Uint8Array | undefined {
    const { state } = this.#desk
    const room = Number(state.parameter('council.sizeMax')) - state.validators.size
    const candidates = room > 0 ? this.#candidates(now) : []
    let chosen: readonly Uint8Array[] = []
    for (const certificate of candidates) {
      if (chosen.length >= Math.min(room, NEWCOMERS_MAX)) break
      if (this.#mayPropose(operation([...chosen, certificate], []))) chosen = [...chosen, certificate]
    }
    return this.#isSize(chosen.length) ? operation(chosen, []) : undefined
  }

  /** RC-2: two are worse than one, either one's absence would stop both. */
  #isSize(newcomers: number): boolean {
    return newcomers > 0 && this.#desk.state.validators.size + newcomers !== 2
  }

  /** RC-1: up for long enough, certified as a validator, and wanted. */
  #isEligible(now: Millis, { node, roles, state: standing, since }: Member): boolean {
    const { validators, barred, revocations, convicted } = this.#desk.state
    const isStable = standing === 'alive' && now - since >= this.#params.admitAfterMs
    const isOut = barred.has(node) || revocations.has(node) || convicted.has(node)
    return isStable && !validators.has(node) && !isOut && roles.includes('validator')
  }

  /** Certificates of who could be taken in: organisations with the fewest seats first, then zones, then the longest up. */
  #candidates(now: Millis): readonly Uint8Array[] {
    const { state } = this.#desk
    const eligible = [...this.#membership.members()].filter((member) => this.#isEligible(now, member))
    const seats = state.validators.rows().map(({ key, value }) => {
      return { org: value.org as string, place: placeOf(this.#membership.member(key)) }
    })
    const crowd = (member: Member): number => {
      const orgs = seats.filter(({ org }) => org === member.org).length
      return orgs * PLACES_MAX + seats.filter(({ place }) => place === placeOf(member)).length
    }
    return eligible
      .toSorted((a, b) => crowd(a) - crowd(b) || a.since - b.since || (a.node < b.node ? -1 : 1))
      .flatMap(({ node }) => this.#membership.certificateOf(node) ?? [])
  }

  /** RC-3: validators gone for long. Each of the others says so; q of them carry it (GV-7). */
  #absent(now: Millis): readonly NodeId[] {
    const { validators } = this.#desk.state
    if (validators.size < ABSENT_SIZE_MIN) return []
    const gone = validators.rows().flatMap(({ key }) => {
      return key !== this.#desk.self && this.#absences.awayMs(now, key) >= this.#params.absentAfterMs ? [key] : []
    })
    return gone.slice(0, 1)
  }

  #mayPropose(bytes: Uint8Array): boolean {
    return this.#desk.check(bytes, this.#desk.self) === undefined
  }
}

/** More than there are places to tell apart. */
const PLACES_MAX = 1000

/** Three without one still decide; two of three would be two that need each other. */
const ABSENT_SIZE_MIN = 4

function placeOf(member: Member | undefined): string {
  return member === undefined ? '' : `${member.region}/${member.zone}`
}

function operation(add: readonly Uint8Array[], remove: readonly NodeId[]): Uint8Array {
  return encodeOperation({ expect: undefined, act: { kind: 'validator', add, remove } })
}
