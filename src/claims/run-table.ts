import type { Run } from './runs.ts'

/**
 * Runs by task and number of the attempt. A task has one here nearly always, more only while one that was told to stop
 * has not let go: so they are found by the task's own text, and nobody makes a text of both for every word about a run.
 */
export class RunTable<R extends Pick<Run, 'task' | 'token'> = Run> {
  readonly #byTask = new Map<string, readonly R[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  *values(): Generator<R> {
    for (const runs of this.#byTask.values()) yield* runs
  }

  get(task: string, attempt: number): R | undefined {
    return this.#byTask.get(task)?.find((run) => run.token.attempt === attempt)
  }

  /** In the place of one of the same number. */
  set(run: R): void {
    const { task, token } = run
    const known = this.#byTask.get(task)
    const others = known?.filter((other) => other.token.attempt !== token.attempt) ?? []
    this.#byTask.set(task, others.concat(run))
    this.#size += others.length + 1 - (known?.length ?? 0)
  }

  /** Nothing if another has taken its place. */
  delete(run: R): void {
    const known = this.#byTask.get(run.task)
    if (known?.includes(run) !== true) return
    if (known.length === 1) this.#byTask.delete(run.task)
    else
      this.#byTask.set(
        run.task,
        known.filter((other) => other !== run),
      )
    this.#size -= 1
  }
}
