import { encodeRequest, type Failure, type Outcome, readFrame } from './frames.ts'
import { LineDecoder } from './lines.ts'
import { SESSION_LIMITS } from './params.ts'

/** What the daemon sent. After `broken` the connection is of no further use. */
export type ClientEvent =
  | { readonly kind: 'answer'; readonly id: number; readonly outcome: Outcome }
  /** An error that answers no request in particular; the daemon closes after it. */
  | { readonly kind: 'refused'; readonly error: Failure }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Readonly<Record<string, unknown>> }
  | { readonly kind: 'broken'; readonly message: string }

const utf8 = new TextEncoder()

/** The client's side of one connection: numbers requests, cuts and reads what comes back. */
export class ClientCodec {
  readonly #decoder = new LineDecoder(SESSION_LIMITS.lineBytesMax)
  #requestCount = 0

  /** The line to send, with the number its answer will carry. */
  request(method: string, params: unknown): { readonly id: number; readonly bytes: Uint8Array } {
    this.#requestCount += 1
    const id = this.#requestCount
    return { id, bytes: utf8.encode(`${encodeRequest(id, method, params)}\n`) }
  }

  receive(bytes: Uint8Array): readonly ClientEvent[] {
    const { lines, fault } = this.#decoder.push(bytes)
    const events = lines.flatMap((line) => readLine(line))
    if (fault !== undefined) events.push({ kind: 'broken', message: `the daemon sent a line that is ${fault}` })
    return events
  }
}

function readLine(line: string): ClientEvent[] {
  const frame = readFrame(line)
  switch (frame.kind) {
    case 'fault':
      return [{ kind: 'broken', message: `the daemon sent something that is no message: ${frame.error.message}` }]
    case 'notification': {
      const { params } = frame
      if (typeof params !== 'object' || params === null) return []
      return [{ kind: 'notification', method: frame.method, params: params as Readonly<Record<string, unknown>> }]
    }
    case 'answer':
      if (typeof frame.id === 'number') return [{ kind: 'answer', id: frame.id, outcome: frame.outcome }]
      return frame.outcome.ok ? [] : [{ kind: 'refused', error: frame.outcome.error }]
    case 'request':
      // A client that is no agent is asked nothing; a daemon of a later version may try.
      return []
  }
}
