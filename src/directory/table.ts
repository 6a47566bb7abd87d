import { assert, BoundedMap, type Millis, type NodeId } from '../kernel/index.ts'
import { BUCKETS, type DigestRow } from './messages.ts'
import type { DirectoryEntry, JudgedDigest, MemberProfile } from './types.ts'

/** One member, with its digest when there is a valid one. */
export interface Held {
  readonly bucket: number
  readonly nodeHash: number
  profile: MemberProfile
  judged: JudgedDigest | undefined
  heardAt: Millis
}

type Version = Pick<DigestRow, 'run' | 'version'>

export function isNewer(a: Version, b: Version): boolean {
  return a.run !== b.run ? a.run > b.run : a.version > b.version
}

/**
 * Members and their digests, in order of the last digest so that expiry looks at the oldest only, with a hash per bucket
 * for the sync. Bounded (D-2), and with a memory of what was seen that outlives the entries (D-1).
 */
export class DigestTable {
  readonly #members: Map<NodeId, Held> = new Map()
  readonly #byAge = new Map<NodeId, Held>()
  readonly #seen: BoundedMap<NodeId, Version>
  readonly #buckets: (Set<Held> | undefined)[] = new Array(BUCKETS).fill(undefined)
  readonly #hashes = new Uint32Array(BUCKETS)
  readonly #entriesMax: number

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
    this.#seen = new BoundedMap(2 * entriesMax)
  }

  /** Members, with a digest or without. */
  get memberCount(): number {
    return this.#members.size
  }

  /** Digests held. */
  get size(): number {
    return this.#byAge.size
  }

  get hashes(): Uint32Array {
    return this.#hashes
  }

  get(node: NodeId): Held | undefined {
    return this.#members.get(node)
  }

  /** False when the table is full and the member is new. */
  admit(profile: MemberProfile): boolean {
    const held = this.#members.get(profile.node)
    if (held !== undefined) {
      held.profile = profile
      return true
    }
    if (this.#members.size >= this.#entriesMax) return false
    const nodeHash = hash(profile.node)
    const bucket = nodeHash % BUCKETS
    this.#members.set(profile.node, { bucket, nodeHash, profile, judged: undefined, heardAt: 0 as Millis })
    return true
  }

  /** The member is gone. True when a digest went with it. */
  dismiss(node: NodeId): boolean {
    const had = this.drop(node)
    this.#members.delete(node)
    return had
  }

  /** Whether this would be news; asked before anything is verified. */
  isNews(node: NodeId, version: Version): boolean {
    const seen = this.#seen.get(node)
    return seen === undefined || isNewer(version, seen)
  }

  put(held: Held, judged: JudgedDigest, now: Millis): void {
    const node = held.profile.node
    assert(this.isNews(node, judged.digest), 'a digest only ever gives way to a newer one', { node })
    this.drop(node)
    this.#seen.set(node, { run: judged.digest.run, version: judged.digest.version })
    held.judged = judged
    held.heardAt = now
    this.#byAge.set(node, held)
    const bucket = this.#buckets[held.bucket] ?? new Set<Held>()
    this.#buckets[held.bucket] = bucket
    bucket.add(held)
    this.#toggle(held, judged)
  }

  /** Forgets the digest, not the member. */
  drop(node: NodeId): boolean {
    const held = this.#byAge.get(node)
    if (held?.judged === undefined) return false
    this.#toggle(held, held.judged)
    held.judged = undefined
    this.#byAge.delete(node)
    this.#buckets[held.bucket]?.delete(held)
    return true
  }

  bucket(index: number): Iterable<Held> {
    return this.#buckets[index] ?? []
  }

  /** The digest that was heard longest ago. */
  oldest(): { readonly node: NodeId; readonly heardAt: Millis } | undefined {
    const next = this.#byAge.entries().next()
    return next.done ? undefined : { node: next.value[0], heardAt: next.value[1].heardAt }
  }

  *entries(): IterableIterator<DirectoryEntry> {
    for (const held of this.#byAge.values()) {
      const entry = entryOf(held)
      if (entry !== undefined) yield entry
    }
  }

  #toggle(held: Held, { digest }: JudgedDigest): void {
    const mixed = Math.imul(held.nodeHash ^ Math.imul(digest.version + 1, 0x9e3779b1), 0x85ebca6b) ^ digest.run
    this.#hashes[held.bucket] = (this.#hashes[held.bucket] ?? 0) ^ (mixed ^ (mixed >>> 15))
  }
}

export function entryOf(held: Held): DirectoryEntry | undefined {
  if (held.judged === undefined) return undefined
  const { profile, heardAt } = held
  return { node: profile.node, profile, digest: held.judged.digest, heardAt }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
