import type { ClaimsObservation } from '../claims/index.ts'
import type { ConsensusObservation } from '../consensus/index.ts'
import type { DirectoryObservation } from '../directory/index.ts'
import type { NodeId } from '../kernel/index.ts'
import type { MembershipObservation } from '../membership/index.ts'
import type { RenewalObservation } from '../renewal/index.ts'
import type { Lane, MessageKind, SendOutcome } from '../wire/index.ts'

/** What the cores tell people. */
export type CoreObservation =
  | MembershipObservation
  | MemberObservation
  | DirectoryObservation
  | RenewalObservation
  | ClaimsObservation
  | ConsensusObservation
  | CouncilObservation

/** Members coming and going, as seen from this node: the composite core makes them from membership's events. */
export type MemberObservation =
  | { readonly kind: 'member-up'; readonly node: NodeId; readonly region: string; readonly zone: string }
  | { readonly kind: 'member-cleared'; readonly node: NodeId }
  | { readonly kind: 'member-suspect'; readonly node: NodeId }
  | { readonly kind: 'member-down'; readonly node: NodeId }
  | { readonly kind: 'member-left'; readonly node: NodeId }

/** What the council has decided, as far as it concerns this node. */
export type CouncilObservation =
  | { readonly kind: 'council-revoked'; readonly node: NodeId }
  | { readonly kind: 'council-expelled'; readonly node: NodeId; readonly org: string }
  /** This very node: whoever it is linked to ends that. */
  | { readonly kind: 'council-revoked-here'; readonly node: NodeId }
  /** The key that has certified this very node no longer speaks for its organisation. */
  | { readonly kind: 'council-unvouched-here'; readonly node: NodeId }
  | { readonly kind: 'council-parameter'; readonly name: string; readonly value: string }

/** What the loop around them tells people. */
export type HostObservation =
  | CoreObservation
  | {
      readonly kind: 'dial-failed'
      readonly peer: NodeId | undefined
      readonly address: string
      readonly code: string
      readonly message: string
    }
  | { readonly kind: 'link-gap'; readonly peer: NodeId; readonly lane: Lane }
  | {
      readonly kind: 'send-refused'
      readonly peer: NodeId
      readonly message: MessageKind
      readonly outcome: SendOutcome
    }
  | {
      readonly kind: 'message-malformed'
      readonly peer: NodeId
      readonly message: MessageKind
      readonly reason: string
    }

export type ObservationKind = HostObservation['kind']
type Of<K extends ObservationKind> = Extract<HostObservation, { readonly kind: K }>

/** How one kind of observation reaches people. */
export interface ObservationRow<K extends ObservationKind> {
  readonly module: 'membership' | 'directory' | 'renewal' | 'claims' | 'consensus' | 'council' | 'link' | 'net'
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** The log line, and the text of the event. */
  message(observation: Of<K>): string
  /** Whether `events --follow` and the dashboard show it. */
  readonly event: boolean
  /** Every row is a counter `swarm_node_<kind>_total`; this is its help text. */
  readonly help: string
}
