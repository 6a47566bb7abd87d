import type { SwarmId } from '../kernel/index.ts'
import type { Statement } from '../wire/index.ts'
import { type KeyPair, verifySignature, verifySignatureLater } from './keys.ts'
import type { Domain, Signer } from './types.ts'

const encoder = new TextEncoder()

/** Signs as this key in this swarm. */
export function createSigner(keyPair: KeyPair, swarm: SwarmId): Signer {
  return {
    node: keyPair.node,
    sign: (domain, bytes) => ({
      signer: keyPair.node,
      bytes,
      signature: keyPair.sign(signatureInput(domain, swarm, bytes)),
    }),
  }
}

/** Whether the signer made this statement for this domain in this swarm. */
export function verifyStatement(domain: Domain, swarm: SwarmId, statement: Statement): boolean {
  return verifySignature(statement.signer, signatureInput(domain, swarm, statement.bytes), statement.signature)
}

/** The same, beside the loop. */
export function verifyStatementLater(domain: Domain, swarm: SwarmId, statement: Statement): Promise<boolean> {
  return verifySignatureLater(statement.signer, signatureInput(domain, swarm, statement.bytes), statement.signature)
}

/** Neither part of the prefix can hold a slash or NUL, so no two (domain, swarm, bytes) give the same input. */
export function signatureInput(domain: Domain, swarm: SwarmId, bytes: Uint8Array): Uint8Array {
  const prefix = prefixOf(domain, swarm)
  const input = new Uint8Array(prefix.length + bytes.length)
  input.set(prefix)
  input.set(bytes, prefix.length)
  return input
}

/** A node signs and checks for one swarm: its prefixes are made once. */
const prefixes = new Map<Domain, { readonly swarm: SwarmId; readonly bytes: Uint8Array }>()

function prefixOf(domain: Domain, swarm: SwarmId): Uint8Array {
  const known = prefixes.get(domain)
  if (known?.swarm === swarm) return known.bytes
  const bytes = encoder.encode(`swarm-node/1/${domain}/${domain === 'genesis' ? '' : swarm}\0`)
  prefixes.set(domain, { swarm, bytes })
  return bytes
}
