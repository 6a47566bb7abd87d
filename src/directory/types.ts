import type { Signer, Verifier } from '../identity/types.ts'
import type { Core, Incarnation, Millis, NodeId, OrgId, Random, Result } from '../kernel/index.ts'
import type { Statement } from '../wire/index.ts'
import type { DigestBody, DirectoryMessage } from './messages.ts'
import type { DirectoryParams } from './params.ts'

/** What this node has to say about its agents; the directory adds run and version, and decides when to say it. */
export type OwnReport = Omit<DigestBody, 'run' | 'version'>

/** What membership vouches for. */
export interface MemberProfile {
  readonly node: NodeId
  readonly org: OrgId
  readonly region: string
  readonly zone: string
  readonly labels: Readonly<Record<string, string>>
}

export type DirectoryInput =
  /** A member came up, or its facts changed. */
  | { readonly kind: 'member-up'; readonly member: MemberProfile }
  /** Dead, left or forgotten. */
  | { readonly kind: 'member-down'; readonly node: NodeId }
  | { readonly kind: 'link-up'; readonly peer: NodeId }
  | { readonly kind: 'link-down'; readonly peer: NodeId }
  /** Over a link or by gossip; `from` passed it on and need not be its author. */
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: DirectoryMessage }
  | { readonly kind: 'report'; readonly report: OwnReport }

export type DirectoryEvent =
  | { readonly kind: 'digest-updated'; readonly node: NodeId }
  | { readonly kind: 'digest-gone'; readonly node: NodeId; readonly reason: 'expired' | 'member-down' }

export type DirectoryObservation =
  | { readonly kind: 'digest-published'; readonly version: number; readonly reason: 'change' | 'heartbeat' }
  | { readonly kind: 'digest-rejected'; readonly from: NodeId; readonly node: NodeId; readonly reason: string }
  | { readonly kind: 'directory-full'; readonly node: NodeId }

export type DirectoryEffect =
  /** To everyone in the cell, by gossip. */
  | { readonly kind: 'publish'; readonly message: DirectoryMessage }
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: DirectoryMessage }
  | { readonly kind: 'penalise'; readonly peer: NodeId; readonly points: number; readonly reason: string }
  | { readonly kind: 'observe'; readonly observation: DirectoryObservation }
  | { readonly kind: 'event'; readonly event: DirectoryEvent }

/** A verified digest, copied out of its frame. A pure function of the statement's bytes. */
export interface JudgedDigest {
  readonly statement: Statement
  readonly digest: DigestBody
}

/** As membership's judge: pure, and the simulator may remember its answers across nodes. */
export type JudgeDigest = (statement: Statement) => Result<JudgedDigest>

export interface DirectoryOptions {
  readonly signer: Signer
  readonly verifier: Verifier
  /** In place of `judgeDigestWith(verifier)`. */
  readonly judge?: JudgeDigest
  readonly random: Random
  readonly params: DirectoryParams
  /** The incarnation with which this run of the node began: above that of every earlier run. */
  readonly run: Incarnation
  readonly self: MemberProfile
}

/** What is known of one node. */
export interface DirectoryEntry {
  readonly node: NodeId
  readonly profile: MemberProfile
  readonly digest: DigestBody
  /** When it arrived, by this node's clock. */
  readonly heardAt: Millis
}

export interface DirectoryView {
  entry(node: NodeId): DirectoryEntry | undefined
  /** Everyone with a valid digest, this node included once it has reported. */
  entries(): IterableIterator<DirectoryEntry>
  readonly size: number
}

export type DirectoryCore = Core<DirectoryInput, DirectoryEffect> & DirectoryView
