import { err, type NodeId, ok, type Result } from '../kernel/index.ts'
import type { PayloadBody } from './messages.ts'
import type { Transfers } from './transfers.ts'

/** The output, or why it does not come, and the questions that wait for it by then. */
type Arrived = (queries: ReadonlySet<number>, output: Result<Uint8Array, string>) => void

/**
 * Outputs of tasks that are coordinated elsewhere, on their way here, and the questions that wait for each (CL-23). One is not
 * dropped when nobody waits any more: whoever asks again, as a client that waits does, goes on where it has got to.
 */
export class Arrivals {
  readonly #transfers: Transfers
  readonly #waiting = new Map<string, Set<number>>()

  constructor(transfers: Transfers) {
    this.#transfers = transfers
  }

  /** @param arrived is told of this question and of all that join it, unless this one joins another */
  await(query: number, task: string, from: NodeId, output: PayloadBody, arrived: Arrived): void {
    const known = this.#waiting.get(task)
    if (known !== undefined) {
      known.add(query)
      return
    }
    const queries = new Set([query])
    this.#waiting.set(task, queries)
    const settle = (outcome: Result<Uint8Array, string>): void => {
      this.#waiting.delete(task)
      arrived(queries, outcome)
    }
    const reception = this.#transfers.receive(from, output, {
      done: (bytes) => settle(ok(bytes)),
      lost: () => settle(err('the output was lost on its way; ask again')),
      malformed: () => settle(err('its coordinator answers with an output that is not JSON')),
    })
    if (reception === 'full') settle(err('no room for the output; try again later'))
    if (reception === 'known') settle(err('its coordinator answers with what was to be something else'))
  }

  /** Nobody waits for the answer to this question any more. */
  forget(query: number, task: string): void {
    this.#waiting.get(task)?.delete(query)
  }
}
