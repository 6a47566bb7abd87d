const NEWLINE = 0x0a
const CAPACITY_MIN = 1024
/** A buffer that grew beyond this for one long line is given back after it. */
const CAPACITY_KEPT = 64 * 1024

export type LineFault = 'too-long' | 'not-utf8'

/** Complete lines without their newlines, in order; `fault` ends the stream after them. */
export interface Lines {
  readonly lines: readonly string[]
  readonly fault?: LineFault
}

const NOTHING: Lines = { lines: [] }

/**
 * Cuts a byte stream into lines of UTF-8 text (I-1). What is held between two calls is one unfinished line, in one
 * buffer of at most `lineBytesMax` bytes: a line that arrives byte by byte costs no more than one that comes whole.
 */
export class LineDecoder {
  readonly #lineBytesMax: number
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  #held = new Uint8Array(0)
  #heldBytes = 0
  #dead = false

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  /** Takes bytes as they come. After a fault it takes nothing more and returns no lines (I-2). */
  push(bytes: Uint8Array): Lines {
    if (this.#dead) return NOTHING
    const lines: string[] = []
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      if (this.#heldBytes + end - start > this.#lineBytesMax) return this.#fail(lines, 'too-long')
      const line = this.#take(bytes.subarray(start, end))
      if (line === undefined) return this.#fail(lines, 'not-utf8')
      lines.push(line)
      start = end + 1
    }
    if (this.#heldBytes + bytes.length - start > this.#lineBytesMax) return this.#fail(lines, 'too-long')
    this.#hold(bytes.subarray(start))
    return { lines }
  }

  /** The held bytes and these as one text, or undefined when they are not UTF-8. */
  #take(rest: Uint8Array): string | undefined {
    let whole = rest
    if (this.#heldBytes > 0) {
      this.#hold(rest)
      whole = this.#held.subarray(0, this.#heldBytes)
      this.#heldBytes = 0
    }
    try {
      return this.#utf8.decode(whole)
    } catch {
      return undefined
    } finally {
      if (this.#held.length > CAPACITY_KEPT) this.#held = new Uint8Array(0)
    }
  }

  #hold(bytes: Uint8Array): void {
    const needed = this.#heldBytes + bytes.length
    if (needed > this.#held.length) {
      const capacity = Math.min(this.#lineBytesMax, Math.max(CAPACITY_MIN, needed, this.#held.length * 2))
      const grown = new Uint8Array(capacity)
      grown.set(this.#held.subarray(0, this.#heldBytes))
      this.#held = grown
    }
    this.#held.set(bytes, this.#heldBytes)
    this.#heldBytes = needed
  }

  #fail(lines: readonly string[], fault: LineFault): Lines {
    this.#dead = true
    this.#held = new Uint8Array(0)
    this.#heldBytes = 0
    return { lines, fault }
  }
}
