import { after, type Millis, type NodeId } from '../kernel/index.ts'
import type { Book } from './book.ts'
import type { Coordinator } from './coordinator.ts'
import type { Group } from './demand.ts'
import type { Ground } from './ground.ts'
import type { TaskId, Token } from './ids.ts'
import type { Links } from './links.ts'
import type { AttemptRow, BidBody, BodyOf, LeaseRow, PlacementBody, Verdict } from './messages.ts'
import { CLOCK_RATE_DIFFERENCE_MAX_SHARE } from './params.ts'
import { attemptKey } from './runs.ts'
import { type Claim, Task } from './task.ts'
import type { Source, Transfers } from './transfers.ts'

/** What is out at one executor. */
interface Outstanding {
  readonly tasks: Set<Task>
  /** The question for its inventory that is open, and what was named so far. */
  asked: { readonly serial: number; readonly named: Set<Task> } | undefined
}

const NOTHING = new Uint8Array(0)

const LINK_FULL = 'the link is full'

const MALFORMED_OUTPUT = {
  kind: 'failed' as const,
  error: { code: 'BAD_OUTPUT', message: 'its output is not JSON', retryable: true },
}

/** For so long a long input may be on its way to an executor, behind all others. */
const ARRIVAL_LEASES_MAX = 60

/** Awards of one message stay well below what a message may hold. */
const AWARD_BYTES_MAX = 160 * 1024

export interface LeasesParts {
  readonly links: Links
  readonly transfers: Transfers
  readonly book: Book
  readonly coordinator: Coordinator
}

/** The coordinator's side of leases at peers: awards, renewals, lapses, inventories, results. T-1, T-3, T-10. */
export class Leases {
  readonly #ground: Ground
  readonly #parts: LeasesParts
  readonly #outstanding = new Map<NodeId, Outstanding>()
  /** Peers of which the journal says that they may hold leases of this node. */
  readonly #journalled = new Set<NodeId>()
  /** Of them, those of which that may not be durable yet: none of them has answered an award. */
  readonly #fresh = new Set<NodeId>()
  /** After a restart: peers whose leases of an earlier life have to be asked for or outwaited. */
  readonly #unheard = new Set<NodeId>()
  #recovering: Task[] = []
  #serial = 0

  constructor(ground: Ground, parts: LeasesParts) {
    this.#ground = ground
    this.#parts = parts
  }

  /** Peers that may hold leases now: what a snapshot must name. The others are named again with their next award. */
  *executors(): Generator<NodeId> {
    for (const node of this.#journalled) {
      if (this.#outstanding.has(node) || this.#unheard.has(node)) yield node
      else this.#journalled.delete(node)
    }
  }

  isRecovering(task: Task): boolean {
    return task.pause === 'recovery'
  }

  get recoveringCount(): number {
    return this.#recovering.length
  }

  /** Gives tasks to a peer for its bid. Returns how many. */
  award(group: Group, node: NodeId, bid: BidBody, count: number, describe: () => PlacementBody): number {
    const { params } = this.#ground
    const placement = describe()
    let batch: BodyOf<'claims.award'>['tasks'][number][] = []
    let bytes = 0
    let given = 0
    this.#serial += 1
    while (given < count) {
      const task = group.first(this.#ground.now)
      if (!(task instanceof Task)) break
      this.#parts.coordinator.take(task)
      const claim = this.#parts.coordinator.awardPeer(task, node, this.#serial, bid.runMs, placement)
      this.#track(task, claim)
      this.#journalExecutor(task, node)
      const { submission } = task
      const input = this.#parts.transfers.payload(node, submission.input, this.#inputOf(node, task.id, claim.token))
      batch.push({
        task: task.id,
        attempt: claim.token.attempt,
        seal: this.#sealOf(node, task.id, claim.token),
        input,
        runTimeoutMs: submission.runTimeoutMs,
        deadlineMs: this.#parts.coordinator.deadlineLeftMs(task),
        priority: submission.priority,
        guarantee: submission.guarantee,
        trace: submission.trace,
      })
      bytes += (input.kind === 'inline' ? input.bytes.length : 0) + 1024
      given += 1
      if (bytes >= AWARD_BYTES_MAX || batch.length >= params.awardTasksMax) {
        this.#sendAward(node, bid, batch)
        batch = []
        bytes = 0
      }
    }
    if (batch.length > 0) this.#sendAward(node, bid, batch)
    return given
  }

  /** The award did not leave: nobody has begun, and the tasks are free at once. */
  awardRefused(peer: NodeId, { epoch, tasks }: BodyOf<'claims.award'>): void {
    for (const row of tasks) this.#notTaken(peer, { task: row.task, epoch, attempt: row.attempt }, LINK_FULL)
  }

  onAccept(from: NodeId, body: BodyOf<'claims.accept'>): void {
    const { coordinator } = this.#parts
    for (const row of body.accepted) {
      const task = this.#heldBy(from, row)
      if (task?.claim === undefined) continue
      this.#fresh.delete(from)
      coordinator.started(task, task.claim, row.agent)
    }
    for (const row of body.refused) this.#notTaken(from, row, row.reason)
  }

  onRenew(from: NodeId, body: BodyOf<'claims.renew'>): void {
    this.#renew(from, body.sequence, body.leases)
  }

  onResult(from: NodeId, body: BodyOf<'claims.result'>): void {
    const { outcome } = body
    if (outcome.kind !== 'completed') {
      this.#settle(from, body, outcome.kind === 'failed' ? { kind: 'failed', error: outcome.error } : outcome)
      return
    }
    // Whatever its output is, it changes nothing any more: it need not be fetched.
    if (this.#parts.book.get(body.task)?.hasEnded === true) {
      this.#settle(from, body, { kind: 'completed', output: NOTHING })
      return
    }
    const reception = this.#parts.transfers.receive(from, outcome.output, {
      done: (output) => this.#settle(from, body, { kind: 'completed', output }),
      // As long as its sender has it, it says so again.
      lost: () => {},
      malformed: () => this.#settle(from, body, MALFORMED_OUTPUT),
    })
    if (reception === 'full') this.#refuse(from, body, 'no room for the output')
  }

  onProgress(from: NodeId, body: BodyOf<'claims.progress'>): void {
    const task = this.#heldBy(from, body)
    if (task?.claim === undefined) return
    this.#parts.coordinator.started(task, task.claim, task.claim.agent)
    const { fraction, message, partial } = body
    this.#ground.emit({
      kind: 'task-progress',
      task: task.id,
      attempt: body.attempt,
      fraction: fraction === undefined ? undefined : Math.min(1, Math.max(0, fraction)),
      message,
      partial: partial !== undefined && this.#ground.isPayload(partial) ? partial.slice() : undefined,
    })
  }

  /** The executor is to stop; from here on its token is nobody's. */
  revoke(task: Task, claim: Claim, reason: string): void {
    this.#untrack(task, claim.node)
    const row = { task: task.id, ...claim.token, reason: reason.slice(0, 80).toWellFormed() }
    this.#parts.links.sendIfUp(claim.node, { kind: 'claims.withdraw', body: { offers: [], leases: [row] } })
  }

  /** A link is back, or messages were lost: the two sides compare what they hold. */
  ask(peer: NodeId): void {
    const outstanding = this.#outstanding.get(peer)
    if (outstanding === undefined && !this.#unheard.has(peer)) return
    this.#serial += 1
    const held: Outstanding = outstanding ?? { tasks: new Set(), asked: undefined }
    held.asked = { serial: this.#serial, named: new Set() }
    this.#outstanding.set(peer, held)
    const { epoch, params } = this.#ground
    const serial = this.#serial
    this.#parts.links.sendIfUp(peer, { kind: 'claims.inventory', body: { kind: 'ask', epoch, serial } })
    // A full queue may have swallowed the question or the answer.
    this.#ground.in(params.resendMs, () => {
      const isOpen = this.#outstanding.get(peer)?.asked?.serial === serial
      if (isOpen && this.#parts.links.isUp(peer)) this.ask(peer)
    })
  }

  /** What it holds it goes on holding; what it should hold and does not is lost for certain (T-10). */
  onInventory(from: NodeId, body: Extract<BodyOf<'claims.inventory'>, { kind: 'held' }>): void {
    this.#renew(from, body.sequence, body.leases)
    const outstanding = this.#outstanding.get(from)
    const asked = outstanding?.asked
    if (outstanding === undefined || asked === undefined || asked.serial !== body.serial) return
    for (const row of body.leases) {
      const task = this.#heldBy(from, row)
      if (task !== undefined) asked.named.add(task)
    }
    if (!body.last) return
    outstanding.asked = undefined
    for (const task of [...outstanding.tasks]) {
      const { claim } = task
      if (claim === undefined || claim.serial >= body.serial || asked.named.has(task)) continue
      this.#untrack(task, from)
      this.#parts.coordinator.lose(task, 'LOST', `${from} does not hold it any more`)
    }
    this.#forgetIfIdle(from)
    this.#heard(from)
  }

  /**
   * After a restart: tasks that may still be leased to somebody wait until all who may hold a lease have said so, or
   * until every lease of the earlier life has ended (T-1).
   */
  recover(tasks: readonly Task[], executors: Iterable<NodeId>): void {
    for (const node of executors) {
      this.#journalled.add(node)
      this.#unheard.add(node)
    }
    const { params } = this.#ground
    for (const task of tasks) this.outwait(task)
    if (tasks.length > 0)
      this.#ground.observe({ kind: 'task-recovered', count: tasks.length, executors: this.#unheard.size })
    if (this.#unheard.size > 0) {
      this.#ground.in(params.leaseMs + params.leaseMarginMs, () => this.#recovered())
    }
    for (const peer of [...this.#unheard]) if (this.#parts.links.isUp(peer)) this.ask(peer)
  }

  /**
   * T-1: what nobody has been given since a restart waits until all who may hold it have been heard or outwaited; also when
   * somebody gives it back, for another may have been given it after him.
   */
  outwait(task: Task): boolean {
    const isOld = task.isUncertain && task.epoch < this.#ground.epoch
    if (!isOld || this.#unheard.size === 0 || task.guarantee === 'at-least-once') return false
    task.pause = 'recovery'
    this.#recovering.push(task)
    return true
  }

  #heard(peer: NodeId): void {
    if (this.#unheard.delete(peer) && this.#unheard.size === 0) this.#recovered()
  }

  #recovered(): void {
    this.#unheard.clear()
    const tasks = this.#recovering
    this.#recovering = []
    for (const task of tasks) if (!task.hasEnded && task.pause === 'recovery') this.#parts.coordinator.place(task)
  }

  #notTaken(peer: NodeId, row: AttemptRow, reason: string): void {
    const task = this.#heldBy(peer, row)
    if (task?.claim === undefined || task.claim.isStarted) return
    this.#untrack(task, peer)
    this.#parts.coordinator.refused(task, reason, reason === LINK_FULL)
  }

  /** Awards to a peer wait for the journal to know of it; once it has accepted one, later ones wait for nothing. */
  #journalExecutor(task: Task, node: NodeId): void {
    if (!task.durable || this.#journalled.has(node)) return
    this.#journalled.add(node)
    this.#fresh.add(node)
    this.#ground.persist({ kind: 'executor', node })
    this.#ground.deferTo(node)
  }

  #sendAward(node: NodeId, { offer, bid }: BidBody, tasks: BodyOf<'claims.award'>['tasks']): void {
    const { epoch, params } = this.#ground
    const body = { offer, bid, epoch, serial: this.#serial, leaseMs: params.leaseMs, tasks }
    if (this.#fresh.has(node)) this.#ground.deferTo(node, true)
    this.#parts.links.sendIfUp(node, { kind: 'claims.award', body })
  }

  #renew(from: NodeId, sequence: number, rows: readonly LeaseRow[]): void {
    const { params, now } = this.#ground
    const lost: AttemptRow[] = []
    for (const row of rows) {
      const task = this.#heldBy(from, row) ?? this.#adopted(from, row)
      if (task?.claim === undefined) {
        lost.push(row)
        continue
      }
      if (this.#isOverdue(task, task.claim)) {
        lost.push(row)
        this.#untrack(task, from)
        this.#parts.coordinator.overdue(task)
        continue
      }
      task.claim.endsAt = after(now, params.leaseMs)
      this.#parts.coordinator.started(task, task.claim, task.claim.agent)
    }
    if (lost.length < rows.length) this.#parts.links.keep(from)
    const body = { sequence, leaseMs: params.leaseMs, lost }
    this.#parts.links.sendIfUp(from, { kind: 'claims.renewed', body })
  }

  /** Its executor is to see to the run time-out; who has not done so long afterwards does not mean to. */
  #isOverdue({ submission }: Task, { startedAt, agent }: Claim): boolean {
    const { params, now } = this.#ground
    if (submission.runTimeoutMs === 0 || startedAt === undefined) return false
    const isArriving = agent === '' && submission.input.length > params.inlineBytesMax
    const leases = isArriving ? ARRIVAL_LEASES_MAX : 1
    const allowedMs = submission.runTimeoutMs * (1 + CLOCK_RATE_DIFFERENCE_MAX_SHARE) + leases * params.leaseMs
    return now - startedAt > allowedMs
  }

  /** A lease of an earlier life of this node, or one that lapsed and went on because it may be done twice. */
  #adopted(from: NodeId, row: LeaseRow): Task | undefined {
    const { coordinator, book } = this.#parts
    const task = book.get(row.task)
    if (task === undefined || task.hasEnded || task.claim !== undefined) return undefined
    const isLast = task.guarantee === 'at-least-once' && task.isCurrent(row) && task.executor?.node === from
    if (!isLast && !(task.mayAdopt(row, this.#ground.epoch) && this.#isSealed(from, row))) return undefined
    this.#track(task, coordinator.adopt(task, from, { epoch: row.epoch, attempt: row.attempt }))
    return task
  }

  /** Whether this node, in whatever life, awarded it just that: awards are not written down, but nobody else can make the seal. */
  #isSealed(peer: NodeId, row: LeaseRow): boolean {
    return row.seal === this.#sealOf(peer, row.task, row)
  }

  #sealOf(executor: NodeId, task: TaskId, token: Token): number {
    return this.#ground.seal(`${executor}/${attemptKey(task, token)}`)
  }

  /** For as long as it is to run there: the attempt is named and not the task, so that nothing is kept for it. */
  #inputOf(node: NodeId, task: TaskId, token: Token): Source {
    return () => this.#heldBy(node, { task, ...token })?.submission.input
  }

  #heldBy(from: NodeId, row: AttemptRow): Task | undefined {
    const task = this.#parts.book.get(row.task)
    return task?.claim?.node === from && task.isCurrent(row) ? task : undefined
  }

  #settle(from: NodeId, body: BodyOf<'claims.result'>, outcome: Parameters<Coordinator['onOutcome']>[5]): void {
    const { book, coordinator } = this.#parts
    const task = book.get(body.task)
    let verdict: Verdict = 'unknown'
    if (task !== undefined) {
      const holder = task.claim?.node
      const token = { epoch: body.epoch, attempt: body.attempt }
      const isEarlierLife = task.mayAdopt(token, this.#ground.epoch) && this.#isSealed(from, body)
      verdict = coordinator.onOutcome(task, from, token, body.agent, body.runMs, outcome, isEarlierLife)
      if (verdict === 'accepted' && holder !== undefined) this.#untrack(task, holder)
    }
    this.#acknowledge(from, body, verdict)
  }

  #acknowledge(to: NodeId, row: AttemptRow, verdict: Verdict): void {
    if (verdict !== 'accepted') {
      this.#ground.observe({ kind: 'result-refused', task: row.task, from: to, attempt: row.attempt, verdict })
    }
    const body = { task: row.task, epoch: row.epoch, attempt: row.attempt, verdict }
    // After the journal: an acknowledged result is never asked for again. Also for one that ended in an earlier step.
    this.#ground.emitAfterAll({ kind: 'send', to, message: { kind: 'claims.ack', body } })
  }

  #refuse(from: NodeId, body: BodyOf<'claims.result'>, reason: string): void {
    this.#ground.observe({
      kind: 'claims-malformed',
      peer: from,
      message: 'claims.result',
      reason: `${body.task}: ${reason}`,
    })
  }

  #track(task: Task, claim: Claim): void {
    const known = this.#outstanding.get(claim.node)
    if (known === undefined) this.#outstanding.set(claim.node, { tasks: new Set([task]), asked: undefined })
    else known.tasks.add(task)
    this.#parts.links.keep(claim.node)
    this.#watch(task, claim, claim.endsAt)
  }

  /** A renewal moves the end, not the alarm: it looks again when it goes off. */
  #watch(task: Task, claim: Claim, at: Millis): void {
    claim.alarm = this.#ground.alarms.set(at, () => {
      if (task.claim !== claim) return
      if (claim.endsAt > this.#ground.now) {
        this.#watch(task, claim, claim.endsAt)
        return
      }
      this.#untrack(task, claim.node)
      this.#ground.observe({ kind: 'lease-lapsed', task: task.id, attempt: claim.token.attempt, node: claim.node })
      this.#parts.coordinator.lose(task, 'LEASE_LAPSED', `the lease at ${claim.node} was not renewed`)
    })
  }

  #untrack(task: Task, node: NodeId): void {
    this.#outstanding.get(node)?.tasks.delete(task)
    this.#forgetIfIdle(node)
  }

  #forgetIfIdle(node: NodeId): void {
    const outstanding = this.#outstanding.get(node)
    if (outstanding !== undefined && outstanding.tasks.size === 0 && outstanding.asked === undefined)
      this.#outstanding.delete(node)
  }
}
