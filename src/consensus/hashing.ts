import { encodeForCopy, list } from '../wire/index.ts'
import { digestShape, headerShape, payloadShape } from './messages.ts'
import { CHUNKS_MAX } from './params.ts'
import type { Block, Digest, Header } from './types.ts'

const chunksShape = list(digestShape, CHUNKS_MAX)

/** SHA-256 of bytes as hex: given by the host, since cores do not reach for cryptography. Pure, and keeps no hold of the bytes. */
export type HashFunction = (bytes: Uint8Array) => Digest

/** Places for headers and contents hashed lately, powers of two: a group works on a few heights at a time. */
const HEADERS_MAX = 64
/** Contents can be large, and whoever is remembered here is kept. */
const CONTENTS_MAX = 16

/**
 * Digests of blocks and snapshots, each value hashed once while it is news: values of this module are never changed after
 * they were made, so an object's identity stands for its content. Who finds its place taken is hashed again.
 */
export class Hashing {
  readonly bytes: HashFunction
  readonly #headers: (KnownHeader | undefined)[] = new Array(HEADERS_MAX).fill(undefined)
  readonly #contents: (KnownContents | undefined)[] = new Array(CONTENTS_MAX).fill(undefined)
  /** Pieces of a state may be handed out for as long as it lasts. */
  readonly #chunks = new WeakMap<Uint8Array, Digest>()

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
    const place = header.height & (HEADERS_MAX - 1)
    const known = this.#headers[place]
    if (known?.header === header) return known.digest
    const digest = this.bytes(encodeForCopy(headerShape, header))
    this.#headers[place] = { header, digest }
    return digest
  }

  payload(body: Body): Digest {
    return this.#contentsOf(body).digest
  }

  /** Length of the encoded payload. */
  payloadBytes(body: Body): number {
    return this.#contentsOf(body).bytes
  }

  /** The same for a block and for what it was made of. */
  #contentsOf(body: Body): KnownContents {
    const { requests, evidence } = body
    const place = placeOf(requests)
    const known = this.#contents[place]
    if (known !== undefined && known.requests === requests && known.evidence === evidence) return known
    const bytes = encodeForCopy(payloadShape, body)
    const found = { requests, evidence, digest: this.bytes(bytes), bytes: bytes.length }
    this.#contents[place] = found
    return found
  }

  chunk(chunk: Uint8Array): Digest {
    let digest = this.#chunks.get(chunk)
    if (digest === undefined) {
      digest = this.bytes(chunk)
      this.#chunks.set(chunk, digest)
    }
    return digest
  }

  /** The root of a state: the hash of the list of its chunks' hashes (B-23). */
  root(chunks: readonly Digest[]): Digest {
    return this.bytes(encodeForCopy(chunksShape, chunks))
  }
}

type Body = Pick<Block, 'requests' | 'evidence'>

interface KnownHeader {
  readonly header: Header
  readonly digest: Digest
}

interface KnownContents extends Body {
  readonly digest: Digest
  /** Length of the encoding. */
  readonly bytes: number
}

/** By the first request: blocks in a row hold others. */
function placeOf([first]: Body['requests']): number {
  if (first === undefined) return 0
  const { client, nonce } = first.request
  return ((nonce << 2) + client.charCodeAt(client.length - 1)) & (CONTENTS_MAX - 1)
}

const SHARED = new WeakMap<HashFunction, Hashing>()
