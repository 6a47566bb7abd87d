import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import { base58btc } from 'multiformats/bases/base58'
import { assert, BoundedMap, type NodeId } from '../kernel/index.ts'
import { SIGNATURE_BYTES } from '../wire/index.ts'
import { CACHED_KEYS_MAX } from './params.ts'

export const SEED_BYTES = 32
export const PUBLIC_KEY_BYTES = 32
/** Length of the nonces in a genesis and of ticket ids. */
export const NONCE_BYTES = 16

/** RFC 8410: what stands before the 32 bytes in PKCS #8 and in SubjectPublicKeyInfo. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/**
 * What stands before the key in a peer id: identity multihash of 36 bytes, then libp2p's protobuf: field 1 (type) is
 * Ed25519, field 2 (data) is 32 bytes.
 */
const PEER_ID_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)

const publicKeys = new BoundedMap<NodeId, KeyObject>(CACHED_KEYS_MAX)

/** An Ed25519 key pair: a node's identity, or an organisation's authority. Shows nothing of its secret when printed. */
export class KeyPair {
  readonly node: NodeId
  readonly publicKey: Uint8Array
  readonly #seed: Uint8Array
  readonly #privateKey: KeyObject

  private constructor(seed: Uint8Array) {
    assert(seed.length === SEED_BYTES, 'a seed has 32 bytes', { length: seed.length })
    this.#seed = seed.slice()
    this.#privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
    const spki = createPublicKey(this.#privateKey).export({ format: 'der', type: 'spki' })
    this.publicKey = new Uint8Array(spki.subarray(SPKI_PREFIX.length))
    this.node = nodeIdOf(this.publicKey)
  }

  /** A fresh pair from the system's random source. */
  static generate(): KeyPair {
    return new KeyPair(randomBytes(SEED_BYTES))
  }

  /** The pair of a 32-byte secret (RFC 8032, 5.1.5). */
  static fromSeed(seed: Uint8Array): KeyPair {
    return new KeyPair(seed)
  }

  /** The secret, to be written to a file of mode 0600 or handed to libp2p; never to a log. */
  exportSeed(): Uint8Array {
    return this.#seed.slice()
  }

  /** A secret of 32 bytes for one purpose, which tells nothing of the pair's own or of another purpose's (RFC 5869). */
  secretFor(purpose: string): Uint8Array {
    return new Uint8Array(hkdfSync('sha256', this.#seed, '', purpose, SEED_BYTES))
  }

  /** The 64-byte Ed25519 signature of exactly these bytes; {@link createSigner} adds what they are for. */
  sign(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, bytes, this.#privateKey))
  }
}

/** Sixteen bytes nobody can guess. */
export function newNonce(): Uint8Array {
  return new Uint8Array(randomBytes(NONCE_BYTES))
}

/** the name of a public key, as libp2p's PeerId prints it. */
export function nodeIdOf(publicKey: Uint8Array): NodeId {
  assert(publicKey.length === PUBLIC_KEY_BYTES, 'a public key has 32 bytes', { length: publicKey.length })
  const peerId = new Uint8Array(PEER_ID_PREFIX.length + PUBLIC_KEY_BYTES)
  peerId.set(PEER_ID_PREFIX)
  peerId.set(publicKey, PEER_ID_PREFIX.length)
  return base58btc.encode(peerId).slice(1) as NodeId
}

/** the public key that a node id names; undefined when it names none. */
export function publicKeyOf(node: NodeId): Uint8Array | undefined {
  if (node.length > 64) return undefined
  let peerId: Uint8Array
  try {
    peerId = base58btc.decode(`z${node}`)
  } catch {
    return undefined
  }
  if (peerId.length !== PEER_ID_PREFIX.length + PUBLIC_KEY_BYTES) return undefined
  if (PEER_ID_PREFIX.some((byte, i) => peerId[i] !== byte)) return undefined
  return peerId.slice(PEER_ID_PREFIX.length)
}

/** Whether the key that this node id names has signed exactly these bytes. Total: a wrong id is a wrong signature. */
export function verifySignature(node: NodeId, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false
  const key = keyObjectOf(node)
  return key !== undefined && verify(null, bytes, key, signature)
}

/** The same, in a thread beside the loop; a failure to check is a failed check. */
export function verifySignatureLater(node: NodeId, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const key = signature.length === SIGNATURE_BYTES ? keyObjectOf(node) : undefined
  if (key === undefined) return Promise.resolve(false)
  return new Promise((resolve) => {
    verify(null, bytes, key, signature, (error, valid) => resolve(error === null && valid))
  })
}

function keyObjectOf(node: NodeId): KeyObject | undefined {
  const cached = publicKeys.get(node)
  if (cached !== undefined) return cached
  const publicKey = publicKeyOf(node)
  if (publicKey === undefined) return undefined
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
  publicKeys.set(node, key)
  return key
}
