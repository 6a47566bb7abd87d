import type { ClaimsEffect, ClaimsInput } from '../claims/index.ts'
import type { Claim, GroupId, Outcome, Submission } from '../consensus/index.ts'
import type { NodeId } from '../kernel/index.ts'
import type { MembershipEffect, MembershipInput } from '../membership/index.ts'
import type { RenewalEffect, RenewalInput } from '../renewal/index.ts'
import type { Message } from './codec.ts'
import type { CoreObservation } from './observation-types.ts'
import type { NodeRecord } from './records.ts'

/** How busy this host is, measured by the runtime every other second. */
export interface LoadSample {
  /** Share of one core that this process used; above 1 with threads. */
  readonly cpuShare: number
  readonly rssBytes: number
  /** The worst lateness of a timer since the last sample. */
  readonly eventLoopLagMs: number
}

/** Why validators turn a node away that was a member. */
export type ShutOut = 'revoked' | 'unvouched'

/** An operation for a group, in this node's name or in that of a key it holds. */
export type Proposal = Required<Submission>

/** What happens to a node. Messages arrive decoded, within their size and rate; signatures are the cores' to ask for. */
export type SwarmInput =
  | { readonly kind: 'tick' }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: Message }
  | { readonly kind: 'load'; readonly sample: LoadSample }
  /** Messages that must not be lost may have been, in either direction. */
  | { readonly kind: 'gap'; readonly peer: NodeId }
  /** All that a group had persisted up to this mark is durable: the answer to `settle`. */
  | { readonly kind: 'settled'; readonly group: GroupId; readonly mark: number }
  /** The answer to a `verify`, in its order. */
  | { readonly kind: 'verified'; readonly group: GroupId; readonly id: number; readonly valid: readonly boolean[] }
  /** Operations that a group is to decide on together; each is answered by `decided` with its id. */
  | { readonly kind: 'propose'; readonly group: GroupId; readonly proposals: readonly Proposal[] }
  /** That message did not leave: its lane is full, or the link is gone. */
  | { readonly kind: 'refused'; readonly peer: NodeId; readonly message: Message }
  /** That peer does not talk to this node: its certificate was revoked, or the key that signed it was withdrawn. */
  | { readonly kind: 'shut-out'; readonly by: NodeId; readonly why: ShutOut }
  /** A peer was refused for the key that has certified it: no organisation's, as far as this node knows. */
  | { readonly kind: 'authority-unknown' }
  /** Agents, tasks and questions about them: see `src/claims/README.md`. */
  | { readonly kind: 'claims'; readonly input: ClaimsHostInput }
  | Extract<MembershipInput, { kind: 'link-up' | 'link-down' | 'facts' | 'introduce' | 'revoke' | 'leave' }>
  /** At the start and about once a second, by the loop itself; and the outcome of each `issue`. */
  | Extract<RenewalInput, { kind: 'clock' | 'issued' }>

/** What a host says to the claims; the rest of their inputs comes from the other cores. */
export type ClaimsHostInput = Exclude<
  ClaimsInput,
  { kind: 'clock' | 'link-up' | 'link-down' | 'gap' | 'refused' | 'candidate-changed' | 'message' }
>

/** What the claims ask of the host: agents, answers, news of tasks. */
export type ClaimsHostEffect = Extract<
  ClaimsEffect,
  { kind: 'run' | 'stop' | 'steer' | 'expel' | 'reply' | 'task-changed' | 'task-progress' }
>

/** What a node asks of its host, to be performed in list order; what follows a `persist` waits until it is durable. */
export type SwarmEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: Message }
  | { readonly kind: 'publish'; readonly message: Message }
  /**
   * With `barrier`, what later steps ask for waits too: every message from now on may rest on this record. With `mayWait`
   * nothing rests on it yet: it is written with what comes next.
   */
  | {
      readonly kind: 'persist'
      readonly record: NodeRecord
      readonly barrier?: boolean
      readonly mayWait?: boolean | undefined
    }
  /** What stands behind it leaves only when all that was persisted before, in any step, is durable. */
  | { readonly kind: 'barrier' }
  | { readonly kind: 'claims'; readonly effect: ClaimsHostEffect }
  /** Come back with `settled` once everything before it is durable. */
  | { readonly kind: 'settle'; readonly group: GroupId; readonly mark: number }
  /** Check these signatures, wherever that is cheapest, and come back with `verified`. */
  | { readonly kind: 'verify'; readonly group: GroupId; readonly id: number; readonly claims: readonly Claim[] }
  /** What became of a `propose`. */
  | { readonly kind: 'decided'; readonly id: number; readonly outcome: Outcome }
  | { readonly kind: 'observe'; readonly observation: CoreObservation }
  /** Other keys speak for organisations from now on: links that rest on withdrawn ones are to end. */
  | { readonly kind: 'authorities-changed' }
  | Extract<MembershipEffect, { kind: 'connect' | 'disconnect' | 'penalise' }>
  /** This node's new certificate is durable: handshakes show it from now on. */
  | { readonly kind: 'certified'; readonly certificate: Uint8Array }
  /** To be signed with the organisation's key; the outcome is a later input `issued`. */
  | Extract<RenewalEffect, { kind: 'issue' | 'peer-renewed' }>
