import type { Certificate, Verifier } from '../identity/types.ts'
import type { Core, NodeId, OrgId, Random, Result, WallMillis } from '../kernel/index.ts'
import type { PeerCredentials } from '../wire/index.ts'
import type { RenewalMessage } from './messages.ts'
import type { RenewalParams } from './params.ts'

/** A certificate to be signed; what is not here (life, dates) is the desk's to know. */
export interface IssueRequest {
  /** Comes back with the outcome. */
  readonly id: number
  /** The certificate that it replaces: node, organisation, roles and labels stay, the epoch is raised (G-8). */
  readonly previous: Certificate
}

export type RenewalInput =
  | { readonly kind: 'link-up'; readonly peer: PeerCredentials }
  | { readonly kind: 'link-down'; readonly peer: NodeId }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: RenewalMessage }
  /** A member came up, or its presence changed. */
  | { readonly kind: 'member-up'; readonly member: RenewalMember }
  /** Dead, left or forgotten. */
  | { readonly kind: 'member-down'; readonly node: NodeId }
  | { readonly kind: 'revoke'; readonly node: NodeId }
  /** The organisation for which the authority key of this node speaks now. */
  | { readonly kind: 'issues-for'; readonly org: OrgId | undefined }
  | { readonly kind: 'clock'; readonly wallNow: WallMillis }
  /** What became of an `issue`: the certificate, or why there is none. */
  | { readonly kind: 'issued'; readonly id: number; readonly outcome: Result<Uint8Array> }

/** What a member's verified entry says of its certificate. */
export interface RenewalMember {
  readonly node: NodeId
  readonly epoch: number
  readonly certificateExpiresAt: WallMillis
  /** The organisation for which it says that it issues. */
  readonly issuesFor: string | undefined
}

export type RenewalObservation =
  /** This node has a new certificate. */
  | { readonly kind: 'renewed'; readonly by: NodeId; readonly epoch: number; readonly expiresAt: WallMillis }
  /** Due for a while, and nobody has renewed it (G-12). */
  | {
      readonly kind: 'renewal-due'
      readonly org: OrgId
      readonly expiresAt: WallMillis
      readonly leftMs: number
      readonly issuersCount: number
    }
  /** Between this node and that one a renewal was refused, by one or the other. */
  | { readonly kind: 'renewal-refused'; readonly by: NodeId; readonly node: NodeId; readonly reason: string }
  /** This node has renewed the certificate of another. */
  | { readonly kind: 'renewal-granted'; readonly node: NodeId }

export type RenewalEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: RenewalMessage }
  | { readonly kind: 'penalise'; readonly peer: NodeId; readonly points: number; readonly reason: string }
  | { readonly kind: 'observe'; readonly observation: RenewalObservation }
  /** All the peers to which this core needs a link now (G-3). */
  | { readonly kind: 'hold'; readonly peers: readonly NodeId[] }
  | { readonly kind: 'issue'; readonly request: IssueRequest }
  /** Persist this node's new certificate, then use it (G-6). */
  | { readonly kind: 'certified'; readonly certificate: Uint8Array }
  /** A linked peer's certificate now lasts until then (G-11). */
  | { readonly kind: 'peer-renewed'; readonly peer: NodeId; readonly certificateExpiresAt: WallMillis }

export interface RenewalOptions {
  readonly node: NodeId
  readonly verifier: Verifier
  readonly random: Random
  readonly params: RenewalParams
  /** This node's own; good, and for this node. */
  readonly certificate: Uint8Array
  /** The organisation whose authority key this node holds, if any; `issues-for` changes it. */
  readonly issuer?: OrgId | undefined
}

export interface RenewalView {
  /** This node's own certificate; the latest, which may be on its way to the disk. */
  readonly certificate: Certificate
}

export type RenewalCore = Core<RenewalInput, RenewalEffect> & RenewalView
