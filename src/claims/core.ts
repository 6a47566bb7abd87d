import { type Millis, type NodeId, type Tick, unreachable } from '../kernel/index.ts'
import type { Agent, AgentClass } from './agent.ts'
import type { Alarm } from './alarms.ts'
import { Asks } from './asks.ts'
import { Attachments, type AttachmentsParts } from './attachments.ts'
import { Bidder } from './bidder.ts'
import { Book } from './book.ts'
import { Coordinator, type CoordinatorHooks } from './coordinator.ts'
import { type Group, Groups } from './demand.ts'
import { Tracks } from './estimates.ts'
import { Ground } from './ground.ts'
import { Journal } from './journal.ts'
import { Leases } from './leases.ts'
import { Links } from './links.ts'
import type { ClaimsMessage } from './messages.ts'
import { checkClaimsParams } from './params.ts'
import { Queue } from './queue.ts'
import type { ClaimsRecord } from './records.ts'
import { reportOf } from './report.ts'
import { Roster } from './roster.ts'
import { Rounds, type RoundsHooks } from './rounds.ts'
import { type Reported, Runs } from './runs.ts'
import { Task } from './task.ts'
import { Tenures } from './tenures.ts'
import { Transfers } from './transfers.ts'
import type {
  AgentsReport,
  AttachedAgent,
  ClaimsCore,
  ClaimsCounts,
  ClaimsEffect,
  ClaimsInput,
  ClaimsOptions,
  HeldLease,
  TaskReport,
} from './types.ts'
import { Why } from './why.ts'

/** Twenty times as long as it takes to see whether a lane fits an agent. */
const PAUSE_PER_LOOK_MS = 0.02

/** One node's part in the contract net: coordinator of its tasks, executor for everyone's. Clauses in ./README.md. */
export class Claims implements ClaimsCore {
  readonly #ground: Ground
  readonly #links: Links
  readonly #transfers: Transfers
  readonly #queue: Queue
  readonly #groups: Groups
  readonly #roster: Roster
  readonly #book: Book
  readonly #runs: Runs
  readonly #coordinator: Coordinator
  readonly #leases: Leases
  readonly #rounds: Rounds
  readonly #bidder: Bidder
  readonly #tenures: Tenures
  readonly #attachments: Attachments
  readonly #asks: Asks
  readonly #journal: Journal
  readonly #skillsOf: ((node: NodeId) => Iterable<string>) | undefined
  #recovered = false
  #reportedVersion = 0
  #reporting: Alarm | undefined

  constructor(options: ClaimsOptions) {
    checkClaimsParams(options.params)
    const ground = new Ground(options)
    const { params } = ground
    this.#ground = ground
    this.#skillsOf = options.skillsOf
    const tracks = new Tracks(params)
    const links = new Links(ground)
    const transfers = new Transfers(ground, links)
    const queue = new Queue(params.tenantsMax)
    const roster = new Roster(ground, tracks)
    const groups = new Groups(ground.peers, params.demandsMax, {
      made: (group) => roster.judge(group),
      gone: (group) => roster.forget(group),
    })
    const book = new Book(ground)
    this.#links = links
    this.#transfers = transfers
    this.#queue = queue
    this.#roster = roster
    this.#groups = groups
    this.#book = book
    this.#runs = new Runs(ground, {
      roster,
      tracks,
      reported: (run, outcome, runMs) => this.#onReported(run, outcome, runMs),
      freed: (agent) => this.#pull(agent),
    })
    const runs = this.#runs
    this.#coordinator = new Coordinator(ground, {
      book,
      groups,
      queue,
      roster,
      runs,
      tracks,
      hooks: this.#coordinatorHooks(),
    })
    const coordinator = this.#coordinator
    this.#leases = new Leases(ground, { links, transfers, book, coordinator })
    this.#rounds = new Rounds(ground, { links, groups, tracks, hooks: this.#roundsHooks() })
    this.#tenures = new Tenures(ground, { links, transfers, runs })
    this.#bidder = new Bidder(ground, {
      links,
      groups,
      queue,
      roster,
      runs,
      tracks,
      tenures: this.#tenures,
      freed: (agent) => this.#pull(agent),
      waits: (group) => this.#serve(group),
    })
    this.#attachments = new Attachments(ground, this.#attachmentsParts())
    const why = new Why(ground, { roster, rounds: this.#rounds, tracks })
    this.#asks = new Asks(ground, { links, transfers, book, coordinator, runs, why })
    this.#journal = new Journal({ book, coordinator, leases: this.#leases })
    this.#journal.read(options.records ?? [])
  }

  get epoch(): number {
    return this.#ground.epoch
  }

  get counts(): ClaimsCounts {
    return this.#book.counts(this.#coordinator.offered, this.#coordinator.running)
  }

  task(id: string): TaskReport | undefined {
    return this.#book.get(id)?.report(this.#ground.node)
  }

  *tasks(): IterableIterator<TaskReport> {
    for (const task of this.#book.values()) yield task.report(this.#ground.node)
  }

  *agents(): IterableIterator<AttachedAgent> {
    for (const { id, facts, used, stuck } of this.#roster.values()) {
      yield { agent: id, facts, slotsUsed: used, slotsStuck: stuck }
    }
  }

  *leases(now: Millis): IterableIterator<HeldLease> {
    for (const { task, token, coordinator, agent, endsAt, guarantee, state } of this.#runs.values()) {
      if (state !== 'running' || endsAt <= now) continue
      yield { task, token, coordinator, agent: agent.id, endsAt, guarantee }
    }
  }

  report(): AgentsReport {
    return reportOf(this.#roster, this.#groups)
  }

  snapshot(): readonly ClaimsRecord[] {
    return this.#journal.snapshot()
  }

  deadline(): Millis {
    return this.#ground.alarms.next()
  }

  step(now: Millis, input: ClaimsInput | Tick): readonly ClaimsEffect[] {
    this.#ground.now = now
    // What is over is over before anything new is looked at: after a pause, leases first (T-1).
    this.#ground.alarms.run(now)
    this.#take(input)
    this.#roster.checkSaving()
    while (this.#roster.hadMoreForAll()) this.#pullAll()
    this.#rounds.pump()
    this.#tellReport()
    return this.#ground.flush()
  }

  #take(input: ClaimsInput | Tick): void {
    switch (input.kind) {
      case 'tick':
        return
      case 'clock':
        this.#ground.setWall(input.wallNow)
        this.#recoverOnce()
        return
      case 'request':
        this.#asks.onRequest(input.request, input.ask)
        return
      case 'steered':
        this.#asks.onSteered(input.steering, input.isTaken)
        return
      case 'abandon':
        this.#asks.abandon(input.request)
        return
      case 'message':
        this.#onMessage(input.from, input.message)
        return
      case 'link-up':
        this.#links.linkUp(input.peer)
        this.#compare(input.peer)
        return
      case 'refused':
        this.#onRefused(input.peer, input.message)
        return
      case 'link-down':
        this.#links.linkDown(input.peer)
        this.#rounds.peerReset(input.peer)
        // As that peer does on its side: a slot that is kept for it is kept in vain.
        this.#bidder.forget(input.peer)
        return
      case 'gap':
        this.#rounds.peerReset(input.peer)
        this.#compare(input.peer)
        return
      case 'candidate-changed':
        if (this.#skillsOf !== undefined) this.#rounds.candidateChanged(input.node, this.#skillsOf(input.node))
        return
      case 'weights':
        this.#queue.setWeights(input.weights)
        return
      case 'capacity':
        this.#attachments.setCapacity(input.resources)
        return
      case 'drain':
        this.#roster.drain()
        return
      default:
        this.#attachments.onInput(input)
    }
  }

  #onMessage(from: NodeId, message: ClaimsMessage): void {
    switch (message.kind) {
      case 'claims.offer':
        this.#bidder.onOffer(from, message.body)
        return
      case 'claims.bid':
        this.#rounds.onBid(from, message.body)
        return
      case 'claims.decline':
        this.#rounds.onDecline(from, message.body)
        return
      case 'claims.award':
        this.#bidder.onAward(from, message.body)
        return
      case 'claims.accept':
        this.#leases.onAccept(from, message.body)
        return
      case 'claims.renew':
        this.#leases.onRenew(from, message.body)
        return
      case 'claims.renewed':
        this.#tenures.onRenewed(from, message.body)
        return
      case 'claims.progress':
        this.#leases.onProgress(from, message.body)
        return
      case 'claims.result':
        this.#leases.onResult(from, message.body)
        return
      case 'claims.ack':
        this.#tenures.onAck(from, message.body)
        return
      case 'claims.withdraw':
        this.#bidder.onWithdraw(from, message.body)
        return
      case 'claims.inventory':
        if (message.body.kind === 'ask') this.#onAsked(from, message.body.epoch, message.body.serial)
        else this.#leases.onInventory(from, message.body)
        return
      case 'claims.part':
        this.#transfers.onPart(from, message.body)
        return
      case 'claims.fetch':
        this.#transfers.onFetch(from, message.body)
        return
      case 'claims.query':
        this.#asks.onQuery(from, message.body)
        return
      case 'claims.reply':
        this.#asks.onReply(from, message.body)
        return
      default:
        unreachable(message)
    }
  }

  /** A full queue or a missing link: what is not repeated anyway is undone at once. */
  #onRefused(peer: NodeId, message: ClaimsMessage): void {
    switch (message.kind) {
      case 'claims.offer':
        this.#rounds.offerRefused(peer, message.body.offer)
        return
      case 'claims.bid':
        this.#bidder.bidRefused(peer, message.body.offer)
        return
      case 'claims.award':
        this.#leases.awardRefused(peer, message.body)
        return
      case 'claims.query':
        this.#asks.queryRefused(peer, message.body.query)
        return
      // Repeated by their senders (result, renew, inventory, wait, fetch) or missed by nobody (a promise, a hold and a lease end
      // by themselves).
      default:
    }
  }

  #onAsked(from: NodeId, epoch: number, serial: number): void {
    this.#bidder.forget(from)
    this.#tenures.onAsked(from, epoch, serial)
  }

  /** Both sides of every account with the peer are compared after a break. */
  #compare(peer: NodeId): void {
    this.#leases.ask(peer)
    this.#tenures.linkUp(peer)
    this.#asks.linkUp(peer)
    this.#transfers.resume(peer)
  }

  /** The journal can be gone by only when the date is known: durations in it count from the submission. */
  #recoverOnce(): void {
    if (this.#recovered) return
    this.#recovered = true
    this.#journal.resume()
  }

  #onReported(...[run, outcome, runMs]: Parameters<Reported>): void {
    if (run.coordinator !== this.#ground.node) {
      this.#tenures.report(run, outcome, runMs)
      return
    }
    if (run.state === 'reported') this.#runs.forget(run)
    const task = this.#book.get(run.task)
    if (task === undefined) return
    this.#coordinator.onOutcome(task, this.#ground.node, run.token, run.agent.facts.name, runMs, outcome)
  }

  #revoke(task: Task, claim: NonNullable<Task['claim']>, reason: string): void {
    if (claim.node !== this.#ground.node) {
      this.#leases.revoke(task, claim, reason)
      return
    }
    const run = this.#runs.find(task.id, claim.token, claim.node)
    if (run !== undefined) this.#runs.stop(run, 'cancelled')
  }

  /** An agent with free slots takes what is next, until it has no slot or nothing fits. */
  #pull(agent: Agent): void {
    if (this.#roster.get(agent.id) !== agent) return
    this.#attachments.departIfDone(agent)
    for (let lane = this.#roster.next(agent); lane !== undefined; lane = this.#roster.next(agent)) {
      const { head } = lane
      if (head instanceof Task) this.#coordinator.awardLocal(head, agent)
      else if (head === undefined || !this.#bidder.claim(head, agent)) return
    }
    const mayTake = agent.slotsFree > 0 && !this.#roster.isDraining
    if (!mayTake || !agent.cls.selector.isCut) return
    agent.cls.looking.add(agent)
    this.#lookFurther(agent.cls)
  }

  /** What one agent gave back to the host may be what another one waits for: some look at once, the others a moment later. */
  #pullAll(): void {
    const { sampleMax } = this.#ground.params
    for (const cls of this.#roster.classes()) {
      if (cls.selector.live === 0) continue
      const idle = [...cls.idle]
      for (const agent of idle.slice(0, sampleMax)) this.#pull(agent)
      if (idle.length <= sampleMax) continue
      for (const agent of idle.slice(sampleMax)) cls.looking.add(agent)
      this.#lookFurther(cls)
    }
  }

  /**
   * Much waits that does not fit some agents, and something behind it may: a moment later one of them looks again, further.
   * The moment grows with what a look costs, so that looking never takes more than a small share of the time.
   */
  #lookFurther(cls: AgentClass): void {
    cls.lookAlarm ??= this.#ground.in(cls.selector.looksMax * PAUSE_PER_LOOK_MS, () => {
      cls.lookAlarm = undefined
      const [next] = cls.looking
      if (next === undefined) return
      cls.looking.delete(next)
      this.#pull(next)
      if (cls.looking.size > 0) this.#lookFurther(cls)
    })
  }

  /** Something of the group waits: an idle agent that can serve it looks what is next. */
  #serve(group: Group): void {
    const agent = this.#roster.find(group)
    if (agent !== undefined) this.#pull(agent)
  }

  #awardHere(group: Group): void {
    const agent = this.#roster.find(group)
    const task = group.first(this.#ground.now)
    if (agent === undefined || !(task instanceof Task)) return
    this.#coordinator.take(task)
    this.#coordinator.awardTaken(task, agent)
  }

  /** Changes are told together, so that a burst of tasks costs one report. */
  #tellReport(): void {
    if (this.#reporting !== undefined || this.#reportedVersion === this.#roster.version) return
    this.#reporting = this.#ground.in(this.#ground.params.reportIntervalMs, () => {
      this.#reporting = undefined
      this.#reportedVersion = this.#roster.version
      this.#ground.emit({ kind: 'event', event: { kind: 'report-changed' } })
    })
  }

  #coordinatorHooks(): CoordinatorHooks {
    return {
      seek: (group) => this.#rounds.seek(group),
      emptied: (group) => this.#rounds.emptied(group),
      ended: (task) => this.#asks.ended(task),
      revoke: (task, claim, reason) => this.#revoke(task, claim, reason),
      outwaits: (task) => this.#leases.outwait(task),
    }
  }

  #roundsHooks(): RoundsHooks {
    const roster = this.#roster
    return {
      award: (...award) => this.#leases.award(...award),
      localOffer: (group) => {
        const agent = roster.find(group)
        return agent === undefined ? undefined : roster.offerOf(agent, group.demand, 0)
      },
      awardHere: (group) => this.#awardHere(group),
      nobody: (group) => {
        if (!roster.couldServe(group)) this.#coordinator.forgive(group)
      },
    }
  }

  #attachmentsParts(): AttachmentsParts {
    return {
      roster: this.#roster,
      groups: this.#groups,
      runs: this.#runs,
      bidder: this.#bidder,
      tenures: this.#tenures,
      reported: (...reported) => this.#onReported(...reported),
      pull: (agent) => this.#pull(agent),
    }
  }
}
