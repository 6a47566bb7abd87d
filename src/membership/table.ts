import { assert, type Incarnation, type Millis, type NodeId, type Random, type TokenBucket } from '../kernel/index.ts'
import { hashNumber, hashText } from './hash.ts'
import { BUCKETS, type Rumour } from './messages.ts'
import type { Suspicion } from './suspicion.ts'
import type { Judged, Member, MemberState } from './types.ts'

/** What this node holds of one member. `state` and `judged` are changed by the table only. */
export interface Entry {
  readonly node: NodeId
  readonly nodeHash: number
  judged: Judged
  /** That of `judged`; kept here because every rumour is compared with it. */
  incarnation: Incarnation
  state: MemberState
  since: Millis
  /** Its place among the dead, -1 while it is not dead. */
  deadSlot: number
  /** While suspect. */
  suspicion: Suspicion | undefined
  /** How many newer words of its own are checked now; undefined before the second (M-31). */
  words: TokenBucket | undefined
}

export function isUp(entry: Entry): boolean {
  return entry.state === 'alive' || entry.state === 'suspect'
}

/** What this node holds of the entry, as others may hear it. */
export function rumourOf(entry: Entry): Rumour {
  const { node, incarnation, state } = entry
  return { node, incarnation, state, accuser: undefined, lost: false }
}

export function memberOf(entry: Entry): Member {
  const { presence, certificate, labels } = entry.judged
  return {
    node: entry.node,
    state: entry.state,
    incarnation: presence.incarnation,
    since: entry.since,
    org: certificate.org,
    roles: certificate.roles,
    addresses: presence.addresses,
    region: presence.region,
    zone: presence.zone,
    labels,
    version: presence.version,
    startedAt: presence.startedAt,
    certificateEpoch: certificate.epoch,
    certificateExpiresAt: certificate.notAfter,
  }
}

/**
 * All members, in order of arrival, with a hash per bucket of those that are up (for the sync), the tombstones in order
 * of their time, and the dead in an array of which a random one is had in O(1). Never more than `entriesMax` (M-4).
 */
export class MemberTable {
  readonly #entriesMax: number
  readonly #entries = new Map<NodeId, Entry>()
  readonly #buckets: (Set<Entry> | undefined)[] = new Array(BUCKETS).fill(undefined)
  readonly #hashes = new Uint32Array(BUCKETS)
  readonly #left = new Map<NodeId, Entry>()
  readonly #dead = new Map<NodeId, Entry>()
  readonly #deadSlots: Entry[] = []
  #upCount = 0

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  get size(): number {
    return this.#entries.size
  }

  get upCount(): number {
    return this.#upCount
  }

  /** One per bucket, over (node, incarnation) of its members that are up. Read-only. */
  get hashes(): Uint32Array {
    return this.#hashes
  }

  get(node: NodeId): Entry | undefined {
    return this.#entries.get(node)
  }

  values(): MapIterator<Entry> {
    return this.#entries.values()
  }

  bucket(index: number): Iterable<Entry> {
    return this.#buckets[index] ?? []
  }

  /** Any of the dead. */
  randomDead(random: Random): Entry | undefined {
    return this.#deadSlots.length === 0 ? undefined : random.pick(this.#deadSlots)
  }

  /** Whether a newcomer would be taken in: not when it is full of the living (M-4). */
  get hasRoom(): boolean {
    return this.#upCount < this.#entriesMax
  }

  /** Takes in a newcomer, for whom there is room. When the table is full a tombstone goes for it: `forgotten`. */
  insert(judged: Judged, state: MemberState, now: Millis): { entry: Entry; forgotten: Entry | undefined } {
    const node = judged.entry.presence.signer
    assert(!this.#entries.has(node), 'a member is in the table once', { node })
    assert(this.hasRoom, 'the living are never evicted', { node })
    const isFull = this.#entries.size >= this.#entriesMax
    const forgotten = isFull ? (first(this.#left) ?? first(this.#dead)) : undefined
    if (forgotten !== undefined) this.forget(forgotten)
    const nodeHash = hashText(node)
    const entry: Entry = {
      node,
      nodeHash,
      judged,
      incarnation: judged.presence.incarnation,
      state,
      since: now,
      deadSlot: -1,
      suspicion: undefined,
      words: undefined,
    }
    this.#entries.set(node, entry)
    const index = bucketOf(entry)
    const bucket = this.#buckets[index] ?? new Set<Entry>()
    this.#buckets[index] = bucket
    bucket.add(entry)
    this.#enter(entry)
    return { entry, forgotten }
  }

  /** A newer word of the subject and the state that follows from it. */
  update(entry: Entry, judged: Judged, state: MemberState, now: Millis): void {
    // M-1: the one place where an incarnation changes.
    assert(judged.presence.incarnation >= entry.incarnation, 'incarnations never decrease', { node: entry.node })
    this.#leave(entry)
    entry.judged = judged
    entry.incarnation = judged.presence.incarnation
    if (entry.state !== state) entry.since = now
    entry.state = state
    this.#enter(entry)
  }

  setState(entry: Entry, state: MemberState, now: Millis): void {
    this.update(entry, entry.judged, state, now)
  }

  forget(entry: Entry): void {
    this.#leave(entry)
    this.#entries.delete(entry.node)
    this.#buckets[bucketOf(entry)]?.delete(entry)
  }

  /** Tombstones older than `before`, oldest first. */
  *expired(before: number): Generator<Entry> {
    for (const tombstones of [this.#left, this.#dead]) {
      for (const entry of tombstones.values()) {
        if (entry.since > before) break
        yield entry
      }
    }
  }

  #enter(entry: Entry): void {
    if (isUp(entry)) {
      this.#upCount += 1
      this.#toggle(entry)
    } else if (entry.state === 'left') {
      this.#left.set(entry.node, entry)
    } else {
      this.#dead.set(entry.node, entry)
      entry.deadSlot = this.#deadSlots.length
      this.#deadSlots.push(entry)
    }
  }

  #leave(entry: Entry): void {
    if (isUp(entry)) {
      this.#upCount -= 1
      this.#toggle(entry)
    } else if (entry.state === 'left') {
      this.#left.delete(entry.node)
    } else {
      this.#dead.delete(entry.node)
      const last = this.#deadSlots.pop()
      if (last !== undefined && last !== entry) {
        last.deadSlot = entry.deadSlot
        this.#deadSlots[entry.deadSlot] = last
      }
      entry.deadSlot = -1
    }
  }

  /** Exclusive or: adding and taking away are the same, and order does not matter. */
  #toggle(entry: Entry): void {
    const index = bucketOf(entry)
    this.#hashes[index] = (this.#hashes[index] ?? 0) ^ hashNumber(entry.nodeHash, entry.incarnation)
  }
}

function bucketOf(entry: Entry): number {
  return entry.nodeHash >>> 24
}

function first(entries: ReadonlyMap<NodeId, Entry>): Entry | undefined {
  return entries.values().next().value
}
