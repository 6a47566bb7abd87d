import type { NodeId } from '../kernel/index.ts'
import type { Alarm } from './alarms.ts'
import { type Answer, Appraisal, countOf, hasAnswer, isHopeful, isPending, SILENT } from './appraisal.ts'
import { type Group, type Groups, requestOf, sameCounts } from './demand.ts'
import type { Tracks } from './estimates.ts'
import type { Ground } from './ground.ts'
import type { Links } from './links.ts'
import type { BidBody, BodyOf, PlacementBody } from './messages.ts'
import { CLASSES_COUNT } from './queue.ts'
import { Resting } from './resting.ts'
import { type Offered, scoreAll } from './score.ts'
import type { ClaimsPeers } from './types.ts'

/** Offers of one group to a few peers, from the asking to the last reservation. */
interface Round {
  readonly offer: number
  readonly group: Group
  readonly asked: Map<NodeId, Answer | undefined>
  /** How many could do it, of whom some were asked. */
  readonly eligible: number
  /** Bids are sealed until the window is over; afterwards the first to bid gets it: who holds it, or answers late. */
  phase: 'open' | 'holding'
  /** For how many `holdMs` there has been nobody to ask but those who hold it. */
  heldAlone: number
  alarm: Alarm | undefined
}

/** What a search among the peers said. */
type Found = NonNullable<Group['lastSearch']>

export interface RoundsHooks {
  /**
   * Gives up to `count` tasks of the group, first ones first, to a peer that has slots for them; `describe` says how it
   * was chosen. Returns how many were given. Does not call back.
   */
  readonly award: (group: Group, peer: NodeId, bid: BidBody, count: number, describe: () => PlacementBody) => number
  /** What an idle agent at hand would bid, and giving it the first task. */
  readonly localOffer: (group: Group) => Offered | undefined
  readonly awardHere: (group: Group) => void
  /** Nobody can ever do it as things are. */
  readonly nobody: (group: Group) => void
}

/** The coordinator's search among the peers: who needs offers, who was asked, what they said, who gets it. */
export class Rounds {
  readonly #ground: Ground
  readonly #links: Links
  readonly #groups: Groups
  readonly #tracks: Tracks
  readonly #appraisal: Appraisal
  readonly #hooks: RoundsHooks
  /** Groups that want offers made, by their highest class, first come first. */
  readonly #needy: readonly Set<Group>[] = Array.from({ length: CLASSES_COUNT }, () => new Set<Group>())
  readonly #rounds = new Map<number, Round>()
  readonly #resting: Resting
  #lastFound: Found | undefined
  #offer: number
  #opened = 0

  constructor(
    ground: Ground,
    parts: { readonly links: Links; readonly groups: Groups; readonly tracks: Tracks; readonly hooks: RoundsHooks },
  ) {
    this.#ground = ground
    this.#links = parts.links
    this.#groups = parts.groups
    this.#tracks = parts.tracks
    this.#appraisal = new Appraisal(ground, parts.tracks)
    this.#hooks = parts.hooks
    this.#resting = new Resting(ground, this.#seekAgain)
    // Begins anywhere, so that an answer to an earlier life of this node is not taken for one to this.
    this.#offer = ground.random.uint32()
  }

  get openCount(): number {
    return this.#rounds.size
  }

  /** The group has tasks that no local agent takes now. */
  seek(group: Group): void {
    if (group.quest.kind !== 'none' || group.ownWaiting === 0) return
    const priority = group.topPriority()
    group.quest = { kind: 'needy', priority }
    this.#needy[priority]?.add(group)
    this.#groups.wake(group)
  }

  /** Opens rounds for those that are due, as many as may be open. */
  pump(): void {
    while (this.#rounds.size < this.#ground.params.roundsMax) {
      const group = this.#nextNeedy()
      if (group === undefined) return
      group.settle()
      if (group.ownWaiting > 0) this.#open(group)
      else this.#groups.rest(group)
    }
  }

  /** The group's last task has gone: nobody is to wait for it. */
  emptied(group: Group): void {
    const { quest } = group
    if (quest.kind === 'round') {
      const round = this.#rounds.get(quest.offer)
      if (round !== undefined) this.#close(round, undefined)
    } else if (quest.kind === 'needy') {
      this.#needy[quest.priority]?.delete(group)
      group.settle()
    } else if (quest.kind === 'resting') this.#resting.wake(group)
    group.restMs = 0
    this.#groups.rest(group)
  }

  onBid(from: NodeId, body: BidBody): void {
    const round = this.#rounds.get(body.offer)
    if (round === undefined || !round.asked.has(from)) {
      this.#withdraw(from, body.offer)
      return
    }
    const before = round.asked.get(from)
    if (body.slots === 0) {
      if (before === undefined || before.kind === 'silent') round.asked.set(from, { kind: 'hold', body })
      this.#closeWhenAnswered(round)
    } else if (round.phase === 'open') {
      // A reservation that fires while others still think is a bid like any other.
      round.asked.set(from, { kind: 'bid', slots: body.slots, body })
      // CL-15: its own window is over, and the task waits no longer for the end of the others'.
      if (before?.kind === 'silent') this.#shut(round)
      else this.#closeWhenAnswered(round)
    } else {
      if (before?.kind === 'silent') round.asked.set(from, { kind: 'bid', slots: body.slots, body })
      this.#award(round, from, body, body.slots)
      if (round.group.ownWaiting === 0) this.#close(round, undefined)
      else if (!isHopeful(round.asked)) this.#close(round, 'again')
    }
  }

  onDecline(from: NodeId, body: BodyOf<'claims.decline'>): void {
    const round = this.#rounds.get(body.offer)
    if (round === undefined || !round.asked.has(from)) return
    const reason = body.needs === '' ? body.reason : `${body.reason}: ${body.needs}`
    round.asked.set(from, { kind: 'decline', reason, final: body.final, retryAfterMs: body.retryAfterMs })
    this.#settle(round, 'rest')
  }

  /** The offer did not leave. */
  offerRefused(peer: NodeId, offer: number): void {
    const round = this.#rounds.get(offer)
    const answer = round?.asked.get(peer)
    if (round === undefined || (answer !== undefined && answer.kind !== 'silent')) return
    this.#unreachable(round, peer)
    this.#settle(round, 'rest')
  }

  /** Whatever that peer had of our offers, it has no more. */
  peerReset(peer: NodeId): void {
    for (const round of [...this.#rounds.values()]) {
      if (!round.asked.has(peer)) continue
      this.#unreachable(round, peer)
      this.#settle(round, 'again')
    }
  }

  /** Somebody who was asked will not bid. */
  #settle(round: Round, next: 'again' | 'rest'): void {
    if (round.phase === 'open') this.#closeWhenAnswered(round)
    else if (!isHopeful(round.asked)) this.#close(round, next)
  }

  /**
   * News of somebody's agents: whoever found nobody for these skills looks again, some at a time; whoever waits for others
   * that hold its offer asks this one again that had said never; and whoever waits for an answer at all asks others, too.
   */
  candidateChanged(node: NodeId, skills: Iterable<string>): void {
    const changed = new Set(skills)
    for (const round of this.#rounds.values()) {
      if (!round.group.demand.body.skills.every((skill) => changed.has(skill))) continue
      round.group.pardon(node)
      if (round.phase === 'open') continue
      const answer = round.asked.get(node)
      if (answer?.kind === 'decline' && answer.final) this.#askAgain(round, node)
      else if (answer === undefined && !hasAnswer(round.asked, 'hold')) this.#askOthers(round)
    }
    for (const skill of changed) {
      let woken = 0
      for (const group of this.#resting.of(skill)) {
        if (woken >= WOKEN_PER_NEWS_MAX) break
        woken += 1
        group.pardon(node)
        this.#resting.wake(group)
        this.seek(group)
      }
    }
  }

  /** For `why`: how many were asked, of whom so many hold the offer, and so many have not answered in time. */
  describe(group: Group): { readonly asked: number; readonly holding: number; readonly silent: number } {
    const round = group.quest.kind === 'round' ? this.#rounds.get(group.quest.offer) : undefined
    if (round === undefined) return { asked: 0, holding: 0, silent: 0 }
    return { asked: round.asked.size, holding: countOf(round.asked, 'hold'), silent: countOf(round.asked, 'silent') }
  }

  /** The highest class first, but now and then the lowest, so that none waits for ever (T-11). */
  #nextNeedy(): Group | undefined {
    this.#opened += 1
    const isTurnOfLowest = this.#opened % this.#ground.params.agingEveryCount === 0
    for (let i = 0; i < CLASSES_COUNT; i++) {
      const line = this.#needy[isTurnOfLowest ? i : CLASSES_COUNT - 1 - i]
      for (const group of line ?? []) {
        line?.delete(group)
        return group
      }
    }
    return undefined
  }

  #open(group: Group): void {
    const choice = this.#choose(group, [])
    this.#remember(group, choice)
    if (choice.chosen.length === 0) {
      this.#preferLocal(group)
      if (group.ownWaiting === 0) return
      this.#resting.rest(group, undefined)
      if (choice.eligible > 0) return
      group.pardon()
      this.#hooks.nobody(group)
      return
    }
    this.#offer += 1
    const round: Round = {
      offer: this.#offer,
      group,
      asked: new Map(),
      eligible: choice.eligible,
      phase: 'open',
      heldAlone: 0,
      alarm: undefined,
    }
    this.#rounds.set(round.offer, round)
    group.quest = { kind: 'round', offer: round.offer }
    this.#groups.wake(group)
    this.#ask(round, choice)
  }

  /** Many groups in a row find the same: they share it. */
  #remember(group: Group, { eligible, obstacles }: Found): void {
    const last = this.#lastFound
    const isSame = last?.eligible === eligible && sameCounts(last.obstacles, obstacles)
    if (!isSame) this.#lastFound = { eligible, obstacles }
    group.lastSearch = this.#lastFound
  }

  #choose(group: Group, asked: Iterable<NodeId>): ReturnType<ClaimsPeers['choose']> {
    const { params, peers } = this.#ground
    const { demand } = group
    const excluded = new Set([...demand.excluded, ...group.refusedBy, ...this.#shunned(group), ...asked])
    return peers.choose(requestOf(demand, excluded, this.#links.up), params.candidatesMax)
  }

  #ask(round: Round, { chosen }: ReturnType<ClaimsPeers['choose']>): void {
    const nodes = chosen.map(({ node }) => node)
    const windowMs = this.#windowMs(nodes)
    this.#ground.alarms.cancel(round.alarm)
    round.phase = 'open'
    const message = { kind: 'claims.offer' as const, body: this.#offerBody(round, windowMs) }
    for (const node of nodes) {
      round.asked.set(node, undefined)
      if (!this.#links.send(node, message, () => this.#rounds.has(round.offer))) this.#unreachable(round, node)
    }
    round.alarm = this.#ground.in(windowMs, () => this.#shut(round))
    this.#closeWhenAnswered(round)
  }

  /** What it bids is taken at once: those who had a window have bid. */
  #askAgain(round: Round, node: NodeId): void {
    const body = this.#offerBody(round, this.#windowMs([node]))
    round.asked.set(node, undefined)
    if (!this.#links.send(node, { kind: 'claims.offer', body })) this.#unreachable(round, node)
  }

  /** All who were asked are busy or silent: a few others may not be, whatever their digests say. */
  #widen(round: Round): boolean {
    return round.eligible > round.asked.size && this.#askOthers(round)
  }

  #askOthers(round: Round): boolean {
    if (round.asked.size >= WIDENINGS_MAX * this.#ground.params.candidatesMax) return false
    const choice = this.#choose(round.group, round.asked.keys())
    if (choice.chosen.length === 0) return false
    this.#ask(round, choice)
    return true
  }

  #offerBody({ offer, group }: Round, windowMs: number): BodyOf<'claims.offer'> {
    const { params, now, epoch } = this.#ground
    const first = group.first(now)
    return {
      offer,
      epoch,
      demand: group.demand.body,
      tasks: Math.min(group.ownWaiting, params.offerTasksMax),
      priority: group.topPriority(),
      windowMs: Math.ceil(windowMs),
      holdMs: params.holdMs,
      waitedMs: Math.max(0, Math.round(now - (first?.queuedAt ?? now))),
      runTimeoutMs: 0,
    }
  }

  /**
   * A few round trips to the farthest of those asked: what wins is the score, not the fastest answer. Nobody waits for a
   * link to be made while others are linked: whoever is late may still be heard (CL-15).
   */
  #windowMs(asked: readonly NodeId[]): number {
    const { params, peers } = this.#ground
    const rttOf = (node: NodeId): number => peers.rttMs(node) ?? params.rttUnknownMs
    const linked = asked.filter((node) => this.#links.isUp(node))
    const farthestMs =
      linked.length > 0
        ? Math.max(...linked.map(rttOf))
        : Math.max(...asked.map((node) => 4 * rttOf(node) + params.rttUnknownMs))
    const windowMs = params.windowRoundTripsFactor * farthestMs + params.windowSlackMs
    return Math.min(params.windowMaxMs, Math.max(params.windowMinMs, windowMs))
  }

  #unreachable(round: Round, node: NodeId): void {
    const retryAfterMs = this.#ground.params.retryAfterMs
    round.asked.set(node, { kind: 'decline', reason: 'unreachable', final: false, retryAfterMs })
  }

  #closeWhenAnswered(round: Round): void {
    if (round.phase !== 'open' || !this.#rounds.has(round.offer)) return
    for (const answer of round.asked.values()) if (answer === undefined) return
    this.#shut(round)
  }

  /** The window is over: the bids are opened, side by side. */
  #shut(round: Round): void {
    if (round.phase !== 'open' || !this.#rounds.has(round.offer)) return
    this.#ground.alarms.cancel(round.alarm)
    round.phase = 'holding'
    let awarded = 0
    for (const bid of this.#appraisal.ranked(round.group, round.asked)) {
      this.#preferLocal(round.group, bid)
      if (round.group.ownWaiting === 0) break
      awarded += this.#award(round, bid.node, bid.body, bid.slots)
    }
    awarded += this.#preferLocal(round.group)
    this.#releaseBidders(round)
    for (const [node, answer] of round.asked) if (answer === undefined) round.asked.set(node, SILENT)
    if (round.group.ownWaiting === 0) this.#close(round, undefined)
    else if (!isHopeful(round.asked)) this.#close(round, awarded > 0 ? 'again' : 'rest')
    else if (awarded > 0 || !this.#widen(round)) this.#await(round)
  }

  /** Until somebody who holds the offer has a slot free, or until a bid that is late would have been given up there, too. */
  #await(round: Round): void {
    const { holdMs, promiseSlackMs } = this.#ground.params
    if (hasAnswer(round.asked, 'hold')) round.alarm = this.#ground.in(holdMs, () => this.#lookAround(round))
    else {
      const isOver = (): void => (hasAnswer(round.asked, 'hold') ? this.#await(round) : this.#close(round, 'rest'))
      round.alarm = this.#ground.in(promiseSlackMs, isOver)
    }
  }

  /** Others are asked anew, while a few that hold the offer go on holding it: whoever comes again goes to the end of the line (T-11). */
  #lookAround(round: Round): void {
    const holders = [...round.asked].filter(([, answer]) => answer?.kind === 'hold')
    const kept = new Map(holders.slice(0, this.#ground.params.candidatesMax))
    if (kept.size === 0) {
      this.#close(round, 'again')
      return
    }
    for (const [node, answer] of round.asked) {
      if (kept.has(node)) continue
      round.asked.delete(node)
      if (answer?.kind === 'decline' && answer.final) round.group.refuse(node)
      else if (isPending(answer)) this.#withdraw(node, round.offer)
    }
    const nodes = [...kept.keys()]
    const body = this.#offerBody(round, this.#windowMs(nodes))
    for (const node of nodes) this.#links.sendIfUp(node, { kind: 'claims.offer', body })
    if (this.#askOthers(round)) return
    round.heldAlone += 1
    if (round.heldAlone >= HELD_ALONE_MAX) {
      round.heldAlone = 0
      round.group.pardon()
      this.#hooks.nobody(round.group)
    }
    if (this.#rounds.has(round.offer)) this.#await(round)
  }

  /** Where wishes or weights count, an idle agent at hand is given what no rival would do better. Returns how many. */
  #preferLocal(group: Group, rival?: { readonly node: NodeId; readonly body: BidBody }): number {
    let given = 0
    if (!group.demand.isChoosy) return 0
    while (group.ownWaiting > 0) {
      const local = this.#hooks.localOffer(group)
      if (local === undefined) return given
      if (rival !== undefined) {
        const offered = this.#appraisal.read(group, rival.node, rival.body)
        const [own, other] = scoreAll([local, offered], group.demand.objective)
        if ((own as number) < (other as number)) return given
      }
      this.#hooks.awardHere(group)
      given += 1
    }
    return given
  }

  #award(round: Round, node: NodeId, body: BidBody, slots: number): number {
    const { group } = round
    const isTooDear = group.demand.body.budget !== undefined && body.price > group.demand.body.budget
    const count = isTooDear ? 0 : Math.min(slots, group.ownWaiting, this.#tasksMax(node, group))
    const given =
      count === 0
        ? 0
        : this.#hooks.award(group, node, body, count, () => this.#appraisal.placement(round, node, body.claim))
    const answer = round.asked.get(node)
    if (answer?.kind === 'bid') answer.slots = Math.max(0, answer.slots - given)
    if (given < slots && round.phase === 'holding') {
      // What is kept for us there and was not used is given back; a reservation ends with it.
      round.asked.set(node, { kind: 'bid', slots: 0, body })
      this.#withdraw(node, round.offer)
    }
    return given
  }

  /** T-12: on probation one at a time, also where it was asked before it came to that. */
  #tasksMax(node: NodeId, { demand }: Group): number {
    const track = this.#tracks.find(node, demand.skill)
    if (track?.isShunned !== true) return Number.POSITIVE_INFINITY
    return track.mayTry(this.#ground.now) ? 1 : 0
  }

  /** Those whose bids were not taken get their slots back. */
  #releaseBidders(round: Round): void {
    for (const [node, answer] of round.asked)
      if (answer?.kind === 'bid' && answer.slots > 0) this.#withdraw(node, round.offer)
  }

  /** `again`: there is somebody to ask at once; `rest`: nobody can now. */
  #close(round: Round, next: 'again' | 'rest' | undefined): void {
    const { group } = round
    this.#rounds.delete(round.offer)
    this.#ground.alarms.cancel(round.alarm)
    let retryAfterMs: number | undefined
    const declines: string[] = []
    for (const [node, answer] of round.asked) {
      // Who has not answered yet is told before it answers, so that it keeps no slot in vain.
      if (isPending(answer) || (answer?.kind === 'bid' && round.phase === 'open')) this.#withdraw(node, round.offer)
      if (answer?.kind === 'decline') {
        declines.push(`${node}: ${answer.reason}`)
        if (answer.final && group.ownWaiting > 0) group.refuse(node)
        if (!answer.final) retryAfterMs = Math.min(retryAfterMs ?? Number.POSITIVE_INFINITY, answer.retryAfterMs)
      }
    }
    group.settle()
    if (declines.length > 0 || group.lastDeclines.length > 0) group.lastDeclines = declines
    if (next === 'again') {
      group.restMs = 0
      this.seek(group)
    } else if (next === 'rest' && group.ownWaiting > 0) {
      // Who says never is not asked again, so the next round asks others, at once if there are any.
      if (retryAfterMs === undefined && declines.length > 0) this.seek(group)
      else this.#resting.rest(group, retryAfterMs)
    }
    this.#groups.rest(group)
  }

  readonly #seekAgain = (group: Group): void => {
    this.#resting.wake(group)
    this.seek(group)
  }

  /** Peers whose breakers are open for the skill (T-12): known from outcomes, so only those ever used. */
  #shunned(group: Group): readonly string[] {
    return this.#tracks.shunned(group.demand.skill, this.#ground.now)
  }

  #withdraw(to: NodeId, offer: number): void {
    this.#links.sendIfUp(to, { kind: 'claims.withdraw', body: { offers: [offer], leases: [] } })
  }
}

/** Peers asked in one round, in choices: while all of them are busy, others are asked too. */
const WIDENINGS_MAX = 3

/** After so many `holdMs` in which only those who hold the offer could be asked, those who failed it or said never are asked too. */
const HELD_ALONE_MAX = 3

/** Groups that one piece of news brings back to life. */
const WOKEN_PER_NEWS_MAX = 64
