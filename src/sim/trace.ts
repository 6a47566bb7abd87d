import type { Millis } from '../kernel/index.ts'

/** What is traced; the place of a word is its number in the hash. */
export const TRACE_KINDS = [
  'boot',
  'down',
  'pause',
  'resume',
  'tick',
  'send',
  'deliver',
  'lose',
  'gossip',
  'link-up',
  'link-down',
  'gap',
  'dial-failed',
  'durable',
  'observe',
  'fault',
  'end',
] as const
export type TraceKind = (typeof TRACE_KINDS)[number]

const CODES = Object.fromEntries(TRACE_KINDS.map((kind, i) => [kind, i + 1])) as Readonly<Record<TraceKind, number>>

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/**
 * A rolling hash of everything that happened (SI-1): two 32-bit lanes of FNV-1a with different offsets. Readable lines
 * only when someone listens, so that the default costs tens of nanoseconds per event.
 */
export class Trace {
  #low = 0x811c9dc5
  #high = 0x1b873593
  #count = 0
  readonly #listen: ((line: string) => void) | undefined

  constructor(listen?: (line: string) => void) {
    this.#listen = listen
  }

  get count(): number {
    return this.#count
  }

  /** Sixteen hexadecimal digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low)
  }

  /** `detail` is for the reader only; what it says must follow from the hashed arguments. */
  record(kind: TraceKind, at: Millis, machine: number, value: number, bytes?: Uint8Array, detail?: () => string): void {
    this.#count += 1
    float[0] = at
    let low = this.#low
    low = Math.imul(low ^ (CODES[kind] + (machine << 8)), 0x01000193)
    low = Math.imul(low ^ (words[0] as number), 0x01000193)
    low = Math.imul(low ^ (words[1] as number), 0x01000193)
    low = Math.imul(low ^ value, 0x01000193)
    if (bytes !== undefined) {
      for (let i = 0; i < bytes.length; i++) low = Math.imul(low ^ (bytes[i] as number), 0x01000193)
    }
    this.#low = low
    this.#high = Math.imul(this.#high ^ low ^ (low >>> 15), 0x85ebca6b)
    if (this.#listen !== undefined) {
      const time = (at / 1000).toFixed(6).padStart(12)
      this.#listen(`${time} n${String(machine).padEnd(4)} ${kind.padEnd(11)} ${detail?.() ?? value}`)
    }
  }

  /** For text that only the hash needs to know. */
  static hashText(text: string): number {
    let hash = 0x811c9dc5
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    return hash >>> 0
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
