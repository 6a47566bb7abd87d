import { assert } from './assert.ts'

/**
 * A map that never holds more than `entriesMax` entries, in order of last `set`.
 * When full, `set` of a new key evicts the entry that was set longest ago and returns it, so that the caller can count
 * or report the loss: the bound is visible, never silent.
 */
export class BoundedMap<K, V> {
  readonly entriesMax: number
  readonly #entries = new Map<K, V>()

  constructor(entriesMax: number) {
    assert(Number.isInteger(entriesMax) && entriesMax > 0, 'a bound is a positive whole number', { entriesMax })
    this.entriesMax = entriesMax
  }

  get size(): number {
    return this.#entries.size
  }

  get full(): boolean {
    return this.#entries.size >= this.entriesMax
  }

  has(key: K): boolean {
    return this.#entries.has(key)
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)
  }

  /** Puts the entry last in order. Returns what had to leave for it, if anything. */
  set(key: K, value: V): { readonly key: K; readonly value: V } | undefined {
    this.#entries.delete(key)
    let evicted: { key: K; value: V } | undefined
    if (this.#entries.size >= this.entriesMax) {
      const oldest = this.#entries.entries().next()
      if (!oldest.done) {
        const [oldestKey, oldestValue] = oldest.value
        this.#entries.delete(oldestKey)
        evicted = { key: oldestKey, value: oldestValue }
      }
    }
    this.#entries.set(key, value)
    return evicted
  }

  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  keys(): MapIterator<K> {
    return this.#entries.keys()
  }

  values(): MapIterator<V> {
    return this.#entries.values()
  }

  entries(): MapIterator<[K, V]> {
    return this.#entries.entries()
  }
}
