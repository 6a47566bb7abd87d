import { openSync, writeSync } from 'node:fs'

/** How often a write to a pipe that is full just now is tried, and how long between two tries, in milliseconds. */
const TRIES_MAX = 100
const RETRY_MS = 1

const NEWLINE = Buffer.from('\n')
const asleep = new Int32Array(new SharedArrayBuffer(4))

/** Writes bytes to a descriptor, at once; returns how many it took. */
export type Write = (descriptor: number, bytes: Uint8Array) => number

/**
 * Lines into a file or a pipe, at once: one that explains a crash must be out before the crash. A line that cannot be
 * written, because the disk is full or the reader is gone, is lost, and ends nobody for the sake of a log.
 */
export class LineSink {
  readonly #descriptor: number
  readonly #write: Write
  /** The last line is there in part only: what comes next begins a line of its own. */
  #isTorn = false

  constructor(descriptor: number, write: Write = writeSync) {
    this.#descriptor = descriptor
    this.#write = write
  }

  /**
   * Appends to a file, which only its owner may read when it is new.
   *
   * @throws what the system says
   */
  static toFile(path: string): LineSink {
    return new LineSink(openSync(path, 'a', 0o600))
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#isTorn && this.#writeAll(NEWLINE) > 0) this.#isTorn = false
    if (this.#isTorn) return
    const written = this.#writeAll(bytes)
    this.#isTorn = written > 0 && written < bytes.length
  }

  /** How many bytes of it were written. */
  #writeAll(bytes: Uint8Array): number {
    let written = 0
    for (let tries = 0; written < bytes.length && tries < TRIES_MAX; ) {
      try {
        written += this.#write(this.#descriptor, bytes.subarray(written))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') return written
        tries += 1
        Atomics.wait(asleep, 0, 0, RETRY_MS)
      }
    }
    return written
  }
}
