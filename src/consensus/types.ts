import type { Brand, ErrorCode, Millis, NodeId, Observation, WallMillis } from '../kernel/index.ts'
import type { Height, Statement } from '../wire/index.ts'
import type { LogRecord } from './records.ts'

export type { Height } from '../wire/index.ts'

/** Lower-case hex of a SHA-256. */
export type Digest = Brand<string, 'Digest'>
/** Names a group for good: `council`, or a cell's id. */
export type GroupId = Brand<string, 'GroupId'>
/** A membership's number; 1 is the genesis membership. */
export type Epoch = Brand<number, 'Epoch'>
/** One try of one primary within an epoch, from 1; 0 stands for the block the epoch starts on. */
export type View = Brand<number, 'View'>
/** A member's place in the sorted membership of an epoch, from 0. */
export type Seat = Brand<number, 'Seat'>

/** What a member signs. The bytes are in statements.ts. */
export type Vote = PrepareVote | CommitVote | SkipVote | CheckpointVote

export interface PrepareVote {
  readonly kind: 'prepare'
  readonly epoch: Epoch
  readonly view: View
  readonly digest: Digest
}

export interface CommitVote {
  readonly kind: 'commit'
  readonly epoch: Epoch
  readonly view: View
  readonly digest: Digest
}

/** "I have not and shall not commit in any view of tip + 1 .. view" (B-16). */
export interface SkipVote {
  readonly kind: 'skip'
  readonly epoch: Epoch
  readonly view: View
  readonly tip: View
}

/** The state after a boundary block. The epoch is closed if `members` are not those of `epoch`. */
export interface CheckpointVote {
  readonly kind: 'checkpoint'
  readonly epoch: Epoch
  readonly height: Height
  readonly digest: Digest
  readonly root: Digest
  /** The membership from here on, sorted. */
  readonly members: readonly NodeId[]
}

export interface CastVote {
  readonly vote: Vote
  readonly signature: Uint8Array
}

export interface SignedVote extends CastVote {
  readonly signer: NodeId
}

export interface SeatSignature {
  readonly seat: Seat
  readonly signature: Uint8Array
}

export interface PrepareCertificate {
  readonly kind: 'prepare'
  readonly epoch: Epoch
  readonly view: View
  readonly digest: Digest
  readonly signatures: readonly SeatSignature[]
}

export interface CommitCertificate {
  readonly kind: 'commit'
  readonly epoch: Epoch
  readonly view: View
  readonly digest: Digest
  readonly signatures: readonly SeatSignature[]
}

/** Shows that a block was certified in a view: a commit certificate implies the prepare certificate its signers saw. */
export type TipCertificate = PrepareCertificate | CommitCertificate

export interface SkipCertificate {
  readonly kind: 'skip'
  readonly epoch: Epoch
  readonly view: View
  readonly votes: readonly { readonly seat: Seat; readonly tip: View; readonly signature: Uint8Array }[]
  /** Not below the highest tip among the votes; absent if that is the epoch's anchor (view 0). */
  readonly tip: TipCertificate | undefined
}

export interface CheckpointCertificate {
  readonly kind: 'checkpoint'
  readonly vote: CheckpointVote
  readonly signatures: readonly SeatSignature[]
}

export type Certificate = PrepareCertificate | CommitCertificate | SkipCertificate | CheckpointCertificate

/** Two votes of one signer that no correct member could both have signed (evidence.ts). */
export interface Evidence {
  readonly signer: NodeId
  readonly first: CastVote
  readonly second: CastVote
}

/** Operations of one client under one signature, applied once (B-21). */
export interface Request {
  readonly client: NodeId
  /** Grows with every start of the client; a later one replaces an earlier. */
  readonly session: number
  /** Counts up from 1 within a session. */
  readonly nonce: number
  /** A height the client knew to be final; the request expires `requestHeightsMax` above it. */
  readonly floor: Height
  readonly operations: readonly Uint8Array[]
}

export interface SignedRequest {
  readonly request: Request
  readonly signature: Uint8Array
}

export interface Header {
  readonly group: GroupId
  readonly epoch: Epoch
  readonly height: Height
  readonly parent: Digest
  readonly proposer: NodeId
  /** The proposer's wall clock, never below the parent's: for expiry inside the machine and for people. */
  readonly at: WallMillis
  readonly boundary: boolean
  /** Hash of requests and evidence, so that a header proves its place without its body. */
  readonly payload: Digest
}

export interface Block {
  readonly header: Header
  readonly requests: readonly SignedRequest[]
  readonly evidence: readonly Evidence[]
}

export interface Proposal {
  readonly kind: 'proposal'
  readonly epoch: Epoch
  readonly view: View
  readonly block: Block
  /** Of the block it stands on, or of itself if it is proposed again; absent on the epoch's anchor. */
  readonly tip: TipCertificate | undefined
  readonly skip: SkipCertificate | undefined
  /** Of the parent, if that is a boundary. */
  readonly checkpoint: CheckpointCertificate | undefined
  /** The primary's own prepare vote: what makes two proposals in one view evidence. */
  readonly signature: Uint8Array
}

/** What a member asks of another. */
export type Want =
  | { readonly kind: 'blocks'; readonly epoch: Epoch; readonly after: Height }
  | { readonly kind: 'block'; readonly digest: Digest }
  | { readonly kind: 'standing' }
  | { readonly kind: 'manifest'; readonly height: Height }
  | { readonly kind: 'chunk'; readonly height: Height; readonly index: number }

/** Where a node says it is: a hint that is never believed further than what it goes on to prove. */
export interface Status {
  readonly kind: 'status'
  readonly epoch: Epoch
  readonly view: View
  readonly height: Height
}

export type Message =
  | { readonly kind: 'request'; readonly requests: readonly SignedRequest[] }
  | Proposal
  | { readonly kind: 'votes'; readonly votes: readonly CastVote[] }
  | { readonly kind: 'certificates'; readonly certificates: readonly Certificate[] }
  | Status
  | { readonly kind: 'fetch'; readonly want: Want }
  /** One block by digest: no claim is made about it. */
  | { readonly kind: 'block'; readonly block: Block }
  /** Consecutive blocks and what finalises the last; or, for who is too far behind, checkpoints only. */
  | {
      readonly kind: 'blocks'
      readonly blocks: readonly Block[]
      readonly commit: CommitCertificate | undefined
      readonly checkpoints: readonly CheckpointCertificate[]
    }
  | { readonly kind: 'manifest'; readonly height: Height; readonly chunks: readonly Digest[] }
  | { readonly kind: 'chunk'; readonly height: Height; readonly index: number; readonly bytes: Uint8Array }
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  /** Prove where you are, so that I know where I may vote again; `certificates` is the answer (B-20). */
  | {
      readonly kind: 'standing'
      readonly epoch: Epoch
      readonly view: View
      readonly certificates: readonly Certificate[]
    }

/** What a signature is asked to be good for. */
export interface Claim {
  readonly domain: 'consensus-vote' | 'consensus-request'
  readonly statement: Statement
}

/** What a host says of the log that it hands in (B-20). */
export type LogTrust = 'intact' | 'suspect' | 'vouched'

/** An operation of a local client. */
export interface Submission {
  readonly id: number
  readonly operation: Uint8Array
  /** In whose name: this node's, unless it is one of the core's other `clients`. */
  readonly as?: NodeId
}

export type Input =
  /** Decoded and within its size; `from` is who the link proved it to be. No signature has been checked. */
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: Message }
  /** Everything persisted up to this mark is on disk. */
  | { readonly kind: 'durable'; readonly mark: number }
  /** The answer to a `verify`, in its order. */
  | { readonly kind: 'verified'; readonly id: number; readonly valid: readonly boolean[] }
  /** Operations of one moment, to travel together (B-31); each is answered by `outcome` with its id. */
  | { readonly kind: 'submit'; readonly submissions: readonly Submission[] }
  /** This peer may have more than we do: ask it for what comes after ours. A member or anyone else; what it sends proves itself. */
  | { readonly kind: 'follow'; readonly peer: NodeId }
  /** There is reason to think that our log is not all that we ever wrote: abstain until it is safe (B-20). */
  | { readonly kind: 'doubt'; readonly why: string }
  /** What the wall clock says now; send at start and when it is corrected. */
  | { readonly kind: 'clock'; readonly wall: WallMillis }

export type Effect =
  /** Best effort; lost without notice. Held back until every vote persisted before it is durable, and so what precedes that. */
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: Message }
  /** To each of these (never to oneself): encode once. */
  | { readonly kind: 'broadcast'; readonly to: readonly NodeId[]; readonly message: Message }
  /** Append; then input `durable` with this mark or a later one. */
  | { readonly kind: 'persist'; readonly mark: number; readonly record: LogRecord }
  /** Replace the whole log by these records, atomically; it says the same in fewer words. */
  | { readonly kind: 'compact'; readonly mark: number; readonly records: readonly LogRecord[] }
  /** Check these signatures wherever it is cheapest; then input `verified`. All outstanding ones may be done as one batch. */
  | { readonly kind: 'verify'; readonly id: number; readonly claims: readonly Claim[] }
  /** The end of a `submit`. */
  | { readonly kind: 'outcome'; readonly id: number; readonly outcome: Outcome }
  /** A hint for followers, by gossip. */
  | { readonly kind: 'announce'; readonly epoch: Epoch; readonly height: Height }
  /** Charge a peer (W-5). */
  | { readonly kind: 'penalise'; readonly peer: NodeId; readonly points: number; readonly reason: string }
  | { readonly kind: 'event'; readonly event: Event }
  | { readonly kind: 'observe'; readonly observation: ConsensusObservation }

/** How an operation ended. */
export type Outcome =
  | { readonly kind: 'applied'; readonly height: Height; readonly result: Uint8Array }
  /** Finalised and refused by the machine, or refused before it was proposed: nothing was changed. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly reason: string }
  /** No quorum in time; it may still be applied later, at most once. */
  | { readonly kind: 'uncertain'; readonly code: 'NO_QUORUM'; readonly missing: readonly NodeId[] }

/** What other cores hear. */
export type Event =
  | { readonly kind: 'finalised'; readonly decision: Decision }
  | { readonly kind: 'epoch-started'; readonly epoch: Epoch; readonly members: readonly NodeId[] }
  | { readonly kind: 'convicted'; readonly evidence: Evidence }
  /** The state was replaced by a snapshot: whatever was derived from decisions one by one must be read anew. */
  | { readonly kind: 'state-transferred'; readonly height: Height }

/** A finalised block with what each of its requests came to. */
export interface Decision {
  readonly block: Block
  readonly digest: Digest
  readonly results: readonly RequestResult[]
  /** Of this block or of a descendant that became final with it: who decided (proof.ts). */
  readonly certificate: CommitCertificate
}

export interface RequestResult {
  readonly request: Request
  /** One per operation; none if the request as a whole was not applied. */
  readonly outcomes: readonly Outcome[]
  readonly refused: string | undefined
}

export type ConsensusObservation = Observation &
  (
    | {
        readonly kind: 'consensus.finalised'
        readonly height: number
        readonly view: number
        readonly operations: number
      }
    | { readonly kind: 'consensus.view-skipped'; readonly view: number; readonly primary: string }
    | { readonly kind: 'consensus.checkpoint-stable'; readonly height: number; readonly root: string }
    | { readonly kind: 'consensus.epoch-started'; readonly epoch: number; readonly members: readonly string[] }
    | { readonly kind: 'consensus.equivocation'; readonly signer: string; readonly votes: string }
    | { readonly kind: 'consensus.bad-signature'; readonly from: string; readonly what: string }
    | { readonly kind: 'consensus.refused'; readonly from: string; readonly why: string }
    | { readonly kind: 'consensus.abstaining'; readonly why: string }
    | { readonly kind: 'consensus.voting-again'; readonly epoch: number; readonly view: number }
    | { readonly kind: 'consensus.state-transfer'; readonly height: number; readonly phase: 'started' | 'done' }
    | {
        readonly kind: 'consensus.roots-differ'
        readonly height: number
        readonly ours: string
        readonly theirs: string
      }
  )

/** For `council status`. */
export interface ConsensusStatus {
  readonly group: GroupId
  readonly role: 'member' | 'follower'
  readonly abstaining: boolean
  readonly epoch: Epoch
  readonly view: View
  readonly height: Height
  readonly primary: NodeId
  readonly f: number
  readonly quorum: number
  readonly checkpoint: { readonly height: Height; readonly root: Digest } | undefined
  readonly members: readonly {
    readonly node: NodeId
    /** What it last said of itself, or what its votes since show that it holds. */
    readonly height: Height | undefined
    readonly heardAt: Millis | undefined
    readonly convicted: boolean
  }[]
  readonly pendingRequests: number
}
