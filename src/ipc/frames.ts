import { ERROR_CODES, type ErrorCode } from '../kernel/index.ts'
import { stringify } from './json-text.ts'
import { REQUEST_ID_CHARS_MAX } from './params.ts'

/** JSON-RPC's name for a request; chosen by whoever asks. */
export type RequestId = string | number

/** A failure as it crosses the socket: `code` is the stable word (`error.data.code`). */
export interface Failure {
  readonly code: ErrorCode
  /** What happened and what to do next. */
  readonly message: string
  readonly data?: Readonly<Record<string, unknown>>
}

export type Outcome = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: Failure }

/** An answer as it came: whoever asked knows what to make of it. */
export type Answer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: Readonly<Record<string, unknown>> }

/** What one line turned out to be. `fault`: it is none of the others; `id` is there when it could still be read. */
export type Frame =
  | { readonly kind: 'request'; readonly id: RequestId; readonly method: string; readonly params: unknown }
  | { readonly kind: 'notification'; readonly method: string; readonly params: unknown }
  | { readonly kind: 'answer'; readonly id: RequestId | null; readonly answer: Answer }
  | { readonly kind: 'fault'; readonly id: RequestId | null; readonly error: Failure }

/** Judges one line. Total: any text gives a frame (I-11). */
export function readFrame(line: string): Frame {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return fault(null, 'PARSE_ERROR', 'this line is not JSON; send one JSON-RPC 2.0 message per line')
  }
  if (Array.isArray(value)) {
    return fault(null, 'BAD_REQUEST', 'batches are not used; send one message per line, as many as you like')
  }
  if (!isRecord(value)) return fault(null, 'BAD_REQUEST', 'a message is a JSON object')
  const id = isRequestId(value.id) ? value.id : null
  if (value.jsonrpc !== '2.0') return fault(id, 'BAD_REQUEST', 'a message carries "jsonrpc": "2.0"')
  if ('method' in value) return readCall(value, id)
  if ('result' in value || 'error' in value) return { kind: 'answer', id, answer: readAnswer(value) }
  return fault(id, 'BAD_REQUEST', 'a message has a "method", or is an answer with "result" or "error"')
}

function readCall(value: Readonly<Record<string, unknown>>, id: RequestId | null): Frame {
  const method = value.method
  if (typeof method !== 'string') return fault(id, 'BAD_REQUEST', '"method" is a text')
  const params = value.params ?? {}
  if (!('id' in value)) return { kind: 'notification', method, params }
  if (id === null) {
    const message = `"id" is a whole number of at most 2^53 - 1 or a text of at most ${REQUEST_ID_CHARS_MAX} characters`
    return fault(null, 'BAD_REQUEST', message)
  }
  return { kind: 'request', id, method, params }
}

function readAnswer({ result, error }: Readonly<Record<string, unknown>>): Answer {
  return isRecord(error) ? { ok: false, error } : { ok: true, result }
}

/** An answer of the daemon's, in our words. */
export function outcomeOf(answer: Answer): Outcome {
  if (answer.ok) return answer
  const { message, data: given } = answer.error
  const data = isRecord(given) ? given : {}
  const word = data.code
  const code = typeof word === 'string' && Object.hasOwn(ERROR_CODES, word) ? (word as ErrorCode) : 'INTERNAL'
  return { ok: false, error: { code, message: typeof message === 'string' ? message : 'no reason given', data } }
}

export function encodeRequest(id: RequestId, method: string, params: unknown): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)},"params":${stringify(params)}}`
}

export function encodeNotification(method: string, params: unknown): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${stringify(params)}}`
}

/** An answer: the result, or the error with its JSON-RPC number and its word in `data.code`. */
export function encodeOutcome(id: RequestId | null, outcome: Outcome): string {
  if (outcome.ok) return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${stringify(outcome.result ?? {})}}`
  const { code, message, data } = outcome.error
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    error: { code: ERROR_CODES[code].rpc, message, data: { ...data, code } },
  })
}

function fault(id: RequestId | null, code: ErrorCode, message: string): Frame {
  return { kind: 'fault', id, error: { code, message } }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Of a number that JSON can say and we cannot, the answer would carry another one. */
function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' ? value.length <= REQUEST_ID_CHARS_MAX : Number.isSafeInteger(value)
}
