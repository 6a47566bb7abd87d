import { assert, type Millis } from '../kernel/index.ts'
import { excluding, type Few, has, including } from './few.ts'
import { LazyHeap } from './lazy-heap.ts'

/** Priority classes, 0 (lowest) to 9. */
export const CLASSES_COUNT = 10

/** In one pick, so many tenants may each have as many lanes looked at as a tenant can. */
const TENANTS_PER_PICK = 4
/** A pick in vain doubles how much the next one looks at, up to so many times `scanMax`: 4,096 lanes of a tenant by default. */
const EFFORT_MAX = 128
/** What a pick may cost from then on, as long as it must look that far. */
const EFFORT_KEPT = 8

const NOBODY: readonly never[] = []

/** Something that waits in a lane: a task of this node, or another coordinator's offer that is held. */
export class Entry {
  /** Order of arrival over the whole queue; greater for whoever comes back. */
  sequence = 0
  queuedAt = 0 as Millis
  lane: Lane | undefined
  previous: Entry | undefined
  next: Entry | undefined
}

/** Whose share it is. `pass` is what the tenant has had in a class, divided by its weight. */
export class Tenant {
  readonly name: string
  readonly order: number
  weight = 1
  /** Its account was closed, and it may have another one: what waits from now on is not to be on this one. */
  isForgotten = false
  /** Entries that wait, over all classes. */
  waiting = 0
  readonly pass = new Float64Array(CLASSES_COUNT)
  readonly waitingByClass = new Uint32Array(CLASSES_COUNT)

  constructor(name: string, order: number) {
    this.name = name
    this.order = order
  }
}

/** Entries that are alike in all that matters for order and matching: one demand, class and tenant. First in, first out. */
export class Lane {
  readonly priority: number
  readonly tenant: Tenant
  /** What the entries demand; the queue does not look into it. */
  readonly group: object
  /** Held for others: never offered on. */
  readonly foreign: boolean
  head: Entry | undefined
  tail: Entry | undefined
  size = 0
  selectors: Few<Selector> = NOBODY

  constructor(group: object, priority: number, tenant: Tenant, foreign: boolean) {
    this.group = group
    this.priority = priority
    this.tenant = tenant
    this.foreign = foreign
  }

  /** How many of its entries came before that sequence number; no more than `max` are counted. */
  before(sequence: number, max: number): number {
    let count = 0
    for (let entry = this.head; entry !== undefined && entry.sequence < sequence && count < max; entry = entry.next)
      count += 1
    return count
  }

  /** That selector is no more. */
  leave(selector: Selector): void {
    this.selectors = excluding(this.selectors, selector)
  }
}

export interface QueueParams {
  readonly agingMs: number
  readonly agingEveryCount: number
  readonly scanMax: number
}

/** What one pick looks at. */
class Looks {
  count = 0
  /** Something was passed over unseen. */
  isCut = false
  readonly #turnMax: number
  readonly #max: number
  readonly #fits: (lane: Lane) => boolean
  #turnEnds = 0

  constructor(turnMax: number, max: number, fits: (lane: Lane) => boolean) {
    this.#turnMax = turnMax
    this.#max = max
    this.#fits = fits
  }

  /** No look is left: what follows is passed over. */
  isSpent(): boolean {
    if (this.count < this.#max) return false
    this.isCut = true
    return true
  }

  /** The next tenant's. */
  turn(): void {
    this.#turnEnds = Math.min(this.#max, this.count + this.#turnMax)
  }

  judge(lane: Lane): 'take' | 'next' | 'stop' {
    if (this.count >= this.#turnEnds) {
      this.isCut = true
      return 'stop'
    }
    if (this.#fits(lane)) return 'take'
    this.count += 1
    return 'next'
  }
}

function headSequence(lane: Lane): number {
  return lane.head === undefined ? Number.POSITIVE_INFINITY : lane.head.sequence
}

/** The lanes of one tenant in one class, by age of their first. */
class Share {
  readonly tenant: Tenant
  readonly priority: number
  readonly lanes: LazyHeap<Lane>
  listed = false

  constructor(selector: Selector, tenant: Tenant, priority: number) {
    this.tenant = tenant
    this.priority = priority
    this.lanes = new LazyHeap(headSequence, (lane) => selector.inShares.delete(lane))
  }

  /** What decides between tenants; infinite when nothing waits. */
  key(): number {
    return this.lanes.top() === undefined ? Number.POSITIVE_INFINITY : (this.tenant.pass[this.priority] as number)
  }
}

/**
 * Lanes that somebody can serve (a class of agents, or the peers), in the order in which they are to be served:
 * strict classes; inside a class the tenant that has had least of its share; inside a tenant first come, first served.
 * One pick in `agingEveryCount` goes to the oldest of those that waited longer than `agingMs` (T-11).
 *
 * O(log n) per change, n being lanes, not entries.
 */
export class Selector {
  readonly #params: QueueParams
  readonly #classes: (LazyHeap<Share> | undefined)[] = new Array(CLASSES_COUNT).fill(undefined)
  readonly #shares: Map<Tenant, Share>[] = []
  readonly #byAge: LazyHeap<Lane>
  /** What stands in the heap by age, and in that of its tenant's share. */
  readonly #inAge = new Set<Lane>()
  readonly inShares = new Set<Lane>()
  /** The list of this one, for whoever has no other: one for all of them. */
  readonly alone: readonly Selector[] = [this]
  #live = 0
  #picks = 0
  /** How many times `scanMax` a pick looks at, of one tenant. */
  #effort = 1
  #isCut = false

  constructor(params: QueueParams) {
    this.#params = params
    this.#byAge = new LazyHeap(headSequence, (lane) => this.#inAge.delete(lane))
  }

  /** Lanes with something in them. */
  get live(): number {
    return this.#live
  }

  /** Those with something in them, and some that ran dry; in no order. */
  lanes(): Iterable<Lane> {
    return this.#byAge.values()
  }

  /** From now on this lane is among those to pick from. */
  include(lane: Lane): void {
    if (has(lane.selectors, this)) return
    lane.selectors = including(lane.selectors, this, this.alone)
    if (lane.size > 0) this.filled(lane)
  }

  /** The lane has something in it again. */
  filled(lane: Lane): void {
    this.#live += 1
    if (!this.#inAge.has(lane)) {
      this.#inAge.add(lane)
      this.#byAge.push(lane)
    }
    const share = this.#shareOf(lane.tenant, lane.priority)
    if (!this.inShares.has(lane)) {
      this.inShares.add(lane)
      share.lanes.push(lane)
    }
    if (!share.listed) {
      share.listed = true
      this.#classHeap(lane.priority).push(share)
    }
  }

  /** The lane has run dry. */
  drained(): void {
    this.#live -= 1
    if (this.#byAge.size > 2 * this.#live + 64) this.#byAge.prune()
  }

  /** Whether the last pick found nothing before it had looked at everything: the next one looks at more. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** Of how many looks a pick consists now, at most. */
  get looksMax(): number {
    return this.#params.scanMax * this.#effort * TENANTS_PER_PICK
  }

  /**
   * The lane whose first entry is due, among those that `fits` accepts; nothing is taken out. Looks at so many that do not
   * fit and no further, so that an event costs little: first of each tenant, so that nobody's tasks hide another's, then
   * of all. In vain, the next pick may look at twice as many.
   */
  pick(now: Millis, fits: (lane: Lane) => boolean): Lane | undefined {
    this.#isCut = false
    if (this.#live === 0) return undefined
    const looks = new Looks(this.#params.scanMax * this.#effort, this.looksMax, fits)
    const found = this.#pickAged(now, looks) ?? this.#pickByRank(looks)
    if (found !== undefined) this.#picks += 1
    this.#isCut = found === undefined && looks.isCut
    if (this.#isCut) this.#effort = Math.min(EFFORT_MAX, this.#effort * 2)
    else this.#effort = looks.count < this.#params.scanMax ? 1 : Math.min(EFFORT_KEPT, this.#effort)
    return found
  }

  #pickAged(now: Millis, looks: Looks): Lane | undefined {
    const { agingEveryCount, agingMs } = this.#params
    if ((this.#picks + 1) % agingEveryCount !== 0) return undefined
    looks.turn()
    return this.#byAge.find((lane) => (now - (lane.head?.queuedAt ?? now) < agingMs ? 'stop' : looks.judge(lane)))
  }

  /** The oldest of those that waited longer than `agingMs` that `judge` takes, which is asked of few. */
  aged(now: Millis, judge: (lane: Lane) => 'take' | 'next' | 'stop'): Lane | undefined {
    const { agingMs, scanMax } = this.#params
    let looksLeft = scanMax
    return this.#byAge.find((lane) => {
      if (now - (lane.head?.queuedAt ?? now) < agingMs || looksLeft === 0) return 'stop'
      looksLeft -= 1
      return judge(lane)
    })
  }

  #pickByRank(looks: Looks): Lane | undefined {
    for (let priority = CLASSES_COUNT - 1; priority >= 0; priority--) {
      let found: Lane | undefined
      this.#classes[priority]?.find((share) => {
        looks.turn()
        found = share.lanes.find((lane) => looks.judge(lane))
        if (found !== undefined) return 'take'
        return looks.isSpent() ? 'stop' : 'next'
      })
      if (found !== undefined || looks.isSpent()) return found
    }
    return undefined
  }

  #classHeap(priority: number): LazyHeap<Share> {
    let heap = this.#classes[priority]
    if (heap === undefined) {
      const shares = this.#shares
      heap = new LazyHeap<Share>(
        (share) => share.key(),
        (share) => {
          share.listed = false
          shares[priority]?.delete(share.tenant)
        },
      )
      this.#classes[priority] = heap
    }
    return heap
  }

  #shareOf(tenant: Tenant, priority: number): Share {
    let shares = this.#shares[priority]
    if (shares === undefined) {
      shares = new Map()
      this.#shares[priority] = shares
    }
    let share = shares.get(tenant)
    if (share === undefined) {
      share = new Share(this, tenant, priority)
      shares.set(tenant, share)
    }
    return share
  }
}

/** Who waits for what, from when, and on whose account. The selectors over its lanes say who is next. */
export class Queue {
  readonly #tenants = new Map<string, Tenant>()
  readonly #weights = new Map<string, number>()
  /** Per class, the pass of whoever was served last: a newcomer starts there and gets no credit for its absence. */
  readonly #virtual = new Float64Array(CLASSES_COUNT)
  readonly #tenantsMax: number
  #sequence = 0
  #tenantOrder = 0
  /** Entries that wait, others' included. */
  size = 0

  constructor(tenantsMax: number) {
    this.#tenantsMax = tenantsMax
  }

  get tenantCount(): number {
    return this.#tenants.size
  }

  /** A tenant's account; undefined when there are too many with something waiting, unless a task of it is accepted. */
  tenant(name: string, isAccepted = false): Tenant | undefined {
    const known = this.#tenants.get(name)
    if (known !== undefined) return known
    if (this.#tenants.size >= this.#tenantsMax) this.#forgetIdle()
    if (this.#tenants.size >= this.#tenantsMax && !isAccepted) return undefined
    const tenant = new Tenant(name, this.#tenantOrder++)
    tenant.weight = this.#weights.get(name) ?? 1
    this.#tenants.set(name, tenant)
    return tenant
  }

  /** Shares are in proportion to the weights; whoever is not named has 1. */
  setWeights(weights: Readonly<Record<string, number>>): void {
    this.#weights.clear()
    for (const [name, weight] of Object.entries(weights)) if (weight > 0) this.#weights.set(name, weight)
    for (const tenant of this.#tenants.values()) tenant.weight = this.#weights.get(tenant.name) ?? 1
  }

  /** Puts the entry last in its lane. */
  push(now: Millis, lane: Lane, entry: Entry): void {
    const { tenant, priority } = lane
    assert(entry.lane === undefined, 'an entry waits in one place')
    entry.lane = lane
    entry.sequence = ++this.#sequence
    entry.queuedAt = now
    entry.previous = lane.tail
    if (lane.tail === undefined) lane.head = entry
    else lane.tail.next = entry
    lane.tail = entry
    lane.size += 1
    this.size += 1
    tenant.waiting += 1
    tenant.waitingByClass[priority] = (tenant.waitingByClass[priority] as number) + 1
    if (tenant.waitingByClass[priority] === 1) {
      tenant.pass[priority] = Math.max(tenant.pass[priority] as number, this.#virtual[priority] as number)
    }
    if (lane.size === 1) for (const selector of lane.selectors) selector.filled(lane)
  }

  /** Takes an entry out, wherever it stands. */
  remove(entry: Entry): void {
    const { lane } = entry
    if (lane === undefined) return
    if (entry.previous === undefined) lane.head = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) lane.tail = entry.previous
    else entry.next.previous = entry.previous
    entry.lane = undefined
    entry.previous = undefined
    entry.next = undefined
    lane.size -= 1
    this.size -= 1
    lane.tenant.waiting -= 1
    const { priority } = lane
    lane.tenant.waitingByClass[priority] = (lane.tenant.waitingByClass[priority] as number) - 1
    if (lane.size === 0) for (const selector of lane.selectors) selector.drained()
  }

  /** The tenant has got something that costs so much, in milliseconds of service. */
  charge(tenant: Tenant, priority: number, costMs: number): void {
    const pass = tenant.pass[priority] as number
    this.#virtual[priority] = Math.max(this.#virtual[priority] as number, pass)
    tenant.pass[priority] = pass + Math.max(1, costMs) / tenant.weight
  }

  /**
   * Tenants that wait for nothing and have no debt: knowing them again from scratch changes nothing. If there is none,
   * the one with the least debt: that is forgiven.
   */
  #forgetIdle(): void {
    let leastDebt = Number.POSITIVE_INFINITY
    let least: Tenant | undefined
    for (const tenant of this.#tenants.values()) {
      if (tenant.waiting > 0) continue
      const debt = this.#debtOf(tenant)
      if (debt === 0) this.#forget(tenant)
      else if (debt < leastDebt) {
        leastDebt = debt
        least = tenant
      }
    }
    if (this.#tenants.size >= this.#tenantsMax && least !== undefined) this.#forget(least)
  }

  #forget(tenant: Tenant): void {
    tenant.isForgotten = true
    this.#tenants.delete(tenant.name)
  }

  /** By how much it had more than its share, in the class where that is most. */
  #debtOf({ pass }: Tenant): number {
    return pass.reduce((debt, each, priority) => Math.max(debt, each - (this.#virtual[priority] as number)), 0)
  }
}
