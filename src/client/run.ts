import type { AgentError, RunParams } from '../ipc/index.ts'
import { SwarmError } from '../kernel/index.ts'
import { STEERS_HELD_MAX } from './params.ts'
import { fromPayload } from './payload.ts'

/** How far a task is. Only the latest need arrive. */
export interface Progress {
  /** 0 to 1. */
  readonly fraction?: number
  readonly message?: string
  /** What there is of the output so far: any JSON value. */
  readonly partial?: unknown
}

export interface RunContext {
  /** Aborted when the task is cancelled, late, or lost with the connection: the answer no longer matters. */
  readonly signal: AbortSignal
  progress(progress: Progress): void
  /** Extra input for the running task (`task.steer`), in order. Of what came before this was called, the first 64. */
  onSteer(listener: (input: unknown) => void): void
}

/**
 * Works at one task. What it returns is the output: any JSON value, or bytes. What it throws fails the task, for good
 * unless it is a {@link TaskError} that says otherwise.
 */
export type TaskHandler = (task: RunParams, context: RunContext) => unknown

/** Thrown by a handler: the task fails with this code and message. */
export class TaskError extends Error {
  /** A word of the agent's own. */
  readonly code: string
  /** Whether it may go better next time, or with another agent. */
  readonly retryable: boolean

  constructor(message: string, options: { readonly code?: string; readonly retryable?: boolean } = {}) {
    super(message)
    this.name = 'TaskError'
    this.code = options.code ?? 'FAILED'
    this.retryable = options.retryable ?? false
  }
}

/** Where a run says what becomes of it. */
export interface RunLine {
  hint(progress: Progress & { readonly task: string; readonly attempt: number }): void
  /** Called exactly once. */
  outcome(output: unknown, error: AgentError | undefined): void
}

/** Names an attempt among those of a connection. */
export function runKey(task: unknown, attempt: unknown): string {
  return `${task}/${attempt}`
}

/** One attempt at one task, from its arrival to its answer. */
export class Run {
  readonly key: string
  readonly #task: RunParams
  readonly #line: RunLine
  readonly #controller = new AbortController()
  #isOver = false
  #onSteer: ((input: unknown) => void) | undefined
  readonly #steers: unknown[] = []

  constructor(task: RunParams, line: RunLine) {
    this.key = runKey(task.task, task.attempt)
    this.#task = { ...task, input: fromPayload(task.input) }
    this.#line = line
  }

  steer(input: unknown): void {
    const payload = fromPayload(input)
    if (this.#onSteer !== undefined) this.#onSteer(payload)
    else if (this.#steers.length < STEERS_HELD_MAX) this.#steers.push(payload)
  }

  abort(reason: SwarmError): void {
    this.#controller.abort(reason)
  }

  /** Settles when the handler has; never rejects. */
  async start(handler: TaskHandler): Promise<void> {
    const { signal } = this.#controller
    try {
      // Cancelled before its turn came.
      signal.throwIfAborted()
      const output = await handler(this.#task, {
        signal,
        progress: (progress) => this.#progress(progress),
        onSteer: (listener) => {
          this.#onSteer = listener
          for (const input of this.#steers.splice(0)) listener(input)
        },
      })
      this.#end(output, undefined)
    } catch (cause) {
      this.#end(undefined, agentErrorOf(cause))
    }
  }

  #progress(progress: Progress): void {
    // After the answer it would be about nothing.
    if (this.#isOver || this.#controller.signal.aborted) return
    const { task, attempt } = this.#task
    this.#line.hint({ task, attempt, ...progress })
  }

  #end(output: unknown, error: AgentError | undefined): void {
    this.#isOver = true
    this.#line.outcome(output, error)
  }
}

function agentErrorOf(cause: unknown): AgentError {
  const message = cause instanceof Error ? cause.message : String(cause)
  if (cause instanceof TaskError) return { code: cause.code, message, retryable: cause.retryable }
  return { code: cause instanceof SwarmError ? cause.code : 'FAILED', message, retryable: false }
}
