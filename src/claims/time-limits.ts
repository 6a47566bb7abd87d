import type { Ground } from './ground.ts'
import type { Task } from './task.ts'

/** No such limit, or none that matters now. */
const NONE = Number.POSITIVE_INFINITY

/**
 * Until when a task may be done, and how long it may wait. The deadline counts from the submission; the queue time-out counts
 * each stay without an executor, of which the first begins with the submission. What an attempt may take is its executor's to
 * see to.
 */
export class TimeLimits {
  readonly #ground: Ground
  readonly #over: (task: Task, message: string) => void

  /** @param over the task is to end, for that reason */
  constructor(ground: Ground, over: (task: Task, message: string) => void) {
    this.#ground = ground
    this.#over = over
  }

  /** Until the deadline; 0 when there is none. */
  deadlineLeftMs({ submission }: Task): number {
    if (submission.deadlineMs === 0) return 0
    return Math.max(1, submission.submittedAt + submission.deadlineMs - this.#ground.wall)
  }

  arm(task: Task): void {
    const { submission } = task
    const { now, wall } = this.#ground
    // A restart does not know whether somebody had it before, nor until when.
    if (task.isUncertain) task.waitsSince ??= now
    const ageMs = Math.max(0, wall - submission.submittedAt)
    const waitedMs = task.waitsSince === undefined ? ageMs : now - task.waitsSince
    this.#set(task, leftOf(submission.deadlineMs, ageMs), leftOf(submission.queueTimeoutMs, waitedMs))
  }

  disarm(task: Task): void {
    this.#ground.alarms.cancel(task.timeout)
    task.timeout = undefined
  }

  /** Its queue time-out, void while somebody had it, counts. */
  waitsAgain(task: Task): void {
    if (task.submission.queueTimeoutMs === 0) return
    this.disarm(task)
    this.arm(task)
  }

  #set(task: Task, deadlineMs: number, queueMs: number): void {
    const soonest = Math.min(deadlineMs, queueMs)
    if (soonest === NONE) return
    task.timeout = this.#ground.in(soonest, () => {
      task.timeout = undefined
      if (deadlineMs <= queueMs) this.#over(task, `not done ${task.submission.deadlineMs} ms after its submission`)
      else this.#queueOver(task)
    })
  }

  #queueOver(task: Task): void {
    const { submission, claim, pause } = task
    if (claim === undefined && pause !== 'recovery') {
      this.#over(task, `nobody took it within ${submission.queueTimeoutMs} ms`)
      return
    }
    // It runs, or may still run somewhere, so its queue time-out is void for now; the deadline is not.
    const againMs = claim === undefined ? this.#ground.params.leaseMs : NONE
    this.#set(task, submission.deadlineMs === 0 ? NONE : this.deadlineLeftMs(task), againMs)
  }
}

/** What is left of a limit, of which 0 means that there is none. */
function leftOf(limitMs: number, passedMs: number): number {
  return limitMs === 0 ? NONE : Math.max(0, limitMs - passedMs)
}
