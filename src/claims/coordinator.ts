import { after, assert, NEVER, type NodeId, ok, type Result } from '../kernel/index.ts'
import { Admission } from './admission.ts'
import type { Agent } from './agent.ts'
import type { Book } from './book.ts'
import { Chronicle } from './chronicle.ts'
import { type Group, type Groups, requestOf } from './demand.ts'
import type { Tracks } from './estimates.ts'
import type { Ground } from './ground.ts'
import type { Token } from './ids.ts'
import type { PlacementBody, Verdict } from './messages.ts'
import type { Queue } from './queue.ts'
import type { SubmittedRecord } from './records.ts'
import type { Roster } from './roster.ts'
import type { RunOutcome, Runs } from './runs.ts'
import { Setbacks } from './setbacks.ts'
import { type Claim, claimOf, type EndState, Task } from './task.ts'
import { TimeLimits } from './time-limits.ts'
import type { ClaimsAnswer, Refusal, Submission, TaskError } from './types.ts'

export interface CoordinatorParts {
  readonly book: Book
  readonly groups: Groups
  readonly queue: Queue
  readonly roster: Roster
  readonly runs: Runs
  readonly tracks: Tracks
  readonly hooks: CoordinatorHooks
}

export interface CoordinatorHooks {
  /** A task waits that nobody here takes now. */
  readonly seek: (group: Group) => void
  /** The last waiting task of the group has gone. */
  readonly emptied: (group: Group) => void
  /** The task has ended: whoever waits is to be told, once that is durable. */
  readonly ended: (task: Task) => void
  /** An executor is to stop; nothing it says about that token counts any more. */
  readonly revoke: (task: Task, claim: Claim, reason: string) => void
  /** An earlier life of this node may have given it to somebody who has it still: it is placed when that is over. */
  readonly outwaits: (task: Task) => boolean
}

/** Whether somebody could do it does not depend on who is linked. */
const NOBODY: ReadonlySet<NodeId> = new Set()

/** The lives of the tasks that this node coordinates, from submission to end. */
export class Coordinator {
  readonly #ground: Ground
  readonly #parts: CoordinatorParts
  readonly #admission: Admission
  readonly #chronicle: Chronicle
  readonly #limits: TimeLimits
  readonly #setbacks: Setbacks
  offered = 0
  running = 0

  constructor(ground: Ground, parts: CoordinatorParts) {
    this.#ground = ground
    this.#parts = parts
    this.#admission = new Admission(ground, parts)
    this.#chronicle = new Chronicle(ground, parts.tracks)
    this.#limits = new TimeLimits(ground, (task, message) => {
      this.#finish(task, 'failed', undefined, { code: 'TIMEOUT', message, retryable: false })
    })
    this.#setbacks = new Setbacks(ground, {
      groups: parts.groups,
      chronicle: this.#chronicle,
      limits: this.#limits,
      end: (task, state, error) => this.#finish(task, state, undefined, error),
      place: (task) => this.place(task),
    })
  }

  /** @param isTold whether whoever submits is told that it is accepted, and not only how it ended */
  submit(submission: Submission, isTold = true): Result<Extract<ClaimsAnswer, { kind: 'accepted' }>, Refusal> {
    const admitted = this.#admission.admit(submission, isTold)
    if (!admitted.ok) return admitted
    if (admitted.value.kind === 'known') return ok({ kind: 'accepted', task: admitted.value.id, duplicate: true })
    const { task } = admitted.value
    this.arm(task)
    // Matching begins at once and not after the acknowledgement.
    this.place(task)
    // CL-14: only what runs here at once may be over before it is worth a commit of its own.
    if (task.state !== 'running') this.#ground.commit()
    return ok({ kind: 'accepted', task: task.id, duplicate: false })
  }

  /** Local fast path, or the queue. */
  place(task: Task): void {
    const { roster, groups, hooks } = this.#parts
    if (hooks.outwaits(task)) return
    const group = groups.present(task.group)
    task.group = group
    task.pause = 'none'
    this.#chronicle.changed(task)
    // Whoever is in line already has tried: a newcomer goes behind it.
    if (group.ownWaiting === 0 && group.foreignWaiting === 0 && !group.demand.isChoosy) {
      const agent = roster.find(group)
      if (agent !== undefined) {
        this.#awardHere(task, agent)
        return
      }
    }
    this.#enqueue(task)
    if (group.demand.isChoosy) {
      const agent = roster.find(group)
      // With wishes or weights an idle agent at hand is taken at once only if nobody else could do it.
      if (agent !== undefined && !this.#othersCould(group)) {
        this.take(task)
        this.#awardHere(task, agent)
        return
      }
    }
    this.#parts.hooks.seek(group)
  }

  /** A local agent has a slot for this task, which is first in line. */
  awardLocal(task: Task, agent: Agent): void {
    const { group } = task
    this.take(task)
    this.#awardHere(task, agent)
    if (group.ownWaiting === 0) this.#parts.hooks.emptied(group)
  }

  /** The same for one that was taken out already. */
  awardTaken(task: Task, agent: Agent): void {
    this.#awardHere(task, agent)
  }

  /** Out of the queue, on the tenant's account. */
  take(task: Task): void {
    const { queue, groups, tracks } = this.#parts
    const { lane, group } = task
    assert(lane !== undefined, 'only what waits is taken', { task: task.id })
    queue.remove(task)
    group.ownWaiting -= 1
    queue.charge(lane.tenant, lane.priority, tracks.skillMs(group.demand.skill))
    groups.rest(group)
  }

  /** The claim of a peer; the message is the caller's. */
  awardPeer(task: Task, node: NodeId, serial: number, bidMs: number, placement: PlacementBody): Claim {
    const { params, now } = this.#ground
    const token = this.#nextToken(task)
    const claim = claimOf(node, token, now, after(now, params.leaseMs), serial, bidMs)
    const track = this.#parts.tracks.find(node, task.group.demand.skill)
    if (track?.isShunned === true) {
      track.probing = true
      claim.isProbe = true
    }
    task.claim = claim
    task.state = 'awarded'
    task.placement = placement
    task.executor = { node, agent: '' }
    this.offered += 1
    this.#chronicle.changed(task)
    return claim
  }

  /** The executor has begun, as it says itself or as follows from what it says. */
  started(task: Task, claim: Claim, agent: string): void {
    // A renewal does not name it.
    if (claim.agent === '') {
      claim.agent = agent
      task.executor = { node: claim.node, agent }
      if (agent !== '') {
        this.#parts.tracks.find(claim.node, task.group.demand.skill)?.took()
        // A renewal before may have been for an input on its way.
        if (claim.isStarted) claim.startedAt = this.#ground.now
      }
    }
    if (claim.isStarted) return
    claim.isStarted = true
    claim.startedAt = this.#ground.now
    task.state = 'running'
    task.begunAt = this.#ground.wall
    task.startedAt ??= task.begunAt
    this.offered -= 1
    this.running += 1
    this.#chronicle.count(task, 'started')
    this.#chronicle.changed(task)
  }

  /** A lease of an earlier life of this node that is still in force. */
  adopt(task: Task, node: NodeId, token: Token): Claim {
    const { params, now } = this.#ground
    this.#unqueue(task)
    const claim = claimOf(node, token, now, after(now, params.leaseMs), 0, 0)
    task.epoch = token.epoch
    task.attempt = token.attempt
    task.claim = claim
    task.pause = 'none'
    task.state = 'awarded'
    this.offered += 1
    this.started(task, claim, '')
    return claim
  }

  /**
   * T-2, T-3: one result, under the token in force, from whoever has it.
   *
   * @param isOfEarlierLife whether an earlier life of this node awarded it that, and it may still be in force
   */
  onOutcome(
    task: Task,
    from: NodeId,
    token: Token,
    agent: string,
    runMs: number,
    outcome: RunOutcome,
    isOfEarlierLife = false,
  ): Verdict {
    if (task.hasEnded) {
      this.#chronicle.stray(task, token, 'a result after the end')
      return 'ended'
    }
    const { claim } = task
    const isHolder = claim !== undefined && claim.node === from && task.isCurrent(token)
    // Its lease has passed, and nobody else has had one since: what it did still counts.
    const isLast = claim === undefined && task.isCurrent(token) && task.executor?.node === from
    const isEarlierLife = isOfEarlierLife && claim === undefined
    if (isLast && outcome.kind === 'released') return 'accepted'
    if (!isHolder && !isLast && !isEarlierLife) {
      this.#chronicle.stray(task, token, 'a result under a stale token')
      return 'stale'
    }
    // Who has said that it began has had its input.
    if (outcome.kind === 'released' && outcome.reason === 'payload-lost' && claim?.agent === '') {
      this.refused(task, 'its input did not come')
      return 'accepted'
    }
    if (isHolder) this.started(task, claim, agent)
    else if (isEarlierLife) {
      task.epoch = token.epoch
      task.attempt = token.attempt
      task.executor = { node: from, agent }
      this.#chronicle.count(task, 'a result of an earlier life of the coordinator')
    }
    task.executor = { node: from, agent }
    if (from !== this.#ground.node) this.#chronicle.learn(task, from, runMs, outcome)
    this.#unclaim(task)
    this.#unqueue(task)
    this.#apply(task, from, agent, outcome)
    return 'accepted'
  }

  /** The claim is over without a word from its executor. */
  lose(task: Task, code: string, message: string): void {
    const { claim } = task
    if (claim === undefined) return
    // T-13: nobody knows whether it began; it counts as if it had.
    if (!claim.isStarted) {
      this.#chronicle.count(task, code)
      if (claim.node !== this.#ground.node) this.#chronicle.untaken(task, claim.node)
    }
    this.#unclaim(task)
    this.#setbacks.lost(task, claim.node, claim.agent, { code, message, retryable: true })
  }

  /** It runs for longer than it may, and its executor goes on with it. */
  overdue(task: Task): void {
    const { claim } = task
    if (claim === undefined) return
    const error = { code: 'TIMEOUT', message: 'it ran for longer than it may', retryable: true }
    const runMs = this.#ground.now - (claim.startedAt ?? claim.awardedAt)
    this.onOutcome(task, claim.node, claim.token, claim.agent, runMs, { kind: 'failed', error })
  }

  /** The executor never began; `isUnsent`: nor was it asked to. */
  refused(task: Task, reason: string, isUnsent = false): void {
    const { claim } = task
    if (claim === undefined) return
    if (!isUnsent) this.#chronicle.untaken(task, claim.node)
    // T-13: while its input was on its way, the renewal of its lease was taken for a sign that it had begun.
    if (claim.isStarted) this.#chronicle.unbegun(task)
    this.#chronicle.setback(task, 'refused', claim.node, '', reason)
    this.#unclaim(task)
    task.executor = undefined
    this.#limits.waitsAgain(task)
    this.#setbacks.later(task, this.#ground.params.retryMinMs * this.#ground.random.between(0.1, 0.5))
  }

  cancel(task: Task, reason: string): void {
    this.#finish(task, 'cancelled', undefined, {
      code: 'CANCELLED',
      message: reason === '' ? 'cancelled' : reason,
      retryable: false,
    })
  }

  /** Nobody fits who has not failed it: better one of those than nobody. */
  forgive(group: Group): void {
    if (group.demand.excluded.size === 0) return
    const waiting: Task[] = []
    for (const lane of group.lanes) {
      for (let entry = lane.head; entry !== undefined; entry = entry.next)
        if (entry instanceof Task) waiting.push(entry)
    }
    for (const task of waiting) {
      this.#unqueue(task)
      task.excluded = []
      this.#setbacks.regroup(task)
      this.place(task)
    }
  }

  /** From the journal. Returns undefined when the demand cannot be read, which is somebody's newer version. */
  restore(submission: SubmittedRecord): Task | undefined {
    const { groups, book } = this.#parts
    const known = book.get(submission.task)
    if (known !== undefined) return known
    const group = groups.of(submission.demand, true)
    if (!group.ok) return undefined
    const task = new Task(submission, group.value, true)
    task.isUncertain = true
    book.add(task)
    return task
  }

  /** A restored task begins to wait. */
  resume(task: Task): void {
    this.arm(task)
    if (!task.hasEnded) this.place(task)
  }

  /** Its time limits count from now on; also while the leases of an earlier life are outwaited. */
  arm(task: Task): void {
    this.#limits.arm(task)
  }

  /** Until the deadline; 0 when there is none. */
  deadlineLeftMs(task: Task): number {
    return this.#limits.deadlineLeftMs(task)
  }

  regroup(task: Task): void {
    this.#setbacks.regroup(task)
  }

  #enqueue(task: Task): void {
    const { groups, queue } = this.#parts
    const lane = task.group.lane(task.priority, false, queue, this.#ground.params, true)
    assert(lane !== undefined, 'an accepted task has its place', { task: task.id })
    task.group.ownWaiting += 1
    groups.wake(task.group)
    queue.push(this.#ground.now, lane, task)
  }

  /** Out of the queue without being charged. */
  #unqueue(task: Task): void {
    const { queue, hooks, groups } = this.#parts
    this.#ground.alarms.cancel(task.retryAlarm)
    task.retryAlarm = undefined
    if (task.lane === undefined) return
    queue.remove(task)
    task.group.ownWaiting -= 1
    if (task.group.ownWaiting === 0) hooks.emptied(task.group)
    groups.rest(task.group)
  }

  #othersCould(group: Group): boolean {
    const request = requestOf(group.demand, group.demand.excluded, NOBODY)
    return this.#ground.peers.choose(request, 1).eligible > 0
  }

  /** At once: no message, nothing written, the agent has it. */
  #awardHere(task: Task, agent: Agent): void {
    const { roster, runs } = this.#parts
    const { now, node } = this.#ground
    const { submission, group } = task
    const token = this.#nextToken(task)
    const name = agent.facts.name
    const claim = claimOf(node, token, now, NEVER, 0, 0)
    task.claim = claim
    task.state = 'awarded'
    task.placement = { kind: 'local', node, agent: name, candidates: 0, bids: [] }
    this.offered += 1
    roster.take(agent, group.demand)
    const terms = {
      task: task.id,
      token,
      coordinator: node,
      seal: 0,
      demand: group.demand,
      guarantee: submission.guarantee,
      endsAt: NEVER,
      runTimeoutMs: submission.runTimeoutMs,
      deadlineMs: this.#limits.deadlineLeftMs(task),
      trace: submission.trace,
    }
    runs.start(agent, terms, submission.input)
    this.started(task, claim, name)
  }

  #nextToken(task: Task): Token {
    const { epoch } = this.#ground
    task.attempt += 1
    task.epoch = epoch
    return { epoch, attempt: task.attempt }
  }

  #unclaim(task: Task): void {
    const { claim } = task
    if (claim === undefined) return
    this.#ground.alarms.cancel(claim.alarm)
    // However it ends, and be it without an outcome: else nobody would turn to that peer again.
    if (claim.isProbe) this.#parts.tracks.find(claim.node, task.group.demand.skill)?.released()
    if (claim.isStarted) this.running -= 1
    else this.offered -= 1
    task.claim = undefined
    task.state = 'waiting'
  }

  #apply(task: Task, node: NodeId, agent: string, outcome: RunOutcome): void {
    switch (outcome.kind) {
      case 'completed':
        this.#finish(task, 'completed', outcome.output, undefined)
        return
      case 'failed':
        // Its token is spent: the same outcome again changes nothing (T-3).
        task.executor = undefined
        this.#setbacks.failed(task, node, agent, outcome.error)
        return
      case 'released':
        task.executor = undefined
        this.#setbacks.lost(task, node, agent, {
          code: 'LOST',
          message: `the executor gave it back: ${outcome.reason}`,
          retryable: true,
        })
    }
  }

  #finish(task: Task, state: EndState, output: Uint8Array | undefined, error: TaskError | undefined): void {
    const { book, hooks } = this.#parts
    const { claim } = task
    if (claim !== undefined) {
      hooks.revoke(task, claim, error?.message ?? state)
      this.#unclaim(task)
    }
    this.#unqueue(task)
    this.#limits.disarm(task)
    task.pause = 'none'
    task.output = output
    task.error = error
    const at = this.#ground.wall
    if (task.durable) {
      const { id, epoch, attempt, startedAt, executor, executions } = task
      this.#ground.persist({
        kind: 'ended',
        task: id,
        state,
        epoch,
        attempt,
        at,
        startedAt,
        executor,
        executions,
        output,
        error,
      })
    }
    book.end(task, state, at)
    this.#chronicle.announce(task, state, error)
    hooks.ended(task)
    this.#chronicle.changed(task)
  }
}
