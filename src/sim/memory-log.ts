import type { Random } from '../kernel/index.ts'
import type { LogHandler, LogIndex, LogPort, LogRefusal } from '../wire/index.ts'
import type { EventQueue } from './event-queue.ts'

/** How long a group commit takes: what quality.md measured of fdatasync, with a tail. */
const SYNC_MS_MIN = 0.2
const SYNC_MS_MEAN = 0.3

const NOTHING: readonly Uint8Array[] = []

interface Operation {
  readonly index: LogIndex
  readonly kind: 'append' | 'compact'
  readonly records: readonly Uint8Array[]
}

/**
 * A log in memory that behaves as one on a disk: what was not reported durable may be gone after a crash, in order
 * from the end (a torn tail is cut by the real log, so here a tail is simply shorter).
 *
 * It belongs to the machine and outlives its processes. `src/storage` runs the real log over a faulty simulated disk;
 * this one is for campaigns that are about other things.
 */
export class MemoryLog implements LogPort {
  /** Hear of every record as it becomes durable, also of one that makes room for others in the same moment. */
  readonly watchers: ((record: Uint8Array) => void)[] = []
  readonly #queue: EventQueue
  readonly #random: Random
  #durable: Uint8Array[] = []
  #bytesSinceCompaction = 0
  #pending: Operation[] = []
  #next: LogIndex = 1
  #syncing = false
  #stalledUntil = 0
  /** Counts crashes, so that a sync that was under way says nothing to the next process. */
  #life = 0
  #handler: { readonly deliver: (run: () => void) => void; readonly handler: () => LogHandler } | undefined

  constructor(queue: EventQueue, random: Random) {
    this.#queue = queue
    this.#random = random
  }

  /** What a process finds when it starts. */
  get records(): readonly Uint8Array[] {
    return this.#durable
  }

  /** What the log will say once everything is durable: what a snapshot has to say as well. */
  get appended(): readonly Uint8Array[] {
    let records = this.#durable
    for (const { kind, records: more } of this.#pending)
      records = kind === 'compact' ? [...more] : [...records, ...more]
    return records
  }

  /** What is on its way to the disk. */
  get pending(): readonly Uint8Array[] {
    return this.#pending.length === 0 ? NOTHING : this.#pending.flatMap(({ records }) => records)
  }

  get bytesSinceCompaction(): number {
    return this.#bytesSinceCompaction
  }

  /** The machine connects its present process; `deliver` queues while that process is paused. */
  attach(deliver: (run: () => void) => void, handler: () => LogHandler): void {
    this.#handler = { deliver, handler }
  }

  append(record: Uint8Array, mayWait = false): LogIndex {
    this.#bytesSinceCompaction += record.length
    return this.#take('append', [record.slice()], mayWait)
  }

  hurry(): void {
    if (!this.#syncing && this.#pending.length > 0) this.#sync()
  }

  /** Never full. */
  refusal(): LogRefusal | undefined {
    return undefined
  }

  compact(records: readonly Uint8Array[]): void {
    this.#bytesSinceCompaction = 0
    this.#take('compact', records, false)
  }

  /** The disk answers nobody until then. */
  stall(until: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, until)
  }

  /** The process is gone; of what was on its way to the disk, a random first part arrived. */
  crash(): void {
    const kept = this.#random.below(this.#pending.length + 1)
    for (const operation of this.#pending.slice(0, kept)) this.#apply(operation)
    this.#pending = []
    this.#next = this.#durable.length + 1
    this.#syncing = false
    this.#life += 1
    this.#handler = undefined
  }

  #take(kind: Operation['kind'], records: readonly Uint8Array[], mayWait: boolean): LogIndex {
    const index = kind === 'append' ? this.#next++ : this.#next - 1
    this.#pending.push({ index, kind, records })
    if (!mayWait) this.hurry()
    return index
  }

  /** One group commit at a time; what comes in meanwhile waits for the next. */
  #sync(): void {
    this.#syncing = true
    const life = this.#life
    const wait = Math.max(0, this.#stalledUntil - this.#queue.now)
    const at = this.#queue.now + wait + SYNC_MS_MIN + this.#random.exponential(SYNC_MS_MEAN)
    // The group is what was there when the sync began.
    const group = this.#pending.length
    this.#queue.call(at, () => {
      if (life === this.#life) this.#synced(group)
    })
  }

  #synced(group: number): void {
    const operations = this.#pending.splice(0, group)
    for (const operation of operations) this.#apply(operation)
    const upTo = operations.at(-1)?.index ?? 0
    const attached = this.#handler
    attached?.deliver(() => attached.handler().onDurable(upTo))
    this.#syncing = false
    if (this.#pending.length > 0) this.#sync()
  }

  #apply(operation: Operation): void {
    if (operation.kind === 'compact') this.#durable = []
    this.#durable.push(...operation.records)
    for (const watch of this.watchers) operation.records.forEach(watch)
  }
}
