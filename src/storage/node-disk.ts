import * as fs from 'node:fs'
import { join } from 'node:path'
import { assert, err, ok, type Result, unreachable } from '../kernel/index.ts'
import type { DiskEntry, DiskFault, DiskFile, DiskOp, DiskPort } from '../wire/index.ts'

/** One call's worth of zeros when space is claimed. */
const ZEROS_BYTES = 1024 * 1024
let zeros: Buffer | undefined

/** Linux has O_DSYNC, which makes a durable write one trip to the thread pool. Elsewhere fdatasync does more (macOS). */
const O_DSYNC = process.platform === 'linux' ? fs.constants.O_DSYNC : undefined

/** What a process or a host may have open others take too, and give back: it is asked for again this often, and so many times. */
const OPEN_RETRY_MS = 100
const OPEN_TRIES_MAX = 300

type Callback = (error: NodeJS.ErrnoException | null) => void

/** A directory of files of one store, over `node:fs`. All calls go through libuv's thread pool. */
export class NodeDisk implements DiskPort {
  readonly #directory: string
  /** Open files, for plain writes and for durable ones. Few: the segment being filled, a spare, a draft. */
  readonly #plain = new Map<DiskFile, number>()
  readonly #durable = new Map<DiskFile, number>()
  #inFlight = 0
  #whenIdle: (() => void) | undefined

  /** The directory must exist. */
  constructor(directory: string) {
    this.#directory = directory
  }

  submit(op: DiskOp, done: (fault: DiskFault | undefined) => void): void {
    assert(this.#whenIdle === undefined, 'a closed disk takes no operations', { kind: op.kind })
    this.#inFlight += 1
    this.#perform(op, (error) => {
      this.#inFlight -= 1
      done(error === null ? undefined : faultOf(op, error))
      if (this.#inFlight === 0) this.#whenIdle?.()
    })
  }

  afterTurn(run: () => void): void {
    setImmediate(run)
  }

  list(): Result<readonly DiskEntry[], DiskFault> {
    try {
      const names = fs.readdirSync(this.#directory).sort()
      return ok(names.map((file) => ({ file, bytes: fs.statSync(this.#path(file)).size })))
    } catch (error) {
      return err({ kind: 'failed', message: `list ${this.#directory}: ${messageOf(error)}` })
    }
  }

  read(file: DiskFile): Result<Uint8Array, DiskFault> {
    try {
      return ok(fs.readFileSync(this.#path(file)))
    } catch (error) {
      return err({ kind: 'failed', message: `read ${this.#path(file)}: ${messageOf(error)}` })
    }
  }

  /** Takes no more operations, waits for those in flight, and closes all files. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve
      if (this.#inFlight === 0) resolve()
    })
    for (const descriptor of [...this.#plain.values(), ...this.#durable.values()]) fs.closeSync(descriptor)
    this.#plain.clear()
    this.#durable.clear()
  }

  #perform(op: DiskOp, done: Callback): void {
    switch (op.kind) {
      case 'create':
        this.#create(op.file, op.bytes, done)
        return
      case 'write':
        this.#write(op.file, op.offset, op.bytes, op.sync, done)
        return
      case 'sync':
        this.#withFile(op.file, false, done, (descriptor) => fs.fdatasync(descriptor, done))
        return
      case 'rename':
        // Descriptors follow the inode; opening by the new name again is simpler than to carry them over.
        this.#forget(op.from)
        this.#forget(op.to)
        fs.rename(this.#path(op.from), this.#path(op.to), done)
        return
      case 'remove':
        this.#forget(op.file)
        fs.unlink(this.#path(op.file), done)
        return
      case 'sync-directory':
        this.#syncDirectory(done)
        return
      default:
        unreachable(op)
    }
  }

  #path(file: DiskFile): string {
    return join(this.#directory, file)
  }

  #create(file: DiskFile, bytes: number, done: Callback): void {
    this.#forget(file)
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC
    open(this.#path(file), flags, (error, descriptor) => {
      if (error !== null) {
        done(error)
        return
      }
      this.#plain.set(file, descriptor)
      // Zeros are written, not left as a hole: later syncs then need no metadata, and the space is really there (S-8).
      writeZeros(descriptor, 0, bytes, done)
    })
  }

  #write(file: DiskFile, offset: number, bytes: Uint8Array, sync: boolean, done: Callback): void {
    this.#withFile(file, sync, done, (descriptor) => {
      writeAll(descriptor, bytes, offset, (error) => {
        if (error !== null || !sync || O_DSYNC !== undefined) done(error)
        else fs.fdatasync(descriptor, done)
      })
    })
  }

  #withFile(file: DiskFile, sync: boolean, done: Callback, use: (descriptor: number) => void): void {
    const files = sync ? this.#durable : this.#plain
    const known = files.get(file)
    if (known !== undefined) {
      use(known)
      return
    }
    const flags = fs.constants.O_RDWR | (sync ? (O_DSYNC ?? 0) : 0)
    open(this.#path(file), flags, (error, descriptor) => {
      if (error !== null) {
        done(error)
        return
      }
      // Another operation on the same file may have opened it meanwhile: one descriptor is enough.
      const first = files.get(file) ?? descriptor
      if (first !== descriptor) fs.closeSync(descriptor)
      files.set(file, first)
      use(first)
    })
  }

  /** Nothing is in flight on that file: whoever renames or removes it has waited. */
  #forget(file: DiskFile): void {
    for (const files of [this.#plain, this.#durable]) {
      const descriptor = files.get(file)
      if (descriptor !== undefined) fs.closeSync(descriptor)
      files.delete(file)
    }
  }

  #syncDirectory(done: Callback): void {
    open(this.#directory, fs.constants.O_RDONLY, (error, descriptor) => {
      if (error !== null) {
        done(error)
        return
      }
      fs.fsync(descriptor, (syncError) => fs.close(descriptor, (closeError) => done(syncError ?? closeError ?? null)))
    })
  }
}

/** S-14: where nothing more can be opened, nothing was begun, and trying again is safe. */
function open(
  path: string,
  flags: number,
  done: (error: NodeJS.ErrnoException | null, descriptor: number) => void,
  triesLeft = OPEN_TRIES_MAX,
): void {
  fs.open(path, flags, 0o600, (error, descriptor) => {
    if (isShortage(error) && triesLeft > 1) setTimeout(open, OPEN_RETRY_MS, path, flags, done, triesLeft - 1)
    else done(error, descriptor)
  })
}

/** Of the process, or of the host. */
function isShortage(error: NodeJS.ErrnoException | null): boolean {
  return error?.code === 'EMFILE' || error?.code === 'ENFILE'
}

/** A write may take fewer bytes than it was given; the rest follows. */
function writeAll(descriptor: number, bytes: Uint8Array, offset: number, done: Callback): void {
  fs.write(descriptor, bytes, 0, bytes.length, offset, (error, written) => {
    if (error !== null || written === bytes.length) done(error)
    else writeAll(descriptor, bytes.subarray(written), offset + written, done)
  })
}

function writeZeros(descriptor: number, offset: number, end: number, done: Callback): void {
  if (offset >= end) {
    done(null)
    return
  }
  zeros ??= Buffer.alloc(ZEROS_BYTES)
  fs.write(descriptor, zeros, 0, Math.min(zeros.length, end - offset), offset, (error, written) => {
    if (error !== null) done(error)
    else writeZeros(descriptor, offset + written, end, done)
  })
}

function faultOf(op: DiskOp, error: NodeJS.ErrnoException): DiskFault {
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT'
  const advice = isShortage(error) ? ' (allow more with ulimit -n, or LimitNOFILE in a unit file)' : ''
  return { kind: full ? 'full' : 'failed', message: `${op.kind}: ${messageOf(error)}${advice}` }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
