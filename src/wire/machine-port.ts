import type { Brand, ErrorCode, NodeId, WallMillis } from '../kernel/index.ts'

const KIB = 1024

/** Longest single operation that a group decides on. */
export const OPERATION_BYTES_MAX = 32 * KIB
/** Longest piece of a snapshot. */
export const CHUNK_BYTES_MAX = 128 * KIB

/** Longest name of an account. */
export const ACCOUNT_BYTES_MAX = 96

/** A block's place in a group's chain; 0 is the genesis. */
export type Height = Brand<number, 'Height'>

/** Why an operation changes nothing. */
export interface MachineRefusal {
  readonly code: ErrorCode
  readonly reason: string
}

export interface Applying {
  readonly client: NodeId
  readonly height: Height
  /** The block's time: the same for all members, and no one's own clock. */
  readonly at: WallMillis
}

/** Of whom a client is one. What is remembered of clients is shared out among accounts, so that none takes the others' places. */
export interface ClientAccount {
  /** At most `ACCOUNT_BYTES_MAX`. */
  readonly name: string
  /** Its places are kept for it, whoever else speaks: of such accounts the machine has few. */
  readonly reserved: boolean
}

/**
 * What a group decides about: a deterministic state machine. The same operations in the same order give the same state,
 * results and snapshots on every member: no clock, no randomness, no order of a hash table, no floating-point sums that depend on order.
 */
export interface Machine {
  /** Whether this client may have operations applied at all, in the present state (B-2). */
  authorised(client: NodeId): boolean
  /** The account of a client that is authorised, in the present state; undefined: all such share one. */
  account?(client: NodeId): ClientAccount | undefined
  /** Whether the operation would be refused in the present state: advice for the edge, before it costs a decision. */
  check(operation: Uint8Array, client: NodeId): MachineRefusal | undefined
  /** Applies wholly, or refuses and changes nothing. Hostile operations are refused, never thrown at. */
  apply(operation: Uint8Array, about: Applying): { readonly result: Uint8Array } | MachineRefusal
  /**
   * A member has signed votes that contradict each other, as this block proves: told once, before its operations. It leaves
   * the group whatever the machine wants; a machine that seats members has to know.
   */
  convict?(member: NodeId, at: WallMillis): void
  /** The membership the group shall come to have. The core goes there in steps (B-24). */
  members(): readonly NodeId[]
  /**
   * The whole state in pieces of at most `CHUNK_BYTES_MAX`, canonical: equal states, equal pieces. A piece that did not change
   * since the last call should be the same object, so that it is not hashed again. Pieces are never modified afterwards.
   */
  snapshot(): readonly Uint8Array[]
  /** Replaces the state. Certified by a quorum, so false (not a state of this machine) is a bug or a version mismatch. */
  restore(chunks: readonly Uint8Array[]): boolean
}
