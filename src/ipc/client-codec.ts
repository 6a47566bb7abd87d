import {
  encodeNotification,
  encodeRequest,
  type Failure,
  isRecord,
  type Outcome,
  outcomeOf,
  type RequestId,
  readFrame,
} from './frames.ts'
import { JsonText } from './json-text.ts'
import { LineDecoder } from './lines.ts'
import { encodeRunOutcome, type RunOutcome } from './orders.ts'
import { SESSION_LIMITS } from './params.ts'

/** What the daemon sent. After `broken` the connection is of no further use. */
export type ClientEvent =
  | { readonly kind: 'answer'; readonly id: number; readonly outcome: Outcome }
  /** The daemon asks: an agent is to run a task (`task.run`). To be answered once, with `respond`. */
  | { readonly kind: 'request'; readonly id: RequestId; readonly method: string; readonly params: Fields }
  /** An error that answers no request in particular; the daemon closes after it. */
  | { readonly kind: 'refused'; readonly error: Failure }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Fields }
  | { readonly kind: 'broken'; readonly message: string }

type Fields = Readonly<Record<string, unknown>>

const utf8 = new TextEncoder()

/** The client's side of one connection: numbers requests, cuts and reads what comes back. */
export class ClientCodec {
  readonly #decoder = new LineDecoder(SESSION_LIMITS.lineBytesMax)
  readonly #isExact: boolean
  #requestCount = 0

  /** `isExact`: payloads (I-12) are {@link JsonText}, as they were written. */
  constructor({ isExact = false } = {}) {
    this.#isExact = isExact
  }

  /** The line to send, with the number its answer will carry. */
  request(method: string, params: unknown): { readonly id: number; readonly bytes: Uint8Array } {
    this.#requestCount += 1
    const id = this.#requestCount
    return { id, bytes: utf8.encode(`${encodeRequest(id, method, params)}\n`) }
  }

  notify(method: string, params: unknown): Uint8Array {
    return utf8.encode(`${encodeNotification(method, params)}\n`)
  }

  /** The line that answers a `task.run`. */
  respond(id: RequestId, outcome: RunOutcome): Uint8Array {
    return utf8.encode(`${encodeRunOutcome(id, outcome)}\n`)
  }

  receive(bytes: Uint8Array): readonly ClientEvent[] {
    const { lines, fault } = this.#decoder.push(bytes)
    const events = lines.flatMap((line) => readLine(line, this.#isExact))
    if (fault !== undefined) events.push({ kind: 'broken', message: `the daemon sent a line that is ${fault}` })
    return events
  }
}

function readLine(line: string, isExact: boolean): ClientEvent[] {
  const frame = readFrame(line)
  switch (frame.kind) {
    case 'fault':
      return [{ kind: 'broken', message: `the daemon sent something that is no message: ${frame.error.message}` }]
    case 'notification': {
      const { method, params } = frame
      if (!isFields(params)) return []
      return [{ kind: 'notification', method, params: isExact ? withPayloads(params, line) : params }]
    }
    case 'answer': {
      const outcome = outcomeOf(frame.answer)
      if (typeof frame.id !== 'number') return outcome.ok ? [] : [{ kind: 'refused', error: outcome.error }]
      if (!isExact || !outcome.ok) return [{ kind: 'answer', id: frame.id, outcome }]
      const result = withPayload(outcome.result, line, 'result', 'output')
      return [{ kind: 'answer', id: frame.id, outcome: { ok: true, result } }]
    }
    case 'request': {
      const { id, method, params } = frame
      if (!isFields(params)) return []
      return [{ kind: 'request', id, method, params: isExact ? withPayload(params, line, 'params', 'input') : params }]
    }
  }
}

/** Extra input (`task.steer`) and partial results (`event`). */
function withPayloads(params: Fields, line: string): Fields {
  return withPayload(withPayload(params, line, 'params', 'input'), line, 'params', 'partial')
}

/** With the payload as it stands in the line, if there is one. */
function withPayload<T>(message: T, line: string, where: string, name: string): T {
  if (!isRecord(message) || !Object.hasOwn(message, name)) return message
  return { ...message, [name]: JsonText.cut(line, where, name) }
}

function isFields(params: unknown): params is Fields {
  return typeof params === 'object' && params !== null
}
