import type { Millis, NodeId, Observation } from '../kernel/index.ts'
import type { LinkDownReason, MessageKind } from '../wire/index.ts'
import type { Machine } from './machine.ts'
import type { Program } from './program.ts'

/** A clause that did not hold. */
export interface Violation {
  readonly clause: string
  readonly at: Millis
  readonly machine: number | undefined
  readonly text: string
}

/**
 * Watches a run and says what must not be. Sees what crosses the network, what programs tell people and their
 * read-only views; never calls the code it checks (SI-11). Called for every event, so it keeps its own books.
 */
export interface Checker<P extends Program> {
  onBoot?(machine: Machine, program: P): void
  onDown?(machine: Machine): void
  onObserve?(machine: Machine, observation: Observation): void
  onSend?(machine: Machine, to: NodeId, kind: MessageKind, body: Uint8Array): void
  onPublish?(machine: Machine, kind: MessageKind, body: Uint8Array): void
  /** A gossiped message crosses one link. */
  onForward?(machine: Machine, kind: MessageKind): void
  onLinkDown?(machine: Machine, peer: NodeId, reason: LinkDownReason): void
  /** After each turn of a program's loop. */
  onTurn?(machine: Machine, program: P): void
}
