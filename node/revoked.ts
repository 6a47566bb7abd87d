import { SwarmError } from '../src/index.ts'

/** What whoever sits at a revoked node can do. */
export const WAY_BACK = 'To come back, join as another node: an empty --data, and a new ticket.'

/** Said at once: it would wait for others that do not talk to it. */
export function refusedAsRevoked(what: string): SwarmError {
  const message = `the council has revoked this node and nobody talks to it, so ${what}. Run the command at another node. ${WAY_BACK}`
  return new SwarmError('CERTIFICATE_REVOKED', message)
}
