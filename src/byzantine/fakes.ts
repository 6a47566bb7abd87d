import type { Claim, Digest, HashFunction } from '../consensus/index.ts'
import type { Domain, Signer } from '../identity/types.ts'
import type { NodeId } from '../kernel/index.ts'

interface Sum {
  readonly a: number
  readonly b: number
}

/** 64 bits of FNV-1a in two lanes: quick, and nobody in the harness looks for collisions. */
function fnv(bytes: Uint8Array): Sum {
  let a = 0x811c9dc5 ^ bytes.length
  let b = 0x9747b28c ^ (bytes.length << 1)
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    a = Math.imul(a ^ byte, 0x01000193)
    b = Math.imul(b ^ byte, 0x85ebca6b) ^ (b >>> 13)
  }
  return { a: a >>> 0, b: b >>> 0 }
}

const HEX_OF_16_BITS = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'))
const ZEROS = '0'.repeat(48)

export const fakeHash: HashFunction = (bytes) => {
  const { a, b } = fnv(bytes)
  const high = (HEX_OF_16_BITS[a >>> 16] ?? '') + HEX_OF_16_BITS[a & 0xffff]
  return (high + HEX_OF_16_BITS[b >>> 16] + HEX_OF_16_BITS[b & 0xffff] + ZEROS) as Digest
}

/** Places for keys and sums met lately. */
const PLACES = 64

const KEYS: ({ readonly signer: NodeId; readonly key: number } | undefined)[] = new Array(PLACES).fill(undefined)
function keyOf(signer: NodeId, domain: Domain): number {
  const place = signer.charCodeAt(signer.length - 1) % PLACES
  let known = KEYS[place]
  if (known?.signer !== signer) {
    known = { signer, key: fnv(new TextEncoder().encode(signer)).a }
    KEYS[place] = known
  }
  return known.key ^ domain.length
}

/** Several members sign the same statement one after the other, and each signature is checked by several. */
const SUMS: ({ readonly bytes: Uint8Array; readonly sum: Sum } | undefined)[] = new Array(PLACES).fill(undefined)
function sumOf(bytes: Uint8Array): Sum {
  // Most statements end in a digest.
  const place = (bytes[bytes.length - 1] ?? 0) % PLACES
  let known = SUMS[place]
  if (known?.bytes !== bytes) {
    known = { bytes, sum: fnv(bytes) }
    SUMS[place] = known
  }
  return known.sum
}

/** What is made of one lane of a sum with a key. */
function keyed(lane: number, key: number): number {
  return Math.imul(lane ^ key, 0x01000193)
}

export function fakeSignature(signer: NodeId, domain: Domain, bytes: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64)
  const { a, b } = sumOf(bytes)
  const key = keyOf(signer, domain)
  const first = keyed(a, key)
  const second = keyed(b, key)
  for (let i = 0; i < 4; i++) {
    signature[i] = first >>> (8 * i)
    signature[4 + i] = second >>> (8 * i)
  }
  return signature
}

export function fakeSigner(node: NodeId): Signer {
  return { node, sign: (domain, bytes) => ({ signer: node, bytes, signature: fakeSignature(node, domain, bytes) }) }
}

/** Whether the signer made this statement; without allocating. */
export function verifies({ domain, statement: { signer, bytes, signature } }: Claim): boolean {
  const { a, b } = sumOf(bytes)
  const key = keyOf(signer, domain)
  return laneOf(signature, 0) === keyed(a, key) && laneOf(signature, 4) === keyed(b, key)
}

function laneOf(signature: Uint8Array, at: number): number {
  const high = ((signature[at + 3] ?? 0) << 24) | ((signature[at + 2] ?? 0) << 16)
  return high | ((signature[at + 1] ?? 0) << 8) | (signature[at] ?? 0)
}

/** Keys and hashes of a world: cheap ones, or the real ones. */
export interface Crypto {
  signer(node: NodeId): Signer
  verifies(claim: Claim): boolean
  readonly hash: HashFunction
}

export const FAKE_CRYPTO: Crypto = { signer: fakeSigner, verifies, hash: fakeHash }
