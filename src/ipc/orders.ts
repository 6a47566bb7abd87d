import { type Answer, isRecord, type RequestId } from './frames.ts'
import { JsonText, stringify } from './json-text.ts'

/** One attempt at one task, handed to one agent of a connection. */
export interface Order {
  readonly agent: string
  readonly task: string
  readonly attempt: number
}

/** How an agent says that it went. */
export type AgentOutcome =
  | { readonly kind: 'completed'; readonly output: JsonText }
  | { readonly kind: 'failed'; readonly error: AgentError }

export interface AgentError {
  /** A word of the agent's own. */
  readonly code: string
  readonly message: string
  /** Whether it may go better next time, or with another agent. */
  readonly retryable: boolean
}

/** The same as an agent's program has it. */
export type RunOutcome =
  | { readonly kind: 'completed'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly error: AgentError }

/** JSON-RPC's number for a failure that is the agent's own; its word is in `data.code`. */
const AGENT_FAILURE = -32000

/** What the agents of one connection were asked to run and have not answered. */
export class Orders {
  readonly #byRequest = new Map<string, { readonly order: Order; readonly key: string }>()
  readonly #requestOf = new Map<string, string>()
  #issued = 0

  get size(): number {
    return this.#byRequest.size
  }

  /** The number of the request that hands it over. */
  issue(order: Order): string {
    this.#issued += 1
    const id = `r${this.#issued}`
    const key = keyOf(order.task, order.attempt)
    this.#byRequest.set(id, { order, key })
    this.#requestOf.set(key, id)
    return id
  }

  /** What that request was about. A request is answered once: after that it is about nothing (I-13). */
  settle(id: unknown): Order | undefined {
    if (typeof id !== 'string') return undefined
    const issued = this.#byRequest.get(id)
    if (issued === undefined) return undefined
    this.#byRequest.delete(id)
    const { order, key } = issued
    if (this.#requestOf.get(key) === id) this.#requestOf.delete(key)
    return order
  }

  find(task: string, attempt: number): Order | undefined {
    const id = this.#requestOf.get(keyOf(task, attempt))
    return id === undefined ? undefined : this.#byRequest.get(id)?.order
  }
}

function keyOf(task: string, attempt: number): string {
  return `${task}/${attempt}`
}

/** I-14: whatever an agent answers is an outcome. The output is cut out of the line in which it stands (I-12). */
export function agentOutcomeOf(answer: Answer, line: string): AgentOutcome {
  if (!answer.ok) return { kind: 'failed', error: agentErrorOf(answer.error) }
  const { result } = answer
  if (isRecord(result)) return { kind: 'completed', output: JsonText.cut(line, 'result', 'output') }
  const message = 'the agent answered with a result that is no object; an outcome is {"output": …} or an error'
  return { kind: 'failed', error: { code: 'BAD_ANSWER', message, retryable: true } }
}

/** Not to be tried again unless the agent says so: what it did before it failed nobody knows. */
function agentErrorOf({ code, message, data }: Readonly<Record<string, unknown>>): AgentError {
  const { code: word, retryable } = isRecord(data) ? data : {}
  return {
    code: typeof word === 'string' ? word : typeof code === 'string' ? code : 'FAILED',
    message: typeof message === 'string' ? message : 'the agent gave no reason',
    retryable: retryable === true,
  }
}

/** The answer to a `task.run`. */
export function encodeRunOutcome(id: RequestId, outcome: RunOutcome): string {
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)}`
  if (outcome.kind === 'completed') return `${head},"result":${stringify({ output: outcome.output ?? null })}}`
  const { code, message, retryable } = outcome.error
  return `${head},"error":${JSON.stringify({ code: AGENT_FAILURE, message, data: { code, retryable } })}}`
}
