import type { NodeId } from '../kernel/index.ts'
import type { Chronicle } from './chronicle.ts'
import { type Groups, normalised } from './demand.ts'
import type { Ground } from './ground.ts'
import { originOf, taskOrigin } from './ids.ts'
import type { EndState, Task } from './task.ts'
import type { TimeLimits } from './time-limits.ts'
import type { TaskError } from './types.ts'

/** Executors that failed a task and are not asked again; the oldest is forgiven first. */
const EXCLUDED_MAX = 4

export interface SetbacksParts {
  readonly groups: Groups
  readonly chronicle: Chronicle
  readonly limits: TimeLimits
  readonly end: (task: Task, state: EndState, error: TaskError) => void
  readonly place: (task: Task) => void
}

/** So many executors may be lost by bad luck. */
const LOSSES_FORGIVEN = 3

/**
 * Who failed it is not asked for it again; the whole node, if it has not said which of its agents it was, or if one of
 * them, be it the same, has failed it before: names are a peer's word. Of this node's own agents each stands for itself.
 */
export function exclude(task: Task, node: string, agent: string): void {
  const isOwn = taskOrigin(task.id) === originOf(node)
  const named = `${node}/${agent}`
  const isAgain = !isOwn && task.excluded.some((each) => `${each}/`.startsWith(`${node}/`))
  const executor = agent === '' || isAgain ? node : named
  task.excluded = [...task.excluded.filter((each) => each !== executor), executor].slice(-EXCLUDED_MAX)
}

/** Who loses it again and again is not asked either. Says whether that is so by now. */
export function excludeLost(task: Task, node: string, agent: string): boolean {
  const isHabit = task.losses > LOSSES_FORGIVEN
  if (isHabit) exclude(task, node, agent)
  return isHabit
}

/** What becomes of a task whose attempt came to nothing: written down, and tried again elsewhere or given up. */
export class Setbacks {
  readonly #ground: Ground
  readonly #parts: SetbacksParts

  constructor(ground: Ground, parts: SetbacksParts) {
    this.#ground = ground
    this.#parts = parts
  }

  /** The attempt ended, and not well. */
  failed(task: Task, node: NodeId, agent: string, error: TaskError): void {
    task.failures += 1
    this.#parts.chronicle.setback(task, 'failed', node, agent, `${error.code}: ${error.message}`)
    if (!error.retryable) {
      this.#parts.end(task, 'failed', error)
      return
    }
    if (task.failures > task.submission.retries) {
      this.#parts.end(task, 'dead-lettered', error)
      return
    }
    exclude(task, node, agent)
    this.regroup(task)
    this.#retry(task, 'failed', node, agent, error)
  }

  /** The attempt will not end: its executor is gone, or cannot go on. */
  lost(task: Task, node: NodeId, agent: string, error: TaskError): void {
    task.losses += 1
    this.#parts.chronicle.setback(task, 'lost', node, agent, error.message)
    if (task.losses > this.#ground.params.lossesMax) {
      const message = `lost ${task.losses} executors, the last: ${error.message}`
      this.#parts.end(task, 'dead-lettered', { ...error, message })
      return
    }
    if (excludeLost(task, node, agent)) this.regroup(task)
    this.#retry(task, 'lost', node, agent, error)
  }

  #retry(task: Task, kind: 'failed' | 'lost', node: NodeId, agent: string, error: TaskError): void {
    const { params, random, wall } = this.#ground
    if (task.durable) {
      const { executions, epoch, attempt } = task
      this.#ground.persist({
        kind: 'attempted',
        task: task.id,
        epoch,
        attempt,
        at: wall,
        node,
        agent,
        error,
        executions,
        outcome: kind,
      })
    }
    this.#ground.observe({ kind: 'task-retried', task: task.id, attempt: task.attempt, cause: error.code, node })
    // It has been somebody's: how long it waits counts anew.
    task.waitsSince = this.#ground.now
    this.#parts.limits.waitsAgain(task)
    const times = kind === 'failed' ? task.failures - 1 : Math.max(0, task.losses - LOSSES_FORGIVEN)
    const delayMs = Math.min(params.retryMaxMs, params.retryMinMs * 2 ** Math.min(20, times))
    this.later(task, kind === 'lost' && task.losses <= LOSSES_FORGIVEN ? 0 : delayMs * random.between(0.75, 1.25))
  }

  /** It waits again after that time. */
  later(task: Task, delayMs: number): void {
    if (delayMs === 0) {
      this.#parts.place(task)
      return
    }
    task.pause = 'retry'
    this.#parts.chronicle.changed(task)
    task.retryAlarm = this.#ground.in(delayMs, () => {
      task.retryAlarm = undefined
      this.#parts.place(task)
    })
  }

  /** Under what it is to wait, now that others are excluded. */
  regroup(task: Task): void {
    const body = normalised({ ...task.group.demand.body, excluded: task.excluded })
    const group = this.#parts.groups.of(body, true)
    // It parsed when the task came.
    if (group.ok) task.group = group.value
  }
}
