import { err, type NodeId, ok, type Result } from '../kernel/index.ts'
import type { Alarm } from './alarms.ts'
import { bodyOf, isAnswerTo, outcomeOf, relayed } from './answers.ts'
import { Arrivals } from './arrivals.ts'
import type { Book } from './book.ts'
import type { Coordinator } from './coordinator.ts'
import type { Ground } from './ground.ts'
import { originOf, type RequestId, type TaskId, taskOrigin } from './ids.ts'
import type { Links } from './links.ts'
import {
  type AnswerBody,
  type AskBody,
  type Asker,
  type BodyOf,
  type ReportBody,
  STEER_BYTES_MAX,
  type SteerAsk,
} from './messages.ts'
import type { Runs } from './runs.ts'
import { Steering } from './steering.ts'
import type { Task, Waiter } from './task.ts'
import type { Source, Transfers } from './transfers.ts'
import type { ClaimsAnswer, ClaimsRequest, Refusal, TaskAsk, TaskReport } from './types.ts'
import { WaitingRoom } from './waiting-room.ts'
import type { Why } from './why.ts'

/** A question that another node is to answer. */
interface Pending {
  readonly asker: Asker
  readonly node: NodeId
  readonly body: AskBody
  alarm: Alarm | undefined
  /** Asked again then: a full queue may have swallowed the question, or the answer. */
  again: Alarm | undefined
  /** It is answered but for the output, which is on its way. */
  isArriving: boolean
}

export interface AsksParts {
  readonly links: Links
  readonly transfers: Transfers
  readonly book: Book
  readonly coordinator: Coordinator
  readonly runs: Runs
  readonly why: Why
}

/** However many other nodes wait for, there is room for those who wait here. */
const PEERS_WAITING_SHARE = 0.5

/** A wait of another node is kept for so many `waitAgainMs` after it was last heard. */
const WAITS_KEPT = 3

type Outcome = Result<ClaimsAnswer, Refusal>

/** Questions about tasks, from here and from other nodes, answered wherever the task is coordinated (TSK-1). */
export class Asks {
  readonly #ground: Ground
  readonly #parts: AsksParts
  readonly #pending = new Map<number, Pending>()
  /** Those of them that were asked for here: under which number. */
  readonly #queries = new Map<RequestId, number>()
  readonly #arrivals: Arrivals
  /** Requests of this node that wait for an end here. */
  readonly #waiting = new Map<RequestId, Task>()
  readonly #steering: Steering
  #query: number
  #waiters = 0
  /** Of them, those of other nodes. */
  readonly #peersWaiting = new WaitingRoom()

  constructor(ground: Ground, parts: AsksParts) {
    this.#ground = ground
    this.#parts = parts
    this.#query = ground.random.uint32()
    this.#arrivals = new Arrivals(parts.transfers)
    this.#steering = new Steering(ground, {
      runs: parts.runs,
      answer: (asker, outcome) => this.#tell(asker, outcome),
      pass: (asker, node, ask) => this.#elsewhere(asker, ask, node),
    })
  }

  onRequest(request: RequestId, ask: ClaimsRequest): void {
    switch (ask.kind) {
      case 'submit': {
        const outcome = this.#parts.coordinator.submit(ask.submission)
        // A duplicate may be of a task that is not durable yet.
        if (outcome.ok) this.#ground.emitAfterAll({ kind: 'reply', request, outcome })
        else this.#ground.emit({ kind: 'reply', request, outcome })
        return
      }
      case 'call':
        this.#call(request, ask)
        return
      case 'list':
        this.#replyAfterAll(request, this.#list(ask))
        return
      default:
        this.#onTaskAsk(request, ask)
    }
  }

  abandon(request: RequestId): void {
    const task = this.#waiting.get(request)
    if (task !== undefined)
      this.#removeWaiter(task, (waiter) => waiter.kind === 'request' && waiter.request === request)
    const query = this.#queries.get(request)
    const pending = query === undefined ? undefined : this.#pending.get(query)
    if (query !== undefined && pending !== undefined) this.#drop(query, pending)
  }

  onSteered(steering: number, isTaken: boolean): void {
    this.#steering.onSteered(steering, isTaken)
  }

  /** Everyone who waits for the task is told, once its end is durable. */
  ended(task: Task): void {
    const { waiters } = task
    if (waiters === undefined) return
    task.waiters = undefined
    this.#waiters -= waiters.length
    for (const waiter of waiters) {
      this.#ground.alarms.cancel(waiter.alarm)
      if (waiter.kind === 'peer') this.#peersWaiting.delete(waiter)
      if (waiter.kind === 'request') {
        this.#waiting.delete(waiter.request)
        this.#replyAfterAll(waiter.request, ok({ kind: 'report', report: task.report(this.#ground.node) }))
      } else this.#answer(waiter.node, waiter.query, { kind: 'report', report: this.#reportBody(waiter.node, task) })
    }
  }

  onQuery(from: NodeId, { query, ask }: BodyOf<'claims.query'>): void {
    const task = this.#parts.book.get(ask.task)
    if (ask.kind === 'steer' && !this.#ground.isPayload(ask.input)) {
      this.#answer(from, query, { kind: 'error', code: 'BAD_REQUEST', message: 'the input is not JSON' })
      return
    }
    if (ask.kind === 'steer' && ask.token !== undefined) {
      this.#steering.steerRun({ kind: 'peer', node: from, query }, from, ask)
      return
    }
    if (task === undefined) {
      this.#answer(from, query, { kind: 'error', code: 'NOT_FOUND', message: notFound(ask.task) })
      return
    }
    switch (ask.kind) {
      case 'get':
        this.#answer(from, query, { kind: 'report', report: this.#reportBody(from, task) })
        return
      case 'wait':
        if (task.hasEnded) this.#answer(from, query, { kind: 'report', report: this.#reportBody(from, task) })
        else this.#addPeerWaiter(from, query, task, ask.timeoutMs)
        return
      case 'cancel':
        this.#answer(from, query, this.#cancelled(task, ask.reason))
        return
      case 'why':
        this.#answer(from, query, { kind: 'why', state: task.shownState, ...this.#parts.why.explain(task) })
        return
      case 'history':
        this.#answer(from, query, { kind: 'history', entries: this.#parts.why.history(task) })
        return
      case 'steer':
        this.#steering.steer({ kind: 'peer', node: from, query }, task, ask.input)
    }
  }

  onReply(from: NodeId, { query, answer }: BodyOf<'claims.reply'>): void {
    const pending = this.#pending.get(query)
    if (pending === undefined || pending.node !== from) return
    if (!isAnswerTo(answer, pending)) {
      this.#drop(query, pending)
      this.#tell(
        pending.asker,
        err({ code: 'NOT_FOUND', message: `${from} answers with something else than was asked` }),
      )
      return
    }
    if (answer.kind !== 'report' || answer.report.output === undefined) {
      this.#drop(query, pending)
      this.#tell(pending.asker, outcomeOf(answer, undefined))
      return
    }
    // Asked twice, it is answered twice.
    if (pending.isArriving) return
    pending.isArriving = true
    // It has answered, and what comes in parts has a watch of its own. Whoever waits has said how long.
    if (pending.body.kind === 'get') this.#ground.alarms.cancel(pending.alarm)
    this.#arrivals.await(query, pending.body.task, from, answer.report.output, (queries, output) => {
      const refusal = (message: string): Outcome => err({ code: 'OVERLOADED', message })
      const outcome = output.ok ? outcomeOf(answer, output.value) : refusal(output.error)
      for (const each of queries) {
        const asked = this.#pending.get(each)
        if (asked === undefined) continue
        this.#drop(each, asked)
        this.#tell(asked.asker, outcome)
      }
    })
  }

  /** The question did not leave. Whoever waits for an end is asked for again anyway. */
  queryRefused(peer: NodeId, query: number): void {
    const pending = this.#pending.get(query)
    if (pending === undefined || pending.node !== peer || pending.body.kind === 'wait') return
    this.#drop(query, pending)
    const message = `the queue to ${peer}, which has the task, is full; try again later`
    const data = { retryAfterMs: this.#ground.params.retryAfterMs }
    this.#tell(pending.asker, err({ code: 'OVERLOADED', message, data }))
  }

  /** The link is back, or something was lost: questions are asked again; they may be asked twice. */
  linkUp(peer: NodeId): void {
    for (const [query, pending] of this.#pending) {
      // Twice is not once for extra input: it may have arrived.
      if (pending.node === peer && pending.body.kind !== 'steer') this.#send(query, pending)
    }
  }

  /** CL-14: nobody is told of the task before its end, or before the time-out, which waits for the disk too. */
  #call(request: RequestId, { submission, timeoutMs }: Extract<ClaimsRequest, { kind: 'call' }>): void {
    if (this.#waiters >= this.#ground.params.requestsMax) {
      this.#reply(request, tooManyWait())
      return
    }
    const submitted = this.#parts.coordinator.submit(submission, false)
    if (!submitted.ok) {
      this.#reply(request, submitted)
      return
    }
    const { task: id } = submitted.value
    const task = this.#parts.book.get(id)
    if (task === undefined) this.#replyAfterAll(request, err({ code: 'NOT_FOUND', message: notFound(id) }))
    else this.#here(request, { kind: 'wait', task: id, timeoutMs }, task)
  }

  #onTaskAsk(request: RequestId, ask: TaskAsk): void {
    if (ask.kind === 'steer' && ask.input.length > STEER_BYTES_MAX) {
      const message = `extra input has at most ${STEER_BYTES_MAX} bytes; pass larger values by content address`
      this.#reply(request, err({ code: 'TOO_LARGE', message }))
      return
    }
    const task = this.#parts.book.get(ask.task)
    if (task !== undefined) {
      this.#here(request, ask, task)
      return
    }
    const origin = taskOrigin(ask.task)
    const isOwn = origin === originOf(this.#ground.node)
    const node = origin === undefined || isOwn ? undefined : this.#ground.peers.named(origin)
    if (node === undefined || node === this.#ground.node) {
      this.#reply(request, err({ code: 'NOT_FOUND', message: notFound(ask.task) }))
      return
    }
    this.#elsewhere({ kind: 'request', request }, ask, node)
  }

  #here(request: RequestId, ask: TaskAsk, task: Task): void {
    switch (ask.kind) {
      case 'get':
        this.#replyAfterAll(request, ok({ kind: 'report', report: task.report(this.#ground.node) }))
        return
      case 'wait':
        if (task.hasEnded) this.#replyAfterAll(request, ok({ kind: 'report', report: task.report(this.#ground.node) }))
        else this.#addWaiter(request, task, ask.timeoutMs)
        return
      case 'cancel':
        this.#replyAfterAll(request, outcomeOf(this.#cancelled(task, ask.reason), undefined))
        return
      case 'why':
        this.#replyAfterAll(request, ok({ kind: 'why', state: task.shownState, ...this.#parts.why.explain(task) }))
        return
      case 'history':
        this.#replyAfterAll(request, ok({ kind: 'history', entries: this.#parts.why.history(task) }))
        return
      case 'steer':
        this.#steering.steer({ kind: 'request', request }, task, ask.input)
    }
  }

  #elsewhere(asker: Asker, ask: TaskAsk | SteerAsk, node: NodeId): void {
    const { params } = this.#ground
    if (this.#pending.size >= params.requestsMax) {
      const message = 'too many questions to other nodes are open; try again later'
      this.#tell(asker, err({ code: 'OVERLOADED', message }))
      return
    }
    const waitMs = ask.kind === 'wait' ? ask.timeoutMs : params.requestTimeoutMs
    const pending: Pending = { asker, node, body: bodyOf(ask), alarm: undefined, again: undefined, isArriving: false }
    this.#query += 1
    const query = this.#query
    if (waitMs !== undefined) {
      pending.alarm = this.#ground.in(waitMs, () => {
        this.#drop(query, pending)
        this.#tell(asker, err({ code: 'TIMEOUT', message: lateMessage(ask, waitMs, pending) }))
      })
    }
    this.#pending.set(query, pending)
    if (asker.kind === 'request') this.#queries.set(asker.request, query)
    this.#send(query, pending)
  }

  #send(query: number, pending: Pending): void {
    const { node, body } = pending
    this.#parts.links.send(node, { kind: 'claims.query', body: { query, ask: body } })
    if (body.kind !== 'wait') return
    this.#ground.alarms.cancel(pending.again)
    pending.again = this.#ground.in(this.#ground.params.waitAgainMs, () => this.#send(query, pending))
  }

  #drop(query: number, pending: Pending): void {
    this.#ground.alarms.cancel(pending.alarm)
    this.#ground.alarms.cancel(pending.again)
    this.#pending.delete(query)
    if (pending.asker.kind === 'request') this.#queries.delete(pending.asker.request)
    this.#arrivals.forget(query, pending.body.task)
  }

  /** T-6: decided at once; acknowledged once it is durable. */
  #cancelled(task: Task, reason: string): AnswerBody {
    if (!task.hasEnded) this.#parts.coordinator.cancel(task, reason.slice(0, 300).toWellFormed())
    return { kind: 'cancelled', state: task.shownState }
  }

  #addWaiter(request: RequestId, task: Task, timeoutMs: number | undefined): void {
    const { params } = this.#ground
    if (this.#waiters >= params.requestsMax) {
      this.#reply(request, tooManyWait())
      return
    }
    const alarm =
      timeoutMs === undefined
        ? undefined
        : this.#ground.in(timeoutMs, () => {
            this.#removeWaiter(task, (waiter) => waiter.kind === 'request' && waiter.request === request)
            const message = `the task has not ended within ${timeoutMs} ms`
            this.#replyAfterAll(request, err({ code: 'TIMEOUT', message, data: { task: task.id } }))
          })
    this.#waiting.set(request, task)
    this.#push(task, { kind: 'request', request, alarm })
  }

  /** Kept as long as whoever asks waits; which asks again and again, so that one that has gone is soon forgotten. */
  #addPeerWaiter(node: NodeId, query: number, task: Task, timeoutMs: number): void {
    const remove = (): void =>
      this.#removeWaiter(task, (waiter) => waiter.kind === 'peer' && waiter.node === node && waiter.query === query)
    remove()
    if (!this.#hasRoomFor(node)) {
      this.#answer(node, query, TOO_MANY_OF_PEERS)
      return
    }
    const keptMs = WAITS_KEPT * this.#ground.params.waitAgainMs
    const alarm = this.#ground.in(timeoutMs === 0 ? keptMs : Math.min(timeoutMs, keptMs), remove)
    this.#push(task, { kind: 'peer', node, query, alarm })
  }

  /** In a full room one that has more waits makes place for one that has fewer, and is told so. */
  #hasRoomFor(node: NodeId): boolean {
    const { requestsMax } = this.#ground.params
    if (this.#waiters < requestsMax && this.#peersWaiting.size < requestsMax * PEERS_WAITING_SHARE) return true
    const surplus = this.#peersWaiting.surplus(node)
    if (surplus === undefined) return false
    const { task, waiter } = surplus
    this.#removeWaiter(task, (each) => each === waiter)
    this.#answer(waiter.node, waiter.query, TOO_MANY_OF_PEERS)
    return true
  }

  #push(task: Task, waiter: Waiter): void {
    task.waiters ??= []
    task.waiters.push(waiter)
    this.#waiters += 1
    if (waiter.kind === 'peer') this.#peersWaiting.add(waiter, task)
  }

  #removeWaiter(task: Task, isIt: (waiter: Waiter) => boolean): void {
    const at = task.waiters?.findIndex(isIt) ?? -1
    if (at < 0) return
    const [waiter] = task.waiters?.splice(at, 1) ?? []
    this.#waiters -= 1
    this.#ground.alarms.cancel(waiter?.alarm)
    if (waiter?.kind === 'request') this.#waiting.delete(waiter.request)
    else if (waiter?.kind === 'peer') this.#peersWaiting.delete(waiter)
  }

  #list(ask: Extract<ClaimsRequest, { kind: 'list' }>): Result<ClaimsAnswer, Refusal> {
    const tasks: TaskReport[] = []
    let isPast = ask.after === undefined
    for (const task of this.#parts.book.values()) {
      if (!isPast) {
        isPast = task.id === ask.after
        continue
      }
      if (ask.state !== undefined && task.shownState !== ask.state) continue
      if (ask.tenant !== undefined && task.submission.demand.tenant !== ask.tenant) continue
      // One more than asked for tells that there is more.
      if (tasks.length >= ask.limit) return ok({ kind: 'list', tasks, next: tasks.at(-1)?.task })
      tasks.push({ ...task.report(this.#ground.node), output: undefined })
    }
    if (isPast) return ok({ kind: 'list', tasks })
    // An empty page would pass for the end.
    return err({ code: 'NOT_FOUND', message: `task ${ask.after} is not kept any more: list from the beginning` })
  }

  #reportBody(to: NodeId, task: Task): ReportBody {
    const report = task.report(this.#ground.node)
    const output =
      report.output === undefined
        ? undefined
        : this.#parts.transfers.payload(to, report.output, this.#outputOf(task.id))
    return {
      ...report,
      startedAt: report.startedAt,
      endedAt: report.endedAt,
      executor: report.executor,
      error: report.error,
      output,
    }
  }

  /** For as long as it is kept here. */
  #outputOf(id: TaskId): Source {
    return () => this.#parts.book.get(id)?.output
  }

  #answer(to: NodeId, query: number, answer: AnswerBody): void {
    this.#ground.emitAfterAll({ kind: 'send', to, message: { kind: 'claims.reply', body: { query, answer } } })
  }

  #tell(asker: Asker, outcome: Outcome): void {
    if (asker.kind === 'request') this.#reply(asker.request, outcome)
    else this.#answer(asker.node, asker.query, relayed(outcome))
  }

  #reply(request: RequestId, outcome: Outcome): void {
    this.#ground.emit({ kind: 'reply', request, outcome })
  }

  #replyAfterAll(request: RequestId, outcome: Outcome): void {
    this.#ground.emitAfterAll({ kind: 'reply', request, outcome })
  }
}

const TOO_MANY_OF_PEERS: AnswerBody = {
  kind: 'error',
  code: 'OVERLOADED',
  message: 'too many wait for tasks at that node',
}

function tooManyWait(): Outcome {
  return err({ code: 'OVERLOADED', message: 'too many wait for tasks at this node; try again later' })
}

function notFound(task: string): string {
  return `there is no task ${task.slice(0, 80)}, or it ended too long ago to be kept`
}

function lateMessage(ask: TaskAsk | SteerAsk, waitMs: number, { node, isArriving }: Pending): string {
  if (isArriving) return `the task has ended, but its output has not come from ${node} within ${waitMs} ms; ask again`
  if (ask.kind === 'wait') return `the task has not ended within ${waitMs} ms`
  if (ask.kind === 'steer') return `${node} has not said whether the agent took the input; it may have`
  return `${node}, its coordinator, does not answer`
}
