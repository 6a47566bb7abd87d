/** Something that takes bytes from outside. */
export interface FuzzTarget {
  readonly name: string
  /** Valid inputs, from which others are made. */
  readonly samples: readonly Uint8Array[]
  /** Longest input it may be given; longer ones are refused by who reads them. */
  readonly bytesMax: number
  /** Its share of the inputs, from 1. Those that verify signatures cost a hundred times the others. */
  readonly weight: number
  /** What it may hold whatever the input's length, where that is more than {@link MEMORY_BYTES_BASE}. */
  readonly memoryBytesBase?: number
  /**
   * Undefined when it refuses the input; what the input's value re-encodes to (F-2), or `accepted` where there is
   * nothing to re-encode.
   */
  attempt(input: Uint8Array): Uint8Array | 'accepted' | undefined
}

/** F-3. */
export const MEMORY_BYTES_BASE = 256 * 1024

/** Shares of the inputs: of a shape or another cheap decoder, and of one that verifies signatures. */
export const CHEAP_WEIGHT = 20
export const COSTLY_WEIGHT = 1

export const INPUT_BYTES_MAX = 64 * 1024
