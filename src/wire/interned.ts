/** Slots of the table: the digests and names alive at once are a few hundred in a busy cell, thousands in a large swarm. */
const SLOTS = 8192

interface Slot {
  readonly bytes: Uint8Array
  readonly text: string
}

/**
 * Texts met lately, by the bytes they were read from: digests and node ids come again and again, and building one anew
 * costs more than all the rest of a small message. Bounded: a text takes the place of another with the same slot. What
 * peers send can make it useless and never wrong, for bytes are compared in full.
 */
export class Interned {
  readonly #slots: (Slot | undefined)[] = new Array(SLOTS).fill(undefined)

  /** The text of bytes[from .. from + length); `make` is asked where it is not known. */
  of(bytes: Uint8Array, from: number, length: number, make: (bytes: Uint8Array) => string): string {
    const place = placeOf(bytes, from, length)
    const slot = this.#slots[place]
    if (slot !== undefined && same(slot.bytes, bytes, from, length)) return slot.text
    const own = bytes.slice(from, from + length)
    const text = make(own)
    this.#slots[place] = { bytes: own, text }
    return text
  }
}

/** From both ends: node ids begin alike, and no digest does. */
function placeOf(bytes: Uint8Array, from: number, length: number): number {
  if (length < 4) return length === 0 ? 0 : ((bytes[from] ?? 0) * 8 + length) % SLOTS
  const last = from + length - 1
  const head = ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 3] ?? 0)
  const tail = ((bytes[last - 1] ?? 0) << 8) | (bytes[last] ?? 0)
  return (Math.imul((head << 16) ^ tail, 0x9e37_79b1) >>> 16) % SLOTS
}

function same(known: Uint8Array, bytes: Uint8Array, from: number, length: number): boolean {
  if (known.length !== length) return false
  for (let i = 0; i < length; i++) if (known[i] !== bytes[from + i]) return false
  return true
}
