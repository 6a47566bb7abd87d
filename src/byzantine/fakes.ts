import type { Claim, Digest, HashFunction } from '../consensus/index.ts'
import type { Domain, Signer } from '../identity/types.ts'
import type { NodeId } from '../kernel/index.ts'

/** 64 bits of FNV-1a in two lanes: quick, and nobody in the harness looks for collisions. */
function fnv(bytes: Uint8Array, seed: number): [number, number] {
  let a = 0x811c9dc5 ^ seed
  let b = 0x9747b28c ^ (seed << 1)
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    a = Math.imul(a ^ byte, 0x01000193)
    b = Math.imul(b ^ byte, 0x85ebca6b) ^ (b >>> 13)
  }
  return [a >>> 0, b >>> 0]
}

const HEX_OF_16_BITS = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'))
const ZEROS = '0'.repeat(48)

export const fakeHash: HashFunction = (bytes) => {
  const [a, b] = fnv(bytes, bytes.length)
  const high = (HEX_OF_16_BITS[a >>> 16] ?? '') + HEX_OF_16_BITS[a & 0xffff]
  return (high + HEX_OF_16_BITS[b >>> 16] + HEX_OF_16_BITS[b & 0xffff] + ZEROS) as Digest
}

const keySeeds = new Map<NodeId, number>()
function keySeed(signer: NodeId, domain: Domain): number {
  let seed = keySeeds.get(signer)
  if (seed === undefined) {
    seed = fnv(new TextEncoder().encode(signer), 7)[0]
    keySeeds.set(signer, seed)
  }
  return seed ^ domain.length
}

export function fakeSignature(signer: NodeId, domain: Domain, bytes: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64)
  const [a, b] = fnv(bytes, keySeed(signer, domain))
  for (let i = 0; i < 4; i++) {
    signature[i] = a >>> (8 * i)
    signature[4 + i] = b >>> (8 * i)
  }
  return signature
}

export function fakeSigner(node: NodeId): Signer {
  return { node, sign: (domain, bytes) => ({ signer: node, bytes, signature: fakeSignature(node, domain, bytes) }) }
}

/** Whether the signer made this statement; without allocating. */
export function verifies({ domain, statement: { signer, bytes, signature } }: Claim): boolean {
  const [a, b] = fnv(bytes, keySeed(signer, domain))
  for (let i = 0; i < 4; i++) {
    if (signature[i] !== ((a >>> (8 * i)) & 0xff) || signature[4 + i] !== ((b >>> (8 * i)) & 0xff)) return false
  }
  return true
}

/** Keys and hashes of a world: cheap ones, or the real ones. */
export interface Crypto {
  signer(node: NodeId): Signer
  verifies(claim: Claim): boolean
  readonly hash: HashFunction
}

export const FAKE_CRYPTO: Crypto = { signer: fakeSigner, verifies, hash: fakeHash }
