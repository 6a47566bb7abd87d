import { err, type NodeId, ok, type Result } from '../kernel/index.ts'
import type { Ground } from './ground.ts'
import type { Asker, SteerAsk } from './messages.ts'
import type { Run, Runs } from './runs.ts'
import type { Task } from './task.ts'
import type { ClaimsAnswer, Refusal } from './types.ts'

export interface SteeringParts {
  readonly runs: Runs
  readonly answer: (asker: Asker, outcome: Result<ClaimsAnswer, Refusal>) => void
  /** Asks the executor, on behalf of whoever asked here. */
  readonly pass: (asker: Asker, node: NodeId, ask: SteerAsk) => void
}

/** Extra input on its way to the agent that runs the task: from anybody to its coordinator, from there to its executor. CL-13. */
export class Steering {
  readonly #ground: Ground
  readonly #parts: SteeringParts
  /** Handed to the host, which says at once whether the agent's connection takes it. */
  readonly #handed = new Map<number, Asker>()
  #count = 0

  constructor(ground: Ground, parts: SteeringParts) {
    this.#ground = ground
    this.#parts = parts
  }

  /** A task that is coordinated here. */
  steer(asker: Asker, task: Task, input: Uint8Array): void {
    const { claim } = task
    if (claim === undefined) {
      const message = `${task.id} is ${task.shownState} and takes no extra input; it must be running`
      this.#parts.answer(asker, err({ code: 'NOT_FOUND', message }))
    } else if (claim.node === this.#ground.node) {
      this.#hand(asker, task.id, this.#parts.runs.find(task.id, claim.token, claim.node), input)
    } else {
      this.#parts.pass(asker, claim.node, { kind: 'steer', task: task.id, token: claim.token, input })
    }
  }

  /** One that its coordinator says runs here. */
  steerRun(asker: Asker, coordinator: NodeId, { task, token, input }: SteerAsk): void {
    const run = token === undefined ? undefined : this.#parts.runs.find(task, token, coordinator)
    this.#hand(asker, task, run, input)
  }

  onSteered(steering: number, isTaken: boolean): void {
    const asker = this.#handed.get(steering)
    if (asker === undefined) return
    this.#handed.delete(steering)
    const { retryAfterMs } = this.#ground.params
    const message = 'its agent does not take what it is sent; try again a little later'
    const refusal = { code: 'OVERLOADED' as const, message, data: { retryAfterMs } }
    this.#parts.answer(asker, isTaken ? ok({ kind: 'steered' }) : err(refusal))
  }

  #hand(asker: Asker, task: string, run: Run | undefined, input: Uint8Array): void {
    if (run === undefined) {
      const message = `${task} does not run now: it begins or has just ended; task.get tells`
      this.#parts.answer(asker, err({ code: 'NOT_FOUND', message }))
      return
    }
    this.#count += 1
    this.#handed.set(this.#count, asker)
    const { token, agent } = run
    this.#ground.emit({
      kind: 'steer',
      steering: this.#count,
      agent: agent.id,
      task: run.task,
      attempt: token.attempt,
      input,
    })
  }
}
