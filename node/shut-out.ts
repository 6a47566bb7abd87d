import type { NodeStatus } from '../src/index.ts'

/** How a node's membership has ended. */
export type ShutOutState = Extract<NodeStatus['state'], 'revoked' | 'unvouched'>

interface ShutOutWords {
  /** With the node itself as `this node`. */
  readonly what: string
  /** What whoever sits at it can do. */
  readonly wayBack: string
  readonly code: 'CERTIFICATE_REVOKED' | 'AUTHORITY_WITHDRAWN'
}

export const SHUT_OUT_WORDS: Readonly<Record<ShutOutState, ShutOutWords>> = {
  revoked: {
    what: 'the council has revoked this node',
    wayBack: 'To come back, join as another node: an empty --data, and a new ticket.',
    code: 'CERTIFICATE_REVOKED',
  },
  unvouched: {
    what: 'the key that signed the certificate of this node was withdrawn, or its organisation has ended its membership',
    wayBack:
      'To come back, ask its organisation, or another, for a new ticket, and start it again with --join TICKET and the same --data.',
    code: 'AUTHORITY_WITHDRAWN',
  },
}

export function isShutOut(state: NodeStatus['state']): state is ShutOutState {
  return Object.hasOwn(SHUT_OUT_WORDS, state)
}
