import { encodeForCopy, list, type Shape } from '../wire/index.ts'
import { digestShape, headerShape, payloadShape } from './messages.ts'
import { CHUNKS_MAX } from './params.ts'
import type { Block, Digest, Header } from './types.ts'

const chunksShape = list(digestShape, CHUNKS_MAX)

/** SHA-256 of bytes as hex: given by the host, since cores do not reach for cryptography. Pure, and keeps no hold of the bytes. */
export type HashFunction = (bytes: Uint8Array) => Digest

/**
 * Digests of blocks and snapshots, each value hashed once: values of this module are never changed after they
 * were made, so an object's identity stands for its content.
 */
export class Hashing {
  readonly bytes: HashFunction
  readonly #known = new WeakMap<object, Known>()
  /** What was asked for last: one message brings the same questions several times in a row. */
  #header: { readonly value: Header; readonly digest: Digest } | undefined
  #body: { readonly value: Body; readonly known: Known } | undefined

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
    if (this.#header?.value !== header) {
      this.#header = { value: header, digest: this.#of(header, headerShape).digest }
    }
    return this.#header.digest
  }

  payload(body: Body): Digest {
    return this.#contents(body).digest
  }

  /** Length of the encoded payload. */
  payloadBytes(body: Body): number {
    return this.#contents(body).bytes
  }

  /** Tells that a block holds what was hashed already under another object. */
  holds(block: Block, body: Body): void {
    const known = this.#contents(body)
    this.#known.set(block, known)
    this.#body = { value: block, known }
  }

  #contents(body: Body): Known {
    if (this.#body?.value !== body) this.#body = { value: body, known: this.#of(body, payloadShape) }
    return this.#body.known
  }

  chunk(chunk: Uint8Array): Digest {
    return this.#known.get(chunk)?.digest ?? this.#learn(chunk, chunk).digest
  }

  /** The root of a state: the hash of the list of its chunks' hashes (B-23). */
  root(chunks: readonly Digest[]): Digest {
    return this.bytes(encodeForCopy(chunksShape, chunks))
  }

  #of<T extends object>(value: T, shape: Shape<T>): Known {
    return this.#known.get(value) ?? this.#learn(value, encodeForCopy(shape, value))
  }

  #learn(value: object, bytes: Uint8Array): Known {
    const known = { digest: this.bytes(bytes), bytes: bytes.length }
    this.#known.set(value, known)
    return known
  }
}

type Body = Pick<Block, 'requests' | 'evidence'>

/** What was found out about a value: its digest, and the length of its encoding. */
interface Known {
  readonly digest: Digest
  readonly bytes: number
}

const SHARED = new WeakMap<HashFunction, Hashing>()
