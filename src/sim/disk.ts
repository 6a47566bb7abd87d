import { assert, err, ok, type Random, type Result, unreachable } from '../kernel/index.ts'
import type { DiskEntry, DiskFault, DiskFile, DiskOp, DiskPort } from '../wire/index.ts'
import type { EventQueue } from './event-queue.ts'

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512

/** The weather of one disk. All chances are per operation, 0 to 1. */
export interface DiskWeather {
  readonly latencyMsMin: number
  readonly latencyMsMax: number
  /** A sync that takes `slowMs` instead. */
  readonly slowChance: number
  readonly slowMs: number
  /** A sync that never comes back, until the machine crashes. */
  readonly stuckChance: number
  readonly syncErrorChance: number
  readonly writeErrorChance: number
  readonly readErrorChance: number
  /** Bytes of all files together, before `create` and `write` say that the disk is full. */
  readonly capacityBytes: number
}

export const FAIR_DISK: DiskWeather = {
  latencyMsMin: 0.05,
  latencyMsMax: 0.3,
  slowChance: 0,
  slowMs: 0,
  stuckChance: 0,
  syncErrorChance: 0,
  writeErrorChance: 0,
  readErrorChance: 0,
  capacityBytes: Number.POSITIVE_INFINITY,
}

/** A write that the disk does not hold yet. Zeros of a `create` are one too. */
interface Unsynced {
  readonly offset: number
  readonly bytes: Uint8Array
  /** Whether `done` has been called: a sync covers only what was finished before it began. */
  finished: boolean
}

interface SimFile {
  /** What a read sees. */
  cache: Uint8Array
  /** What is left after a power failure, plus any part of `unsynced`. */
  platter: Uint8Array
  unsynced: Unsynced[]
}

type NameChange =
  | { readonly kind: 'link'; readonly file: DiskFile; readonly content: SimFile }
  | { readonly kind: 'rename'; readonly from: DiskFile; readonly to: DiskFile; readonly content: SimFile }
  | { readonly kind: 'unlink'; readonly file: DiskFile }

type Names = Map<DiskFile, SimFile>

/**
 * A disk in memory and in virtual time that does what real ones do at their worst, from one seed: at a power failure any
 * sectors of unsynced writes survive and the others do not, in any order, and so do unsynced names; a sync that fails
 * forgets what it was to write but goes on showing it (as Linux does); and bits rot.
 */
export class SimDisk implements DiskPort {
  weather: DiskWeather
  readonly #queue: EventQueue
  readonly #random: Random
  #names: Names = new Map()
  #durableNames: Names = new Map()
  #nameChanges: NameChange[] = []
  /** Raised by a crash: completions of an earlier life are not delivered. */
  #life = 0

  constructor(queue: EventQueue, random: Random, weather: DiskWeather = FAIR_DISK) {
    this.#queue = queue
    this.#random = random
    this.weather = weather
  }

  submit(op: DiskOp, done: (fault: DiskFault | undefined) => void): void {
    const life = this.#life
    const finish = this.#begin(op)
    const delayMs = this.#delayMs(op)
    if (delayMs === undefined) return
    this.#queue.call(this.#queue.now + delayMs, () => {
      if (life === this.#life) done(finish())
    })
  }

  afterTurn(run: () => void): void {
    const life = this.#life
    this.#queue.call(this.#queue.now, () => {
      if (life === this.#life) run()
    })
  }

  list(): Result<readonly DiskEntry[], DiskFault> {
    if (this.#random.chance(this.weather.readErrorChance)) return err(failed('list: I/O error'))
    const entries = [...this.#names].map(([file, content]) => ({ file, bytes: content.cache.length }))
    return ok(entries.sort((a, b) => (a.file < b.file ? -1 : 1)))
  }

  read(file: DiskFile): Result<Uint8Array, DiskFault> {
    const content = this.#names.get(file)
    if (content === undefined) return err(failed(`read ${file}: no such file`))
    if (this.#random.chance(this.weather.readErrorChance)) return err(failed(`read ${file}: I/O error`))
    return ok(content.cache.slice())
  }

  /** The process dies. Operations in flight may or may not have happened; what has happened stays visible. */
  kill(): void {
    this.#life += 1
  }

  /** The power fails: what was not synced survives in any parts and in any order, or not at all. */
  cutPower(): void {
    this.#life += 1
    for (const change of this.#nameChanges) if (this.#random.chance(0.5)) applyChange(this.#durableNames, change)
    this.#nameChanges = []
    this.#names = new Map(this.#durableNames)
    for (const content of this.#names.values()) {
      for (const write of content.unsynced) this.#tear(content, write)
      content.unsynced = []
      content.cache = content.platter.slice()
    }
  }

  /** Flips one bit that a read will see. Undefined when there is nothing to rot. */
  rot(): { readonly file: DiskFile; readonly offset: number } | undefined {
    const files = [...this.#names].filter(([, content]) => content.platter.length > 0)
    if (files.length === 0) return undefined
    const [file, content] = this.#random.pick(files)
    const offset = this.#random.below(content.platter.length)
    const bit = 1 << this.#random.below(8)
    content.platter[offset] = (content.platter[offset] as number) ^ bit
    if (offset < content.cache.length) content.cache[offset] = (content.cache[offset] as number) ^ bit
    return { file, offset }
  }

  /** Does to the cache what the operation does, and returns what is to happen when it ends. */
  #begin(op: DiskOp): () => DiskFault | undefined {
    switch (op.kind) {
      case 'create':
        return this.#create(op.file, op.bytes)
      case 'write':
        return this.#write(op.file, op.offset, op.bytes, op.sync)
      case 'sync':
        return this.#sync(op.file)
      case 'rename': {
        const content = this.#names.get(op.from)
        if (content === undefined) return () => failed(`rename ${op.from}: no such file`)
        return this.#changeName({ kind: 'rename', from: op.from, to: op.to, content })
      }
      case 'remove':
        if (!this.#names.has(op.file)) return () => failed(`remove ${op.file}: no such file`)
        return this.#changeName({ kind: 'unlink', file: op.file })
      case 'sync-directory':
        return this.#syncDirectory()
      default:
        return unreachable(op)
    }
  }

  #create(file: DiskFile, bytes: number): () => DiskFault | undefined {
    const content: SimFile = { cache: new Uint8Array(0), platter: new Uint8Array(0), unsynced: [] }
    this.#changeName({ kind: 'link', file, content })
    if (this.#usedBytes() + bytes > this.weather.capacityBytes) return () => full(`create ${file}`)
    return this.#put(content, 0, new Uint8Array(bytes))
  }

  #write(file: DiskFile, offset: number, bytes: Uint8Array, sync: boolean): () => DiskFault | undefined {
    const content = this.#names.get(file)
    if (content === undefined) return () => failed(`write ${file}: no such file`)
    const grows = offset + bytes.length - content.cache.length
    if (grows > 0 && this.#usedBytes() + grows > this.weather.capacityBytes) return () => full(`write ${file}`)
    const copy = bytes.slice()
    const written = this.#put(content, offset, copy)
    const unsynced = content.unsynced.at(-1)
    return () => {
      // The contract: the bytes stay as they are until the operation has ended.
      assert(
        copy.every((byte, i) => byte === bytes[i]),
        'bytes changed while they were written',
        { file },
      )
      if (this.#random.chance(this.weather.writeErrorChance)) return failed(`write ${file}: I/O error`)
      if (!sync) return written()
      return this.#settle(content, unsynced === undefined ? [] : [unsynced], file)
    }
  }

  #put(content: SimFile, offset: number, bytes: Uint8Array): () => undefined {
    content.cache = overlaid(content.cache, offset, bytes)
    const write = { offset, bytes, finished: false }
    content.unsynced.push(write)
    return () => {
      write.finished = true
      return undefined
    }
  }

  #sync(file: DiskFile): () => DiskFault | undefined {
    const content = this.#names.get(file)
    if (content === undefined) return () => failed(`sync ${file}: no such file`)
    const covered = content.unsynced.filter((write) => write.finished)
    return () => this.#settle(content, covered, file)
  }

  /** Makes writes durable; or fails, and then forgets them as clean although only parts may be on the platter. */
  #settle(content: SimFile, writes: readonly Unsynced[], file: DiskFile): DiskFault | undefined {
    const fails = this.#random.chance(this.weather.syncErrorChance)
    for (const write of writes) {
      if (fails) this.#tear(content, write)
      else content.platter = overlaid(content.platter, write.offset, write.bytes)
    }
    // A page has one content: an earlier write that is torn later carries these newer bytes where the two overlap.
    for (const earlier of content.unsynced) for (const write of writes) overlap(earlier, write)
    content.unsynced = content.unsynced.filter((write) => !writes.includes(write))
    return fails ? failed(`sync ${file}: I/O error`) : undefined
  }

  #changeName(change: NameChange): () => undefined {
    applyChange(this.#names, change)
    this.#nameChanges.push(change)
    return () => undefined
  }

  #syncDirectory(): () => DiskFault | undefined {
    const covered = new Set(this.#nameChanges)
    return () => {
      if (this.#random.chance(this.weather.syncErrorChance)) return failed('sync-directory: I/O error')
      for (const change of covered) applyChange(this.#durableNames, change)
      this.#nameChanges = this.#nameChanges.filter((change) => !covered.has(change))
      return undefined
    }
  }

  /** Some sectors of a write reach the platter: all, none, the first ones, or any. */
  #tear(content: SimFile, write: Unsynced): void {
    const { offset, bytes } = write
    const fate = this.#random.pick(['all', 'none', 'first', 'any'])
    if (fate === 'none') return
    const cut = fate === 'first' ? this.#random.below(bytes.length + 1) : bytes.length
    let start = 0
    while (start < cut) {
      const end = Math.min(bytes.length, start + SECTOR_BYTES - ((offset + start) % SECTOR_BYTES))
      if (fate !== 'any' || this.#random.chance(0.5)) {
        content.platter = overlaid(content.platter, offset + start, bytes.subarray(start, end))
      }
      start = end
    }
  }

  /** Undefined: it never comes back. */
  #delayMs(op: DiskOp): number | undefined {
    const { latencyMsMin, latencyMsMax, slowChance, slowMs, stuckChance } = this.weather
    const syncs = op.kind === 'sync' || op.kind === 'sync-directory' || (op.kind === 'write' && op.sync)
    if (syncs && this.#random.chance(stuckChance)) return undefined
    if (syncs && this.#random.chance(slowChance)) return slowMs
    return this.#random.between(latencyMsMin, latencyMsMax)
  }

  #usedBytes(): number {
    let used = 0
    for (const content of this.#names.values()) used += content.cache.length
    return used
  }
}

/** `base` with `bytes` laid over it, longer if need be. In place where it fits. */
function overlaid(base: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const end = offset + bytes.length
  const whole = end <= base.length ? base : new Uint8Array(end)
  if (whole !== base) whole.set(base)
  whole.set(bytes, offset)
  return whole
}

/** Puts the bytes of `newer` into the part of `older` that both cover. */
function overlap(older: Unsynced, newer: Unsynced): void {
  const start = Math.max(older.offset, newer.offset)
  const end = Math.min(older.offset + older.bytes.length, newer.offset + newer.bytes.length)
  if (start >= end) return
  older.bytes.set(newer.bytes.subarray(start - newer.offset, end - newer.offset), start - older.offset)
}

function applyChange(names: Names, change: NameChange): void {
  switch (change.kind) {
    case 'link':
      names.set(change.file, change.content)
      return
    case 'rename':
      names.delete(change.from)
      names.set(change.to, change.content)
      return
    case 'unlink':
      names.delete(change.file)
      return
    default:
      unreachable(change)
  }
}

function failed(message: string): DiskFault {
  return { kind: 'failed', message }
}

function full(message: string): DiskFault {
  return { kind: 'full', message: `${message}: no space left` }
}
