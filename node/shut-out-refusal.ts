import { SwarmError } from '../src/index.ts'
import { SHUT_OUT_WORDS, type ShutOutState } from './shut-out.ts'

/** Said at once: it would wait for others that do not talk to it. */
export function refusedAsShutOut(state: ShutOutState, so: string): SwarmError {
  const { what, wayBack, code } = SHUT_OUT_WORDS[state]
  return new SwarmError(code, `${what} and nobody talks to it, so ${so}. Run the command at another node. ${wayBack}`)
}
