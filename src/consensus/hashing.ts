import { encode, list } from '../wire/index.ts'
import { digestShape, headerShape, payloadShape, requestShape } from './messages.ts'
import { CHUNKS_MAX } from './params.ts'
import type { Block, Digest, Header, Request } from './types.ts'

/** SHA-256 of bytes as hex: given by the host, since cores do not reach for cryptography. Pure. */
export type HashFunction = (bytes: Uint8Array) => Digest

/**
 * Digests of blocks, requests and snapshots, each value hashed once: values of this module are never changed after they
 * were made, so an object's identity stands for its content.
 */
export class Hashing {
  readonly bytes: HashFunction
  readonly #known = new WeakMap<object, Digest>()
  readonly #lengths = new WeakMap<object, number>()

  private constructor(hash: HashFunction) {
    this.bytes = hash
  }

  /** The one of this function: groups on one node share what they have hashed. */
  static with(hash: HashFunction): Hashing {
    let hashing = SHARED.get(hash)
    if (hashing === undefined) {
      hashing = new Hashing(hash)
      SHARED.set(hash, hashing)
    }
    return hashing
  }

  /** A block's digest is its header's: the header holds the payload's. */
  header(header: Header): Digest {
    return this.#once(header, () => this.bytes(encode(headerShape, header)))
  }

  payload(body: Pick<Block, 'requests' | 'evidence'>): Digest {
    return this.#once(body, () => {
      const bytes = encode(payloadShape, body)
      this.#lengths.set(body, bytes.length)
      return this.bytes(bytes)
    })
  }

  /** Length of the encoded payload; known once it has been hashed. */
  payloadBytes(body: Pick<Block, 'requests' | 'evidence'>): number {
    this.payload(body)
    return this.#lengths.get(body) ?? 0
  }

  request(request: Request): Digest {
    return this.#once(request, () => {
      const bytes = encode(requestShape, request)
      this.#lengths.set(request, bytes.length)
      return this.bytes(bytes)
    })
  }

  requestBytes(request: Request): number {
    this.request(request)
    return this.#lengths.get(request) ?? 0
  }

  chunk(chunk: Uint8Array): Digest {
    return this.#once(chunk, () => this.bytes(chunk))
  }

  /** The root of a state: the hash of the list of its chunks' hashes (B-23). */
  root(chunks: readonly Digest[]): Digest {
    return this.bytes(encode(list(digestShape, CHUNKS_MAX), chunks))
  }

  #once(value: object, compute: () => Digest): Digest {
    let digest = this.#known.get(value)
    if (digest === undefined) {
      digest = compute()
      this.#known.set(value, digest)
    }
    return digest
  }
}

const SHARED = new WeakMap<HashFunction, Hashing>()
