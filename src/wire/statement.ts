import type { NodeId } from '../kernel/index.ts'
import { bytes, nodeId, record, type Shape } from './shape.ts'

/** Length of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64

/**
 * The signed envelope (W-3): a signer, the exact bytes that were signed, and the signature. The bytes are forwarded
 * unmodified and decoded only by who needs them; a signature is over a domain and the swarm id as well as the bytes
 * (`src/identity`), so a statement made for one purpose or one swarm says nothing in another.
 */
export function statement(bytesMax: number): Shape<Statement> {
  return record({ signer: nodeId, bytes: bytes(bytesMax), signature: bytes(SIGNATURE_BYTES, SIGNATURE_BYTES) })
}

export interface Statement {
  readonly signer: NodeId
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}
