import type { Result } from '../kernel/index.ts'

/** A file's name in the store's one flat directory. */
export type DiskFile = string

/**
 * What can be asked of a disk. Operations that are in flight together may take effect in any order, and what is not
 * synced may be lost in any order: whoever needs an order waits for `done` in between.
 */
export type DiskOp =
  /** A file of `bytes` zeros with its space claimed; replaces one of that name. Neither name nor content is durable. */
  | { readonly kind: 'create'; readonly file: DiskFile; readonly bytes: number }
  /** The bytes must not change until `done`. With `sync`, `done` means that these bytes (not others) are durable. */
  | {
      readonly kind: 'write'
      readonly file: DiskFile
      readonly offset: number
      readonly bytes: Uint8Array
      readonly sync: boolean
    }
  /** All that was written to the file before becomes durable; its name does not. */
  | { readonly kind: 'sync'; readonly file: DiskFile }
  /** Replaces `to` if it exists, atomically. */
  | { readonly kind: 'rename'; readonly from: DiskFile; readonly to: DiskFile }
  | { readonly kind: 'remove'; readonly file: DiskFile }
  /** Names created, renamed and removed before become durable. */
  | { readonly kind: 'sync-directory' }

export interface DiskFault {
  /** `full`: no space left, or over quota. `failed`: everything else; the state on disk is unknown. */
  readonly kind: 'full' | 'failed'
  /** For people: operation, file, and what the system said. */
  readonly message: string
}

export interface DiskEntry {
  readonly file: DiskFile
  readonly bytes: number
}

/** One flat directory of files. The real one is `src/storage/node-disk.ts`, the faulty one `src/sim/disk.ts`. */
export interface DiskPort {
  /** Starts an operation. `done` is called once, later, never from inside `submit`; after a crash never. */
  submit(op: DiskOp, done: (fault: DiskFault | undefined) => void): void
  /** Calls once when the present turn of the host's loop is over, so that what a turn appends goes as one group. */
  afterTurn(run: () => void): void
  /** All files, in order of name. For the start only: it may block. */
  list(): Result<readonly DiskEntry[], DiskFault>
  /** A whole file. For the start only: it may block. */
  read(file: DiskFile): Result<Uint8Array, DiskFault>
}
