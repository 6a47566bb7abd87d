import { ERROR_CODES, type ErrorCode, SwarmError } from '../kernel/index.ts'

/** `CODE: message`, where the code is one of the registry's. */
const CODED = /^([A-Z][A-Z_]{2,39}): (.*)$/s

/**
 * An admission that failed. libp2p's upgrader replaces the error of an encrypter with one of its own and keeps only the
 * message, so the code travels at the front of the message.
 */
export class Refusal extends Error {
  readonly code: ErrorCode
  /** Whether the peer said so, or we did. */
  readonly by: 'peer' | 'us'

  constructor(code: ErrorCode, reason: string, by: 'peer' | 'us') {
    super(`${code}: ${reason}`)
    this.name = 'Refusal'
    this.code = code
    this.by = by
  }
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text)
}

function codedMessage(message: string): { readonly code: ErrorCode; readonly reason: string } | undefined {
  const [, code, reason] = CODED.exec(message) ?? []
  if (code === undefined || reason === undefined || !isErrorCode(code)) return undefined
  return { code, reason }
}

const CROSSED = 'the dial of the other side stands'

/** A dial that became pointless because one of the other direction stands (P-5). */
export function crossed(): Error {
  return new Error(CROSSED)
}

/** Whether a dial failed for that: we gave it up, or the other side knew who we are and then hung up. */
export function isCrossed(error: unknown): boolean {
  for (const cause of leaves(error)) {
    if (!(cause instanceof Error)) continue
    if (cause.message === CROSSED) return true
  }
  return false
}

/** Errors inside an aggregate (one per address tried), flattened; bounded by the number of addresses of one dial. */
function* leaves(error: unknown): Generator<unknown> {
  if (error instanceof AggregateError) for (const inner of error.errors) yield* leaves(inner)
  else yield error
}

/** What a failed dial means: the code the peer refused with, or the best description of why there was no answer (P-4). */
export function dialError(error: unknown): SwarmError {
  if (error instanceof SwarmError) return error
  const causes = [...leaves(error)]
  for (const cause of causes) {
    const coded = cause instanceof Error ? codedMessage(cause.message) : undefined
    if (coded !== undefined) return new SwarmError(coded.code, coded.reason, { cause: error })
  }
  const first = causes[0]
  const timedOut = causes.some((cause) => cause instanceof Error && /^(Timeout|Abort)Error$/.test(cause.name))
  const message = first instanceof Error ? first.message : String(first)
  return new SwarmError(timedOut ? 'TIMEOUT' : 'HANDSHAKE_FAILED', message, { cause: error })
}
