/** Brackets in brackets: far more than anybody means, far fewer than whoever reads it has stack for. */
const DEPTH_MAX = 512

const TAB = 0x09
const RETURN = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

const LITERALS = ['true', 'false', 'null'].map((word) => [...word].map((letter) => letter.charCodeAt(0)))
/** What may follow a backslash, without `u`. */
const ESCAPED = new Set([...'"\\/bfnrt'].map((letter) => letter.charCodeAt(0)))
const ESCAPED_UNIT = 0x75

/**
 * Whether the bytes are one JSON value (RFC 8259) without a line end in it: payloads of members are put into lines for
 * clients and agents as they are. Builds nothing, so that it costs little and no value can make it cost much. What is
 * no UTF-8 can stand in strings only, where it is read as a replacement character.
 */
export function isJsonLine(bytes: Uint8Array): boolean {
  const scan = new Scan(bytes)
  return scan.value(0) && scan.isAtEnd()
}

/** Each method takes what it is named after and says whether it was there. */
class Scan {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** With the blanks around it. */
  value(depth: number): boolean {
    this.#blanks()
    const isOne = this.#bare(depth)
    this.#blanks()
    return isOne
  }

  #bare(depth: number): boolean {
    switch (this.#bytes[this.#at]) {
      case QUOTE:
        return this.#string()
      case OPEN_OBJECT:
        return depth < DEPTH_MAX && this.#members(CLOSE_OBJECT, depth)
      case OPEN_LIST:
        return depth < DEPTH_MAX && this.#members(CLOSE_LIST, depth)
      default:
        return this.#number() || LITERALS.some((word) => this.#word(word))
    }
  }

  #members(close: number, depth: number): boolean {
    this.#at += 1
    this.#blanks()
    if (this.#one(close)) return true
    do {
      if (close === CLOSE_OBJECT && !this.#key()) return false
      if (!this.value(depth + 1)) return false
    } while (this.#one(COMMA))
    return this.#one(close)
  }

  #key(): boolean {
    this.#blanks()
    if (this.#bytes[this.#at] !== QUOTE || !this.#string()) return false
    this.#blanks()
    return this.#one(COLON)
  }

  #string(): boolean {
    const bytes = this.#bytes
    for (let at = this.#at + 1; at < bytes.length; at++) {
      const byte = bytes[at] as number
      if (byte === QUOTE) {
        this.#at = at + 1
        return true
      }
      if (byte < SPACE) return false
      if (byte !== BACKSLASH) continue
      at += 1
      const escaped = bytes[at] ?? 0
      if (escaped === ESCAPED_UNIT) {
        for (let i = 0; i < 4; i++) if (!isHex(bytes[++at] ?? 0)) return false
      } else if (!ESCAPED.has(escaped)) return false
    }
    return false
  }

  #number(): boolean {
    this.#one(MINUS)
    if (!this.#one(ZERO) && !this.#digits()) return false
    if (this.#one(POINT) && !this.#digits()) return false
    // e or E
    if (((this.#bytes[this.#at] ?? 0) | SPACE) !== 0x65) return true
    this.#at += 1
    if (!this.#one(PLUS)) this.#one(MINUS)
    return this.#digits()
  }

  #digits(): boolean {
    const start = this.#at
    for (;;) {
      const byte = this.#bytes[this.#at] ?? 0
      if (byte < ZERO || byte > NINE) return this.#at > start
      this.#at += 1
    }
  }

  #word(word: readonly number[]): boolean {
    if (!word.every((letter, i) => this.#bytes[this.#at + i] === letter)) return false
    this.#at += word.length
    return true
  }

  #one(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false
    this.#at += 1
    return true
  }

  /** A line end is none: there is to be none in it. */
  #blanks(): void {
    for (;;) {
      const byte = this.#bytes[this.#at]
      if (byte !== SPACE && byte !== TAB && byte !== RETURN) return
      this.#at += 1
    }
  }
}

function isHex(byte: number): boolean {
  const letter = byte | SPACE
  return (byte >= ZERO && byte <= NINE) || (letter >= 0x61 && letter <= 0x66)
}
