import { type ErrorCode, err, SwarmError } from '../kernel/index.ts'

/** Why somebody or something is not admitted: a code for programs, words for people that say what to do next. */
export interface Refusal {
  readonly code: ErrorCode
  readonly message: string
}

export function refusal(code: ErrorCode, message: string): { readonly ok: false; readonly error: Refusal } {
  return err({ code, message })
}

/** The same, to be thrown where a person asked for something that cannot be had. */
export function errorOf(refused: Refusal): SwarmError {
  return new SwarmError(refused.code, refused.message)
}
