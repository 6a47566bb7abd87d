import type { NodeId, WallMillis } from '../kernel/index.ts'
import type { Tracks } from './estimates.ts'
import type { Ground } from './ground.ts'
import type { Token } from './ids.ts'
import type { HistoryRow } from './messages.ts'
import type { RunOutcome } from './runs.ts'
import type { EndState, Task } from './task.ts'
import type { TaskError } from './types.ts'

/** Stray results that are told apart, per task. */
const STRAYS_MAX = 8

export function startOf(at: WallMillis, who: Pick<HistoryRow, 'node' | 'agent' | 'attempt'>): HistoryRow {
  const { node, agent, attempt } = who
  return { at, kind: 'started', node, agent, attempt, text: '' }
}

/** What is told and remembered of tasks as they go: executions, outcomes of peers, history, news. T-12, T-13. */
export class Chronicle {
  readonly #ground: Ground
  readonly #tracks: Tracks

  constructor(ground: Ground, tracks: Tracks) {
    this.#ground = ground
    this.#tracks = tracks
  }

  announce(task: Task, state: EndState, error: TaskError | undefined): void {
    if (error === undefined || state === 'cancelled') return
    const { code, message } = error
    if (state === 'failed') this.#ground.observe({ kind: 'task-failed', task: task.id, code, message })
    else
      this.#ground.observe({
        kind: 'task-dead-lettered',
        task: task.id,
        attempts: task.attempt,
        message: `${code}: ${message}`,
      })
  }

  /** T-13. */
  count(task: Task, cause: string): void {
    task.executions += 1
    if (task.executions > 1 && task.executions > task.failures + 1) {
      this.#ground.observe({ kind: 'execution-doubled', task: task.id, executions: task.executions, cause })
    }
  }

  /** T-13: it was taken for begun, and was not. */
  unbegun(task: Task): void {
    task.executions -= 1
    if (task.startedAt === task.begunAt) task.startedAt = undefined
    task.begunAt = undefined
  }

  /** A result that changes nothing; an execution of an earlier life that was not known is counted (T-13). */
  stray(task: Task, token: Token, cause: string): void {
    if (token.epoch >= this.#ground.epoch || !task.isUncertain) return
    const key = `${token.epoch}/${token.attempt}`
    if (task.isCurrent(token) || task.strays?.includes(key) === true) return
    task.strays ??= []
    if (task.strays.length >= STRAYS_MAX) return
    task.strays.push(key)
    this.count(task, cause)
  }

  /** What the peer's bid was worth, and whether to turn to it again (T-12). */
  learn(task: Task, node: NodeId, runMs: number, outcome: RunOutcome): void {
    const tracks = this.#tracks
    const { skill } = task.group.demand
    if (outcome.kind === 'completed') {
      if (tracks.peerSucceeded(node, skill, runMs, task.claim?.bidMs ?? 0)) {
        this.#ground.observe({ kind: 'executor-trusted', executor: node, skill })
      }
    } else if (outcome.kind === 'failed') {
      const forMs = tracks.peerFailed(node, skill, this.#ground.now, task.failures > 0)
      const failures = tracks.find(node, skill)?.failures ?? 0
      if (forMs > 0) this.#ground.observe({ kind: 'executor-shunned', executor: node, skill, failures, forMs })
    } else tracks.find(node, skill)?.released()
  }

  /** The peer bid, was awarded it, and never had it. T-12, CL-19. */
  untaken(task: Task, node: NodeId): void {
    const { skill } = task.group.demand
    const forMs = this.#tracks.peerRefused(node, skill, this.#ground.now)
    const failures = this.#tracks.find(node, skill)?.failures ?? 0
    if (forMs > 0) this.#ground.observe({ kind: 'executor-shunned', executor: node, skill, failures, forMs })
  }

  /** The attempt came to nothing. */
  setback(task: Task, kind: 'failed' | 'lost' | 'refused', node: NodeId, agent: string, text: string): void {
    const { attempt, begunAt } = task
    if (begunAt !== undefined) task.note(startOf(begunAt, { node, agent, attempt }))
    task.begunAt = undefined
    task.note({ at: this.#ground.wall, kind, node, agent, attempt, text: text.slice(0, 300).toWellFormed() })
  }

  changed(task: Task): void {
    const { id, executor, submission } = task
    this.#ground.emit({
      kind: 'task-changed',
      task: id,
      tenant: submission.demand.tenant,
      state: task.shownState,
      executor,
    })
  }
}
