import { err, type NodeId, ok, type Result } from '../kernel/index.ts'
import type { Alarm } from './alarms.ts'
import { excluding, type Few, including } from './few.ts'
import type { DemandBody } from './messages.ts'
import { type Entry, Lane, type Queue, type QueueParams, Selector } from './queue.ts'
import type { ClaimsPeers, Condition, Objective, PeerRequest } from './types.ts'

export const OBJECTIVE_DEFAULT: Objective = { throughput: 1, latency: 1, quality: 1, cost: 1 }

/** A hundred thousand tasks may each have a demand of their own: what is empty in it is one and the same for all. */
const NONE: readonly never[] = []
const NOBODY: ReadonlySet<never> = new Set<never>()

/** What a task needs of its executor. Immutable; shared by all tasks that need the same. */
export class Demand {
  readonly key: string
  readonly body: DemandBody
  readonly require: readonly Condition[]
  readonly prefer: readonly Condition[]
  readonly excluded: ReadonlySet<string>
  /** Under what outcomes of such tasks are remembered. */
  readonly skill: string

  private constructor(key: string, body: DemandBody, require: readonly Condition[], prefer: readonly Condition[]) {
    this.key = key
    this.body = body
    this.require = require
    this.prefer = prefer
    this.excluded = body.excluded.length === 0 ? NOBODY : new Set(body.excluded)
    this.skill = body.skills.length === 1 ? (body.skills[0] as string) : body.skills.join('+')
  }

  /** Fails on what no submission would get away with: what a peer says has not been judged, or by another version. */
  static of(key: string, body: DemandBody, peers: ClaimsPeers): Result<Demand> {
    const { skills, resources, budget = 0, objective } = body
    if (skills.length === 0) return err('it names no skill')
    if (![...Object.values(resources), budget].every(isAmount)) return err('an amount is no number from 0')
    if (!Object.values(objective).every(isWeight)) return err('a weight is out of range')
    if (body.require.length + body.prefer.length === 0) return ok(new Demand(key, body, NONE, NONE))
    const conditions: Condition[] = []
    for (const text of [...body.require, ...body.prefer]) {
      const parsed = peers.parse(text)
      if (!parsed.ok) return err(`${text}: ${parsed.error.message} at character ${parsed.error.position}`)
      conditions.push(parsed.value)
    }
    const split = body.require.length
    return ok(new Demand(key, body, conditions.slice(0, split), conditions.slice(split)))
  }

  get resources(): readonly (readonly [unit: string, amount: number])[] {
    return Object.entries(this.body.resources)
  }

  get objective(): Objective {
    return this.body.objective
  }

  /** Whether somebody cares who does it: then an idle agent at hand is one bidder among others. */
  get isChoosy(): boolean {
    const { throughput, latency, quality, cost } = this.body.objective
    return this.body.prefer.length > 0 || throughput !== 1 || latency !== 1 || quality !== 1 || cost !== 1
  }
}

export function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0
}

/** Who wants one side of a bid to count a million times as much as another has said so. */
export const WEIGHT_MAX = 1e6

/** Scores are sums and quotients of them, and must stay numbers. */
export function isWeight(value: number): boolean {
  return isAmount(value) && value <= WEIGHT_MAX
}

/** As the directory is asked. */
export function requestOf(demand: Demand, excluded: ReadonlySet<string>, linked: ReadonlySet<NodeId>): PeerRequest {
  const { skills, resources, objective } = demand.body
  return { skills, resources, require: demand.require, prefer: demand.prefer, objective, excluded, linked }
}

/** The same text for the same demand, whatever the order in which its parts were named. */
export function keyOf(body: DemandBody): string {
  const { objective: o } = body
  const plain = o.throughput === 1 && o.latency === 1 && o.quality === 1 && o.cost === 1
  const parts: unknown[] = [body.skills, body.tenant]
  const isSimple =
    plain &&
    body.require.length === 0 &&
    body.prefer.length === 0 &&
    body.excluded.length === 0 &&
    body.budget === undefined
  parts.push(Object.entries(body.resources))
  if (!isSimple)
    parts.push(body.require, body.prefer, body.excluded, body.budget ?? '', [
      o.throughput,
      o.latency,
      o.quality,
      o.cost,
    ])
  return JSON.stringify(parts)
}

/** Sorted and without repetitions, so that equal demands are equal texts. */
export function normalised(body: DemandBody): DemandBody {
  const sorted = (values: readonly string[]): readonly string[] =>
    values.length === 0 ? NONE : values.length === 1 ? values : [...new Set(values)].sort()
  const units = Object.keys(body.resources)
  return {
    ...body,
    skills: sorted(body.skills),
    require: sorted(body.require),
    prefer: sorted(body.prefer),
    excluded: sorted(body.excluded),
    resources:
      units.length < 2
        ? body.resources
        : Object.fromEntries(units.sort().map((unit) => [unit, body.resources[unit] ?? 0])),
  }
}

/** Where a group stands with the peers. */
export type Quest =
  | { readonly kind: 'none' }
  /** Wants offers to be made, in its class's line. */
  | { readonly kind: 'needy'; readonly priority: number }
  | { readonly kind: 'round'; readonly offer: number }
  /** Found nobody; looks again then, or on news. */
  | { readonly kind: 'resting' }

const NO_QUEST: Quest = { kind: 'none' }

/** All that waits for one demand, and where it stands: what matching works on, so that its cost is per demand. */
export class Group {
  readonly demand: Demand
  /** Grown by `concat`, as are others here: a spread or a push reserves room for sixteen more. */
  lanes: readonly Lane[] = NONE
  /** Own tasks, and others' held offers, that wait. */
  ownWaiting = 0
  foreignWaiting = 0
  /** Selectors of the agent classes that can serve it; kept by the roster. */
  servedBy: Few<Selector> = NONE
  quest: Quest = NO_QUEST
  /** Ends its rest. */
  restAlarm: Alarm | undefined
  restMs = 0
  /** What the last search among the peers said, for `why`. */
  lastSearch: { readonly eligible: number; readonly obstacles: Readonly<Record<string, number>> } | undefined
  lastDeclines: readonly string[] = NONE
  /** Peers that said they never can, as things were: not asked again until all others have been, or there is news. */
  refusedBy: ReadonlySet<string> = NOBODY
  #own: Selector | undefined

  constructor(demand: Demand) {
    this.demand = demand
  }

  get isIdle(): boolean {
    return this.ownWaiting === 0 && this.foreignWaiting === 0 && this.quest.kind === 'none'
  }

  settle(): void {
    this.quest = NO_QUEST
  }

  /** The lane for a class, made when first needed. Undefined when the tenant table is full, except for an accepted task. */
  lane(priority: number, foreign: boolean, queue: Queue, params: QueueParams, isAccepted = false): Lane | undefined {
    const known = this.lanes.find((lane) => lane.priority === priority && lane.foreign === foreign)
    if (known?.tenant.isForgotten === false) return known
    const tenant = queue.tenant(this.demand.body.tenant, isAccepted)
    if (tenant === undefined) return undefined
    const lane = new Lane(this, priority, tenant, foreign)
    this.lanes = this.lanes.filter((each) => each !== known).concat(lane)
    for (const selector of this.servedBy) selector.include(lane)
    if (!foreign) this.#includeOwn(lane, params)
    return lane
  }

  serve(selector: Selector): void {
    this.servedBy = including(this.servedBy, selector, selector.alone)
  }

  unserve(selector: Selector): void {
    this.servedBy = excluding(this.servedBy, selector)
  }

  refuse(node: string): void {
    this.refusedBy = new Set(this.refusedBy).add(node)
  }

  /** That peer may be asked again; all of them, if none is named. */
  pardon(node?: string): void {
    if (node !== undefined && !this.refusedBy.has(node)) return
    const left = [...this.refusedBy].filter((each) => node !== undefined && each !== node)
    this.refusedBy = left.length === 0 ? NOBODY : new Set(left)
  }

  /** The own task of the group that is due first. */
  first(now: Parameters<Selector['pick']>[0]): Entry | undefined {
    if (this.#own === undefined) return this.lanes.find((lane) => !lane.foreign)?.head
    return this.#own.pick(now, () => true)?.head
  }

  /** The highest class in which an own task waits. */
  topPriority(): number {
    let top = 0
    for (const lane of this.lanes) if (!lane.foreign && lane.size > 0) top = Math.max(top, lane.priority)
    return top
  }

  /** A second lane makes an order among them necessary. */
  #includeOwn(lane: Lane, params: QueueParams): void {
    const own = this.lanes.filter(({ foreign }) => !foreign)
    if (own.length < 2) return
    this.#own ??= new Selector(params)
    for (const each of own) this.#own.include(each)
    this.#own.include(lane)
  }
}

/** Idle groups that are kept, so that the next task of the kind finds its matching done. */
const IDLE_GROUPS_MAX = 1024

/** All groups by demand. Those with nothing waiting are kept for a while, and told when they go. */
export class Groups {
  readonly #groups = new Map<string, Group>()
  readonly #idle = new Map<string, Group>()
  readonly #peers: ClaimsPeers
  readonly #groupsMax: number
  readonly #gone: (group: Group) => void
  readonly #made: (group: Group) => void

  constructor(
    peers: ClaimsPeers,
    groupsMax: number,
    hooks: { readonly made: (group: Group) => void; readonly gone: (group: Group) => void },
  ) {
    this.#peers = peers
    this.#groupsMax = groupsMax
    this.#made = hooks.made
    this.#gone = hooks.gone
  }

  get size(): number {
    return this.#groups.size
  }

  values(): MapIterator<Group> {
    return this.#groups.values()
  }

  /**
   * The group of a demand; an error text when it does not parse, `full` at the bound. For a task that is accepted there is
   * none but that of open tasks, each of which waits in one group.
   */
  of(body: DemandBody, isAccepted = false): Result<Group> {
    const key = keyOf(body)
    const known = this.#groups.get(key)
    if (known !== undefined) return ok(known)
    if (this.#groups.size >= this.#groupsMax && !isAccepted) return err('full')
    const demand = Demand.of(key, body, this.#peers)
    if (!demand.ok) return demand
    const group = new Group(demand.value)
    this.#groups.set(key, group)
    this.#made(group)
    this.rest(group)
    return ok(group)
  }

  /**
   * The group under which something of that demand is to wait now. Who has been elsewhere meanwhile, running or not yet
   * resumed, may bring one that was let go: it is taken back, also beyond the bound, because what waits is accepted.
   */
  present(group: Group): Group {
    const known = this.#groups.get(group.demand.key)
    if (known !== undefined) return known
    this.#groups.set(group.demand.key, group)
    this.#made(group)
    this.rest(group)
    return group
  }

  /** The group has something to do: it stays. */
  wake(group: Group): void {
    this.#idle.delete(group.demand.key)
  }

  /** Nothing may be left to do for the group. */
  rest(group: Group): void {
    // One that was let go has nothing to lose, and its place may be another's.
    if (!group.isIdle || this.#groups.get(group.demand.key) !== group) return
    this.#idle.delete(group.demand.key)
    this.#idle.set(group.demand.key, group)
    if (this.#idle.size <= IDLE_GROUPS_MAX) return
    const [oldest] = this.#idle.values()
    if (oldest === undefined) return
    this.#idle.delete(oldest.demand.key)
    this.#groups.delete(oldest.demand.key)
    this.#gone(oldest)
  }
}

/** Whether as many of each were in the way. */
export function sameCounts(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}
