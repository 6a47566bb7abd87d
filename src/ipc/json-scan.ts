const TAB = 0x09
const SPACE = 0x20
const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SMALL_A = 0x61
const SMALL_E = 0x65
const SMALL_F = 0x66
const SMALL_U = 0x75

const WORDS = ['true', 'false', 'null'].map((word) => [...word].map((letter) => letter.charCodeAt(0)))
/** What may follow a backslash, without `u`. */
const ESCAPED = new Set([...'"\\/bfnrt'].map((letter) => letter.charCodeAt(0)))

/**
 * Looks whether bytes are one JSON value (RFC 8259) without a line end, and builds nothing: `JSON.parse` of a megabyte of
 * brackets takes half a second. Each method takes what it is named after and says whether it was there.
 */
export class JsonScan {
  readonly #bytes: Uint8Array
  /** The objects (true) and lists that are open. */
  readonly #open: boolean[] = []
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  isOneValue(): boolean {
    while (this.#begun()) {
      const next = this.#ended()
      if (next !== 'value') return next === 'end'
    }
    return false
  }

  /** A scalar, an empty list or object up to its closing bracket, or everything up to the first scalar within. */
  #begun(): boolean {
    for (;;) {
      this.#blanks()
      const byte = this.#bytes[this.#at]
      if (byte !== OPEN_OBJECT && byte !== OPEN_LIST) return this.#scalar(byte)
      const isObject = byte === OPEN_OBJECT
      this.#at += 1
      this.#open.push(isObject)
      this.#blanks()
      if (this.#bytes[this.#at] === (isObject ? CLOSE_OBJECT : CLOSE_LIST)) return true
      if (isObject && !this.#key()) return false
    }
  }

  /** What may stand behind a value: brackets that close, and then the end, or another value. */
  #ended(): 'value' | 'end' | 'wrong' {
    for (;;) {
      this.#blanks()
      const isObject = this.#open.at(-1)
      if (isObject === undefined) return this.#at === this.#bytes.length ? 'end' : 'wrong'
      if (this.#one(COMMA)) return !isObject || this.#key() ? 'value' : 'wrong'
      if (!this.#one(isObject ? CLOSE_OBJECT : CLOSE_LIST)) return 'wrong'
      this.#open.pop()
    }
  }

  #key(): boolean {
    this.#blanks()
    if (this.#bytes[this.#at] !== QUOTE || !this.#string()) return false
    this.#blanks()
    return this.#one(COLON)
  }

  #scalar(byte: number | undefined): boolean {
    if (byte === QUOTE) return this.#string()
    // By its first letter: what one of these has taken of the text is gone for the other.
    return byte === MINUS || isDigit(byte) ? this.#number() : WORDS.some((word) => this.#word(word))
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
      if (escaped === SMALL_U) {
        for (let i = 0; i < 4; i++) if (!isHex(bytes[++at] ?? 0)) return false
      } else if (!ESCAPED.has(escaped)) return false
    }
    return false
  }

  #number(): boolean {
    this.#one(MINUS)
    if (!this.#one(ZERO) && !this.#digits()) return false
    if (this.#one(POINT) && !this.#digits()) return false
    if (((this.#bytes[this.#at] ?? 0) | SPACE) !== SMALL_E) return true
    this.#at += 1
    if (!this.#one(PLUS)) this.#one(MINUS)
    return this.#digits()
  }

  #digits(): boolean {
    const start = this.#at
    for (;;) {
      if (!isDigit(this.#bytes[this.#at])) return this.#at > start
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

  /** A line end is none. */
  #blanks(): void {
    for (;;) {
      const byte = this.#bytes[this.#at]
      if (byte !== SPACE && byte !== TAB) return
      this.#at += 1
    }
  }
}

function isDigit(byte = 0): boolean {
  return byte >= ZERO && byte <= NINE
}

function isHex(byte: number): boolean {
  const letter = byte | SPACE
  return isDigit(byte) || (letter >= SMALL_A && letter <= SMALL_F)
}
