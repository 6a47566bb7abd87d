import type { NodeId } from '../kernel/index.ts'
import type { MembershipEffect, MembershipInput } from '../membership/index.ts'
import type { RenewalEffect, RenewalInput } from '../renewal/index.ts'
import type { Message } from './codec.ts'
import type { CoreObservation } from './observations.ts'
import type { NodeRecord } from './records.ts'

/** How busy this host is, measured by the runtime every other second. */
export interface LoadSample {
  /** Share of one core that this process used; above 1 with threads. */
  readonly cpuShare: number
  readonly rssBytes: number
  /** The worst lateness of a timer since the last sample. */
  readonly eventLoopLagMs: number
}

/** What happens to a node. Messages arrive decoded, within their size and rate; signatures are the cores' to ask for. */
export type SwarmInput =
  | { readonly kind: 'tick' }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: Message }
  | { readonly kind: 'load'; readonly sample: LoadSample }
  | Extract<MembershipInput, { kind: 'link-up' | 'link-down' | 'facts' | 'introduce' | 'revoke' | 'leave' }>
  /** Every other second; and the outcome of each `issue`. */
  | Extract<RenewalInput, { kind: 'clock' | 'issued' }>

/** What a node asks of its host, to be performed in list order; what follows a `persist` waits until it is durable. */
export type SwarmEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: Message }
  | { readonly kind: 'publish'; readonly message: Message }
  /** With `barrier`, what later steps ask for waits too: every message from now on may rest on this record. */
  | { readonly kind: 'persist'; readonly record: NodeRecord; readonly barrier?: boolean }
  | { readonly kind: 'observe'; readonly observation: CoreObservation }
  | Extract<MembershipEffect, { kind: 'connect' | 'disconnect' | 'penalise' }>
  /** This node's new certificate is durable: handshakes show it from now on. */
  | { readonly kind: 'certified'; readonly certificate: Uint8Array }
  /** To be signed with the organisation's key; the outcome is a later input `issued`. */
  | Extract<RenewalEffect, { kind: 'issue' | 'peer-renewed' }>
