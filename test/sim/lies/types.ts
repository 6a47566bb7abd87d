import type { ClaimsMessage } from '../../../src/claims/index.ts'
import type { NodeId, Random } from '../../../src/kernel/index.ts'
import type { Hearsay } from './hearsay.ts'

export type ClaimsKind = ClaimsMessage['kind']
export type Body<K extends ClaimsKind> = Extract<ClaimsMessage, { readonly kind: K }>['body']

/** What no encoder would write. */
export interface Frame {
  readonly kind: ClaimsKind
  readonly bytes: Uint8Array
}

export interface Said {
  readonly to: NodeId
  readonly message: ClaimsMessage | Frame
  /** Now, by default. */
  readonly afterMs?: number
}

/** A member that lies, as its lies see it. */
export interface Liar {
  readonly node: NodeId
  readonly random: Random
  /** Linked now. */
  readonly peers: readonly NodeId[]
  readonly hearsay: Hearsay
}

/** A habit of a member that is correct but for it, made anew for each member: it may remember. */
export interface Lie {
  readonly name: string
  /** What it really sends when the correct member would send this to that node; an empty list withholds. */
  readonly sends?: (liar: Liar, to: NodeId, message: ClaimsMessage) => readonly Said[]
  /** What it answers. Undefined: the correct member hears it, and answers as it likes. */
  readonly hears?: (liar: Liar, from: NodeId, message: ClaimsMessage) => readonly Said[] | undefined
  /** What it says on its own about every `everyMs`. */
  readonly acts?: (liar: Liar) => readonly Said[]
  readonly everyMs?: number
}
