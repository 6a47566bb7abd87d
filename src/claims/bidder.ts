import { BoundedMap, type Millis, type NodeId } from '../kernel/index.ts'
import type { Agent } from './agent.ts'
import type { Alarm } from './alarms.ts'
import { Credit } from './credit.ts'
import type { Group, Groups } from './demand.ts'
import type { Tracks } from './estimates.ts'
import type { Ground } from './ground.ts'
import { originOf, type TaskId, taskOrigin } from './ids.ts'
import type { Links } from './links.ts'
import type { BodyOf, DeclineReason } from './messages.ts'
import { Entry, type Queue } from './queue.ts'
import type { Roster } from './roster.ts'
import type { Runs } from './runs.ts'
import type { Tenures } from './tenures.ts'

/** A free slot that is kept for a coordinator while it decides. */
interface Promised {
  readonly agent: Agent
  /** The bid that told of it. */
  readonly bid: number
  /** When the bid left: the lease of whatever is awarded counts from here (T-1). */
  readonly sentAt: Millis
  readonly alarm: Alarm
}

/** Another coordinator's offer that this node bid for or holds. */
class Foreign extends Entry {
  readonly coordinator: NodeId
  readonly offer: number
  readonly group: Group
  readonly priority: number
  /** How many tasks it named: no more slots are kept for it at once. */
  tasks: number
  readonly promises: Promised[] = []
  isHeld = false
  expiry: Alarm | undefined

  constructor(coordinator: NodeId, group: Group, body: BodyOf<'claims.offer'>) {
    super()
    this.coordinator = coordinator
    this.offer = body.offer
    this.group = group
    this.priority = body.priority
    this.tasks = Math.max(1, body.tasks)
  }
}

export interface BidderParts {
  readonly links: Links
  readonly groups: Groups
  readonly queue: Queue
  readonly roster: Roster
  readonly runs: Runs
  readonly tracks: Tracks
  readonly tenures: Tenures
  /** An agent's slot has come free. */
  readonly freed: (agent: Agent) => void
  /** Something waits that an idle agent may take. */
  readonly waits: (group: Group) => void
}

/** The executor's side of the contract net until a task starts: bids, promised slots, reservations, awards. */
export class Bidder {
  readonly #ground: Ground
  readonly #parts: BidderParts
  readonly #foreign = new Map<string, Foreign>()
  /** How many offers of each peer are held. */
  readonly #heldFor = new Map<NodeId, number>()
  #held = 0
  /** How many slots are kept for each peer, and how many may be for those that ever let one run out (CL-22). */
  readonly #keptFor = new Map<NodeId, number>()
  readonly #credits = new BoundedMap<NodeId, Credit>(CREDITS_MAX)
  /** Number of the latest bid (CL-24). */
  #lastBid: number

  constructor(ground: Ground, parts: BidderParts) {
    this.#ground = ground
    // Begins anywhere, so that an award to an earlier life of this node is not taken for one to this.
    this.#lastBid = ground.random.uint32()
    this.#parts = parts
  }

  /** Slots that are promised now, as what they would be used for. */
  *promised(): Generator<{ readonly agent: Agent; readonly group: Group }> {
    for (const foreign of this.#foreign.values()) {
      for (const { agent } of foreign.promises) yield { agent, group: foreign.group }
    }
  }

  onOffer(from: NodeId, body: BodyOf<'claims.offer'>): void {
    const { roster, groups } = this.#parts
    const known = this.#foreign.get(keyOf(from, body.offer))
    if (known !== undefined) {
      const isSame = known.priority === body.priority && !roster.isDraining && roster.couldServe(known.group)
      if (known.isHeld && isSame) this.#holdOn(known, body)
      if (!known.isHeld || isSame) return
      this.#drop(known)
    }
    if (roster.isDraining) {
      this.#decline(from, body, 'draining', true, '')
      return
    }
    const group = groups.of(body.demand)
    if (!group.ok) {
      const isFull = group.error === 'full'
      this.#decline(from, body, isFull ? 'busy' : 'constraint', !isFull, group.error.slice(0, 300))
      return
    }
    const foreign = new Foreign(from, group.value, body)
    if (this.#roomFor(from) === 0) {
      this.#declineUnused(from, body)
      return
    }
    if (this.#bid(foreign, body)) return
    if (!roster.couldServe(group.value)) {
      this.#declineUnable(from, body, group.value)
      return
    }
    this.#hold(foreign, body)
  }

  /** A slot has come free for a held offer: late binding. True when it is kept for the coordinator, or the offer is held no more. */
  claim(entry: Entry, agent: Agent): boolean {
    if (!(entry instanceof Foreign)) return false
    const { queue, groups } = this.#parts
    if (this.#roomFor(entry.coordinator) === 0) {
      this.#declineUnused(entry.coordinator, entry)
      this.#drop(entry)
      return true
    }
    queue.remove(entry)
    entry.group.foreignWaiting -= 1
    this.#lastBid += 1
    this.#promise(entry, agent, this.#lastBid, this.#ground.params.promiseSlackMs)
    const offered = this.#parts.roster.offerOf(agent, entry.group.demand, 0)
    this.#sendBid(entry, this.#lastBid, 1, 0, offered, true)
    // More of its slots may be claimed, in turn with others.
    if (entry.promises.length < entry.tasks) this.#enqueue(entry)
    groups.rest(entry.group)
    return true
  }

  onAward(from: NodeId, body: BodyOf<'claims.award'>): void {
    const foreign = this.#foreign.get(keyOf(from, body.offer))
    const isOutdated = this.#parts.tenures.isOutdated(from, body)
    const accepted: { task: TaskId; epoch: number; attempt: number; agent: string }[] = []
    const refused: { task: TaskId; epoch: number; attempt: number; reason: string }[] = []
    for (const task of body.tasks) {
      const token = { epoch: body.epoch, attempt: task.attempt }
      const refuse = (reason: string): void => {
        refused.push({ task: task.task, ...token, reason })
      }
      if (isOutdated) {
        refuse('outdated')
        continue
      }
      if (foreign === undefined) {
        refuse('no such bid')
        continue
      }
      const reason = this.#take(from, foreign, body, task, (agent) =>
        accepted.push({ task: task.task, ...token, agent }),
      )
      if (reason !== undefined) refuse(reason)
    }
    if (foreign !== undefined) this.#settle(foreign)
    if (accepted.length + refused.length > 0) {
      this.#parts.links.sendIfUp(from, { kind: 'claims.accept', body: { accepted, refused } })
    }
  }

  onWithdraw(from: NodeId, body: BodyOf<'claims.withdraw'>): void {
    for (const offer of body.offers) {
      const foreign = this.#foreign.get(keyOf(from, offer))
      if (foreign !== undefined) this.#drop(foreign)
    }
    this.#parts.tenures.revoke(from, body.leases)
  }

  /** All offers of that coordinator are void: the link to it is gone, or it asks what is held, because one of the two has lost its memory. */
  forget(coordinator: NodeId): void {
    for (const foreign of [...this.#foreign.values()]) if (foreign.coordinator === coordinator) this.#drop(foreign)
  }

  /** The bid did not leave: what it promised is free, and the coordinator's window does without. */
  bidRefused(coordinator: NodeId, offer: number): void {
    const foreign = this.#foreign.get(keyOf(coordinator, offer))
    if (foreign !== undefined) this.#drop(foreign)
  }

  /** The agent takes nothing more, or is not what it was: what it was promised for or has not begun goes back. */
  lose(agent: Agent): void {
    this.#parts.tenures.lose(agent)
    for (const foreign of [...this.#foreign.values()]) {
      for (const promised of [...foreign.promises]) if (promised.agent === agent) this.#unpromise(foreign, promised)
      this.#settle(foreign)
    }
  }

  #bid(foreign: Foreign, body: BodyOf<'claims.offer'>): boolean {
    const { roster } = this.#parts
    const { params } = this.#ground
    this.#lastBid += 1
    let slots = 0
    let offered: ReturnType<Roster['offerOf']> | undefined
    const slotsMax = Math.min(foreign.tasks, this.#roomFor(foreign.coordinator))
    while (slots < slotsMax) {
      const agent = roster.find(foreign.group)
      if (agent === undefined) break
      offered ??= roster.offerOf(agent, foreign.group.demand, 0)
      this.#promise(foreign, agent, this.#lastBid, Math.min(body.windowMs, params.windowMaxMs) + params.promiseSlackMs)
      slots += 1
    }
    if (offered === undefined) return false
    this.#keep(foreign)
    this.#sendBid(foreign, this.#lastBid, slots, 0, offered, false)
    return true
  }

  #hold(foreign: Foreign, body: BodyOf<'claims.offer'>): void {
    const { params } = this.#ground
    const heldForPeer = this.#heldFor.get(foreign.coordinator) ?? 0
    const isFull = this.#held >= params.holdsMax || heldForPeer >= params.holdsPerPeerMax
    if (body.holdMs === 0 || isFull || !this.#enqueue(foreign)) {
      this.#decline(foreign.coordinator, body, 'busy', false, '')
      return
    }
    foreign.isHeld = true
    this.#held += 1
    this.#heldFor.set(foreign.coordinator, heldForPeer + 1)
    this.#keep(foreign)
    this.#holdOn(foreign, body)
    const agent = this.#someAgent(foreign.group)
    const waitMs = this.#waitMs(foreign.group)
    if (agent !== undefined)
      this.#sendBid(foreign, 0, 0, waitMs, this.#parts.roster.offerOf(agent, foreign.group.demand, waitMs), false)
  }

  /** For as long as it says now, in its place in the line (T-11). */
  #holdOn(foreign: Foreign, body: BodyOf<'claims.offer'>): void {
    const { params, alarms } = this.#ground
    foreign.tasks = Math.max(1, body.tasks)
    alarms.cancel(foreign.expiry)
    const holdMs = Math.min(body.holdMs, params.holdMs * 2)
    foreign.expiry = this.#ground.in(holdMs + params.promiseSlackMs, () => this.#drop(foreign))
  }

  /** A first guess of how long until a slot comes free: the work ahead over the slots. */
  #waitMs(group: Group): number {
    let slots = 0
    let ahead = 0
    for (const cls of this.#parts.roster.classesWith(group.demand.body.skills[0])) {
      if (!cls.serves.has(group)) continue
      ahead += cls.selector.live
      for (const agent of cls.members) slots += agent.facts.slots
      if (slots > 64) break
    }
    return Math.round((this.#parts.tracks.skillMs(group.demand.skill) * (1 + ahead)) / Math.max(1, slots))
  }

  #someAgent(group: Group): Agent | undefined {
    for (const cls of this.#parts.roster.classesWith(group.demand.body.skills[0])) {
      if (!cls.serves.has(group)) continue
      for (const agent of cls.members) return agent
    }
    return undefined
  }

  #enqueue(foreign: Foreign): boolean {
    const { queue, groups } = this.#parts
    const lane = foreign.group.lane(foreign.priority, true, queue, this.#ground.params)
    if (lane === undefined) return false
    foreign.group.foreignWaiting += 1
    groups.wake(foreign.group)
    queue.push(this.#ground.now, lane, foreign)
    return true
  }

  #promise(foreign: Foreign, agent: Agent, bid: number, forMs: number): void {
    this.#parts.roster.take(agent, foreign.group.demand)
    const promised: Promised = {
      agent,
      bid,
      sentAt: this.#ground.now,
      alarm: this.#ground.in(forMs, () => {
        this.#ranOut(foreign.coordinator)
        this.#unpromise(foreign, promised)
        // Whoever does not answer a claim is not there.
        if (foreign.isHeld) this.#drop(foreign)
        else this.#settle(foreign)
      }),
    }
    foreign.promises.push(promised)
    this.#keptFor.set(foreign.coordinator, (this.#keptFor.get(foreign.coordinator) ?? 0) + 1)
  }

  #keepsLess(coordinator: NodeId): void {
    const left = (this.#keptFor.get(coordinator) ?? 1) - 1
    if (left > 0) this.#keptFor.set(coordinator, left)
    else this.#keptFor.delete(coordinator)
  }

  /** How many more slots may be kept for that peer. */
  #roomFor(coordinator: NodeId): number {
    const kept = this.#keptFor.get(coordinator) ?? 0
    return this.#credits.get(coordinator)?.room(this.#ground.now, kept) ?? Number.POSITIVE_INFINITY
  }

  #ranOut(coordinator: NodeId): void {
    const { now, params } = this.#ground
    const credit = this.#credits.get(coordinator) ?? new Credit()
    this.#credits.set(coordinator, credit)
    const closedMs = credit.ranOut(now, params)
    if (closedMs > 0) this.#ground.observe({ kind: 'coordinator-shunned', coordinator, forMs: closedMs })
  }

  /** Gives the slot back. */
  #unpromise(foreign: Foreign, promised: Promised): void {
    const at = foreign.promises.indexOf(promised)
    if (at < 0) return
    foreign.promises.splice(at, 1)
    this.#keepsLess(foreign.coordinator)
    this.#ground.alarms.cancel(promised.alarm)
    const { roster, tracks, freed } = this.#parts
    tracks.find(promised.agent.executor, foreign.group.demand.skill)?.released()
    roster.give(promised.agent, foreign.group.demand)
    freed(promised.agent)
  }

  /** Starts an awarded task in a promised slot. Returns why not, if not. */
  #take(
    from: NodeId,
    foreign: Foreign,
    body: BodyOf<'claims.award'>,
    task: BodyOf<'claims.award'>['tasks'][number],
    accepted: (agent: string) => void,
  ): string | undefined {
    const { runs, tenures } = this.#parts
    // An award may come after its bid has run out, and after another was made for the same offer.
    const at = foreign.promises.findIndex(({ bid }) => bid === body.bid)
    const promised = foreign.promises[at]
    if (promised === undefined) return 'the bid has run out'
    // T-1: from the sending of the bid, which was before the award.
    const endsAt = tenures.leaseEnd(promised.sentAt, body.leaseMs)
    if (endsAt <= this.#ground.now) return 'the lease has run out'
    // The tasks of others are theirs to award: under their names it would pass for them.
    if (taskOrigin(task.task) !== originOf(from)) return 'not your task'
    if (runs.has(task.task, task.attempt)) return 'held already'
    foreign.promises.splice(at, 1)
    this.#keepsLess(from)
    this.#credits.get(from)?.used()
    this.#ground.alarms.cancel(promised.alarm)
    const terms = {
      task: task.task,
      token: { epoch: body.epoch, attempt: task.attempt },
      coordinator: from,
      seal: task.seal,
      demand: foreign.group.demand,
      guarantee: task.guarantee,
      endsAt,
      runTimeoutMs: task.runTimeoutMs,
      deadlineMs: task.deadlineMs,
      trace: task.trace,
    }
    const run = tenures.begin(promised.agent, terms, task.input)
    if (run === undefined) return 'no room for the input'
    // Otherwise it is accepted when its input has come.
    if (run.state === 'running') accepted(run.agent.facts.name)
    return undefined
  }

  #sendBid(
    foreign: Foreign,
    bid: number,
    slots: number,
    waitMs: number,
    offered: ReturnType<Roster['offerOf']>,
    claim: boolean,
  ): void {
    const body = {
      offer: foreign.offer,
      bid,
      slots,
      waitMs,
      runMs: Math.max(0, Math.round(offered.runMs)),
      price: offered.price,
      qualityThousandths: Math.round(Math.min(1, Math.max(0, offered.quality)) * 1000),
      preferenceThousandths: Math.round(offered.preference * 1000),
      claim,
    }
    this.#parts.links.sendIfUp(foreign.coordinator, { kind: 'claims.bid', body })
  }

  #declineUnable(from: NodeId, body: BodyOf<'claims.offer'>, group: Group): void {
    const { roster } = this.#parts
    const obstacle = roster.obstacle(group)
    const { demand } = group
    const needs = {
      skill: demand.body.skills.join(' '),
      resources: demand.resources.map(([unit, amount]) => `${unit}=${amount}`).join(' '),
      constraint: demand.body.require.join(' '),
      tenant: demand.body.tenant,
    }
    // Those that could have failed it before: that will not change by waiting, but the coordinator may forgive them.
    if (obstacle === undefined) this.#decline(from, body, 'failing', demand.excluded.size > 0, '')
    else this.#decline(from, body, obstacle, true, needs[obstacle].slice(0, 300))
  }

  /** CL-22: slots that were kept for that peer ran out unused. */
  #declineUnused(to: NodeId, offer: { readonly offer: number }): void {
    const { now, params } = this.#ground
    const retryAfterMs = Math.max(params.retryAfterMs, this.#credits.get(to)?.closedMs(now) ?? 0)
    this.#decline(to, offer, 'busy', false, 'slots kept for it ran out unused', retryAfterMs)
  }

  #decline(
    to: NodeId,
    { offer }: { readonly offer: number },
    reason: DeclineReason,
    final: boolean,
    needs: string,
    retryAfterMs = final ? 0 : this.#ground.params.retryAfterMs,
  ): void {
    const body = { offer, reason, final, retryAfterMs, needs: needs.toWellFormed() }
    this.#parts.links.sendIfUp(to, { kind: 'claims.decline', body })
  }

  #keep(foreign: Foreign): void {
    this.#foreign.set(keyOf(foreign.coordinator, foreign.offer), foreign)
  }

  /** An offer with nothing promised that is not held is of no more use. */
  #settle(foreign: Foreign): void {
    if (foreign.promises.length > 0) return
    if (!foreign.isHeld) this.#drop(foreign)
    else if (foreign.lane === undefined && this.#foreign.has(keyOf(foreign.coordinator, foreign.offer))) {
      this.#enqueue(foreign)
      this.#parts.waits(foreign.group)
    }
  }

  #drop(foreign: Foreign): void {
    if (!this.#foreign.delete(keyOf(foreign.coordinator, foreign.offer))) return
    const { queue, groups } = this.#parts
    this.#ground.alarms.cancel(foreign.expiry)
    if (foreign.isHeld) {
      foreign.isHeld = false
      this.#held -= 1
      const left = (this.#heldFor.get(foreign.coordinator) ?? 1) - 1
      if (left > 0) this.#heldFor.set(foreign.coordinator, left)
      else this.#heldFor.delete(foreign.coordinator)
    }
    if (foreign.lane !== undefined) {
      queue.remove(foreign)
      foreign.group.foreignWaiting -= 1
    }
    for (const promised of [...foreign.promises]) this.#unpromise(foreign, promised)
    groups.rest(foreign.group)
  }
}

/** Peers whose credit is known: more than there can be links. */
const CREDITS_MAX = 1024

function keyOf(from: NodeId, offer: number): string {
  return `${from}/${offer}`
}
