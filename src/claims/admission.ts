import { err, ok, type Result } from '../kernel/index.ts'
import type { Book } from './book.ts'
import type { Demand, Groups } from './demand.ts'
import type { Ground } from './ground.ts'
import { originOf, type TaskId } from './ids.ts'
import type { Queue } from './queue.ts'
import type { SubmittedRecord } from './records.ts'
import type { Roster } from './roster.ts'
import { bodyHashOf, judgeSubmission } from './submission.ts'
import { Task } from './task.ts'
import type { Refusal, Submission } from './types.ts'

export interface AdmissionParts {
  readonly book: Book
  readonly groups: Groups
  readonly queue: Queue
  readonly roster: Roster
}

/** A task that was let in, or the one that the key stands for. */
export type Admitted = { readonly kind: 'new'; readonly task: Task } | { readonly kind: 'known'; readonly id: TaskId }

/** Who gets in: judged, keyed, within bounds, and given a name. T-4, CL-4. */
export class Admission {
  readonly #ground: Ground
  readonly #parts: AdmissionParts
  readonly #run: string
  #sequence = 0

  constructor(ground: Ground, parts: AdmissionParts) {
    this.#ground = ground
    this.#parts = parts
    // Unique over all starts: the epoch grows, and a copied data directory draws other letters.
    this.#run = `${ground.epoch.toString(36)}${(ground.random.uint32() % 46_656).toString(36).padStart(3, '0')}`
  }

  /** @param isTold whether anybody is told that it is accepted, before it ends */
  admit(submission: Submission, isTold: boolean): Result<Admitted, Refusal> {
    const { book, roster, groups } = this.#parts
    const { params, peers } = this.#ground
    const judged = judgeSubmission(submission, params, peers)
    if (!judged.ok) return judged
    const hash = submission.key === undefined ? 0 : bodyHashOf(submission)
    if (submission.key !== undefined) {
      const known = book.keyed(submission.tenant, submission.key, hash)
      if (!known.ok) return known
      if (known.value !== undefined) return ok({ kind: 'known', id: known.value })
    }
    const refusal = roster.isDraining
      ? { code: 'SHUTTING_DOWN' as const, message: 'this node drains; submit at another one' }
      : book.refusal(submission.priority, submission.input.length, submission.key !== undefined)
    if (refusal !== undefined) return this.#refuse(submission, refusal)
    const group = groups.of(judged.value)
    if (!group.ok) return this.#refuse(submission, this.#tooMany('distinct demands'))
    const lane = group.value.lane(submission.priority, false, this.#parts.queue, params)
    if (lane === undefined) return this.#refuse(submission, this.#tooMany('tenants'))
    const task = new Task(this.#recordOf(submission, group.value.demand, hash), group.value, submission.durable)
    book.add(task)
    if (task.durable) this.#ground.persist({ kind: 'submitted', ...task.submission }, isTold)
    return ok({ kind: 'new', task })
  }

  #refuse(submission: Submission, refusal: Refusal): Result<Admitted, Refusal> {
    const { code } = refusal
    this.#ground.observe({ kind: 'submission-refused', code, priority: submission.priority, tenant: submission.tenant })
    return err(refusal)
  }

  #tooMany(what: string): Refusal {
    const data = { retryAfterMs: this.#ground.params.retryAfterMs }
    return {
      code: 'OVERLOADED',
      message: `too many ${what} wait at this node; try again later or at another one`,
      data,
    }
  }

  #recordOf(submission: Submission, demand: Demand, bodyHash: number): SubmittedRecord {
    this.#sequence += 1
    // Joined, and not a template: that would keep its parts as well as what becomes of them.
    const id = [originOf(this.#ground.node), this.#run, this.#sequence.toString(36)].join('-') as TaskId
    return {
      task: id,
      demand: demand.body,
      key: submission.key,
      bodyHash,
      priority: submission.priority,
      submittedAt: this.#ground.wall,
      deadlineMs: Math.ceil(submission.deadlineMs ?? 0),
      queueTimeoutMs: Math.ceil(submission.queueTimeoutMs ?? 0),
      runTimeoutMs: Math.ceil(submission.runTimeoutMs ?? 0),
      retries: submission.retries ?? this.#ground.params.retriesDefaultCount,
      guarantee: submission.guarantee,
      trace: submission.trace ?? '',
      input: submission.input,
    }
  }
}
