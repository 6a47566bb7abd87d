import { createHmac, createSecretKey } from 'node:crypto'
import type { SwarmId } from '../kernel/index.ts'
import type { KeyPair } from './keys.ts'

/** As many as a number holds without loss, and as a counter on the wire. */
const SEAL_BYTES = 6

/**
 * Seals texts of this node's: it knows one of its own again in a later life without having written it down, and nobody
 * else can make one. Each guess costs whoever guesses a message, and there are 2^48.
 *
 * @returns a number below 2^48 for a text: the first bytes of HMAC-SHA-256 (RFC 2104)
 */
export function createSealer(keyPair: KeyPair, swarm: SwarmId): (text: string) => number {
  const secret = createSecretKey(keyPair.secretFor(`swarm-node/seal/${swarm}`))
  return (text) => createHmac('sha256', secret).update(text).digest().readUIntBE(0, SEAL_BYTES)
}
