import { assert } from '../kernel/index.ts'
import type { Hashing } from './hashing.ts'
import type { Ground } from './rules.ts'
import type { Block, CommitCertificate, Digest, Height } from './types.ts'

/** What a block costs beside its payload, so that empty ones count against the bound too. */
const ENTRY_BYTES = 512

/** A block at hand. */
export interface Entry {
  readonly digest: Digest
  readonly block: Block
  readonly bytes: number
}

/** The way from the final head up to a block, or the first block on it that is not at hand. */
export type Path =
  | { readonly kind: 'known'; readonly entries: readonly Entry[] }
  | { readonly kind: 'missing'; readonly digest: Digest }
  /** It does not lead to our final head: below it, or beside it. */
  | { readonly kind: 'aside' }

/**
 * Blocks at hand: those above the final head, and final ones since the stable checkpoint before last, for members that
 * lag. Bounded in bytes (B-9); what is evicted can be fetched again.
 */
export class Chain {
  readonly #hashing: Hashing
  readonly #bytesMax: number
  readonly #entries = new Map<Digest, Entry>()
  /** Those of them that are not final. */
  readonly #open = new Map<Digest, Entry>()
  readonly #finalHeights = new Map<Digest, Height>()
  readonly #finalDigests = new Map<Height, Digest>()
  readonly #commits = new Map<Height, CommitCertificate>()
  #bytes = 0
  #head: Ground

  constructor(hashing: Hashing, bytesMax: number, genesis: Ground) {
    this.#hashing = hashing
    this.#bytesMax = bytesMax
    this.#head = genesis
  }

  /** The last final block. */
  get head(): Ground {
    return this.#head
  }

  get height(): Height {
    return this.#head.header.height
  }

  get bytes(): number {
    return this.#bytes
  }

  has(digest: Digest): boolean {
    return this.#entries.has(digest) || digest === this.#head.digest
  }

  get(digest: Digest): Entry | undefined {
    return this.#entries.get(digest)
  }

  isFinal(digest: Digest): boolean {
    return digest === this.#head.digest || this.#finalHeights.has(digest)
  }

  /** Keeps a block. Whoever calls has a reason to want this very digest. */
  add(block: Block): Entry {
    const digest = this.#hashing.header(block.header)
    const known = this.#entries.get(digest)
    if (known !== undefined) return known
    const entry = { digest, block, bytes: this.weight(block) }
    this.#entries.set(digest, entry)
    this.#open.set(digest, entry)
    this.#bytes += entry.bytes
    this.#evict()
    return entry
  }

  /** The entry a block would have. */
  weigh(block: Block): Entry {
    return { digest: this.#hashing.header(block.header), block, bytes: this.weight(block) }
  }

  /** What a block with these contents counts against the bounds. */
  weight(body: Pick<Block, 'requests' | 'evidence'>): number {
    return ENTRY_BYTES + this.#hashing.payloadBytes(body)
  }

  path(digest: Digest): Path {
    const entries: Entry[] = []
    let at = digest
    while (at !== this.#head.digest) {
      const entry = this.#entries.get(at)
      if (entry === undefined) return { kind: 'missing', digest: at }
      if (entry.block.header.height <= this.height) return { kind: 'aside' }
      entries.push(entry)
      at = entry.block.header.parent
    }
    return { kind: 'known', entries: entries.reverse() }
  }

  /** What a block on top of this one is measured against; undefined without the whole way down to the head. */
  ground(digest: Digest): Ground | undefined {
    const path = this.path(digest)
    return path.kind === 'known' ? path.entries.reduce(onto, this.#head) : undefined
  }

  /** Makes the next block final. */
  finalise(entry: Entry): void {
    const { height, parent } = entry.block.header
    assert(parent === this.#head.digest && height === this.height + 1, 'blocks become final one by one', {
      height,
      head: this.height,
    })
    this.#head = onto(this.#head, entry)
    this.#finalHeights.set(entry.digest, height)
    this.#finalDigests.set(height, entry.digest)
    this.#open.delete(entry.digest)
    for (const [digest, { block }] of this.#open) if (block.header.height <= height) this.#drop(digest)
  }

  /** What finalised the block at a height; kept as long as the block. */
  setCommit(height: Height, certificate: CommitCertificate): void {
    this.#commits.set(height, certificate)
  }

  commitAt(height: Height): CommitCertificate | undefined {
    return this.#commits.get(height)
  }

  /** Final blocks at hand above a height, consecutive; none if the first of them was cut. */
  finalAbove(after: Height): readonly Entry[] {
    const entries: Entry[] = []
    for (let height = after + 1; height <= this.height; height++) {
      const digest = this.#finalDigests.get(height as Height)
      const entry = digest === undefined ? undefined : this.#entries.get(digest)
      if (entry === undefined) return entries
      entries.push(entry)
    }
    return entries
  }

  /** Blocks at hand above a height, final or not, oldest first. */
  above(height: Height): readonly Entry[] {
    return [...this.#entries.values()].filter(({ block }) => block.header.height > height)
  }

  /** Cuts what is at or below a height. */
  cut(upTo: Height): void {
    for (const [height, digest] of this.#finalDigests) {
      if (height > upTo) continue
      this.#drop(digest)
      this.#finalDigests.delete(height)
      this.#finalHeights.delete(digest)
      this.#commits.delete(height)
    }
  }

  /** Continues from a state that was transferred: everything at hand is older or elsewhere. */
  restart(head: Ground): void {
    this.#entries.clear()
    this.#open.clear()
    this.#finalHeights.clear()
    this.#finalDigests.clear()
    this.#commits.clear()
    this.#bytes = 0
    this.#head = head
  }

  #drop(digest: Digest): void {
    const entry = this.#entries.get(digest)
    if (entry === undefined) return
    this.#entries.delete(digest)
    this.#open.delete(digest)
    this.#bytes -= entry.bytes
  }

  /** Oldest first: final blocks others may want, then blocks of forks. The newest is never evicted. */
  #evict(): void {
    while (this.#bytes > this.#bytesMax && this.#entries.size > 1) {
      const oldest = this.#entries.keys().next().value
      if (oldest === undefined) return
      this.#drop(oldest)
    }
  }
}

/** The ground after one more block. */
export function onto(ground: Ground, entry: Entry): Ground {
  const { segmentBlocks, segmentBytes } = segmentWith(ground, entry.bytes)
  return { digest: entry.digest, header: entry.block.header, segmentBlocks, segmentBytes }
}

/** How long a segment is with a block of this weight on this ground. */
export function segmentWith(ground: Ground, bytes: number): Pick<Ground, 'segmentBlocks' | 'segmentBytes'> {
  const { header, segmentBlocks, segmentBytes } = ground
  return header.boundary
    ? { segmentBlocks: 1, segmentBytes: bytes }
    : { segmentBlocks: segmentBlocks + 1, segmentBytes: segmentBytes + bytes }
}
