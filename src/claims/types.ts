import type { Core, ErrorCode, Millis, NodeId, Random, Result, WallMillis } from '../kernel/index.ts'
import type { AgentId, RequestId, TaskId, Token } from './ids.ts'
import type { ClaimsMessage, HistoryRow, PlacementBody, ReasonRow, TaskState } from './messages.ts'
import type { ClaimsParams } from './params.ts'
import type { ClaimsRecord } from './records.ts'

/** What counts when several could do it: any non-negative numbers. */
export interface Objective {
  /** Spread the load. */
  readonly throughput: number
  /** Sooner done. */
  readonly latency: number
  /** More often done well. */
  readonly quality: number
  /** Cheaper. */
  readonly cost: number
}

export type Guarantee = 'exactly-once' | 'at-least-once'

/** What is to be done, as it was submitted. Texts and numbers are judged here; the input is opaque. */
export interface Submission {
  /** All of them, at one agent. */
  readonly skills: readonly string[]
  readonly input: Uint8Array
  readonly tenant: string
  /** The same (tenant, key) again is the same task (T-4). */
  readonly key?: string | undefined
  /** 0 to 9, 9 first. */
  readonly priority: number
  /** The task fails when it has not ended this long after its submission. */
  readonly deadlineMs?: number | undefined
  /** The task fails when it has been without an executor for this long at a stretch: what an attempt took does not count. */
  readonly queueTimeoutMs?: number | undefined
  /** One attempt may take this long. */
  readonly runTimeoutMs?: number | undefined
  /** Further attempts after a failure that may be retried. */
  readonly retries?: number | undefined
  readonly guarantee: Guarantee
  /** Survives a crash of this node: accepted only once it is on disk. */
  readonly durable: boolean
  readonly resources: Readonly<Record<string, number>>
  /** Expressions: hard constraints, and wishes. */
  readonly require: readonly string[]
  readonly prefer: readonly string[]
  readonly objective?: Objective | undefined
  /** No bid above this price is taken. */
  readonly budget?: number | undefined
  /** Opaque to the claims; handed to the agent. */
  readonly trace?: string | undefined
}

export interface AgentFacts {
  /** Stays the same when the agent comes back; what was learned of it is kept under this name. */
  readonly name: string
  readonly skills: readonly { readonly name: string; readonly proficiency: number }[]
  /** How many tasks at once. */
  readonly slots: number
  readonly resources: Readonly<Record<string, number>>
  readonly labels: Readonly<Record<string, string>>
  readonly price: number
  /** Serves these only; absent for all. */
  readonly tenants?: readonly string[] | undefined
}

export interface TaskError {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
}

/** A question about one task, to be answered wherever it is coordinated. */
export type TaskAsk =
  | { readonly kind: 'get'; readonly task: string }
  /** Answered once the task has ended, or with TIMEOUT. */
  | { readonly kind: 'wait'; readonly task: string; readonly timeoutMs?: number | undefined }
  | { readonly kind: 'cancel'; readonly task: string; readonly reason: string }
  | { readonly kind: 'why'; readonly task: string }
  | { readonly kind: 'history'; readonly task: string }
  /** Extra input for the agent that runs it. */
  | { readonly kind: 'steer'; readonly task: string; readonly input: Uint8Array }

export type ClaimsRequest =
  | TaskAsk
  | { readonly kind: 'submit'; readonly submission: Submission }
  /** Submits, and is answered once the task has ended, or with TIMEOUT, which names it: accepted is not said apart. */
  | { readonly kind: 'call'; readonly submission: Submission; readonly timeoutMs?: number | undefined }
  /** Tasks that this node coordinates, in order of submission, newest last. */
  | {
      readonly kind: 'list'
      readonly state?: TaskState | undefined
      readonly tenant?: string | undefined
      readonly limit: number
      readonly after?: string | undefined
    }

export type ClaimsInput =
  /** The wall clock, at the start and about once a second: the core reckons on from there. */
  | { readonly kind: 'clock'; readonly wallNow: WallMillis }
  | { readonly kind: 'agent-attach'; readonly agent: AgentId; readonly facts: AgentFacts }
  | { readonly kind: 'agent-update'; readonly agent: AgentId; readonly facts: Partial<AgentFacts> }
  /** No new tasks; those that run may end. */
  | { readonly kind: 'agent-detach'; readonly agent: AgentId }
  /** Its connection lives, and it does not say what it promised to say: what it runs is offered again. */
  | { readonly kind: 'agent-silent'; readonly agent: AgentId }
  /** It speaks again, and may take tasks again. */
  | { readonly kind: 'agent-heard'; readonly agent: AgentId }
  /** Its connection is gone, and its tasks with it. */
  | { readonly kind: 'agent-lost'; readonly agent: AgentId }
  | {
      readonly kind: 'agent-result'
      readonly agent: AgentId
      readonly task: string
      readonly attempt: number
      readonly output: Uint8Array
    }
  | {
      readonly kind: 'agent-failed'
      readonly agent: AgentId
      readonly task: string
      readonly attempt: number
      readonly error: TaskError
    }
  | {
      readonly kind: 'agent-progress'
      readonly agent: AgentId
      readonly task: string
      readonly attempt: number
      readonly fraction?: number | undefined
      readonly message?: string | undefined
      readonly partial?: Uint8Array | undefined
    }
  /** The answer to `steer`: whether the agent's connection takes it. */
  | { readonly kind: 'steered'; readonly steering: number; readonly isTaken: boolean }
  | { readonly kind: 'request'; readonly request: RequestId; readonly ask: ClaimsRequest }
  /** Nobody waits for the answer any more. */
  | { readonly kind: 'abandon'; readonly request: RequestId }
  /** Weights of tenants in their classes; replaces what was said before. */
  | { readonly kind: 'weights'; readonly weights: Readonly<Record<string, number>> }
  /** What the host has of its own, shared by its agents; a unit that is not named is limited by the agents alone. */
  | { readonly kind: 'capacity'; readonly resources: Readonly<Record<string, number>> }
  /** Takes no more work and no more submissions; what runs may end. */
  | { readonly kind: 'drain' }
  | { readonly kind: 'link-up'; readonly peer: NodeId }
  | { readonly kind: 'link-down'; readonly peer: NodeId }
  /** Numbered messages from or to that peer may have been lost. */
  | { readonly kind: 'gap'; readonly peer: NodeId }
  /** That message was not sent: the queue to the peer is full, or there is no link any more. */
  | { readonly kind: 'refused'; readonly peer: NodeId; readonly message: ClaimsMessage }
  /** What is known of a node's agents has changed. */
  | { readonly kind: 'candidate-changed'; readonly node: NodeId }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: ClaimsMessage }

/** A task as people and programs see it. Times by the wall clock of its coordinator. */
export interface TaskReport {
  readonly task: TaskId
  readonly tenant: string
  readonly skills: readonly string[]
  readonly state: TaskState
  readonly priority: number
  readonly attempts: number
  readonly submittedAt: WallMillis
  readonly startedAt?: WallMillis | undefined
  readonly endedAt?: WallMillis | undefined
  readonly coordinator: NodeId
  readonly executor?: { readonly node: NodeId; readonly agent: string } | undefined
  readonly output?: Uint8Array | undefined
  readonly error?: TaskError | undefined
  readonly guarantee: Guarantee
  /** T-13: how many times it is known to have been started. */
  readonly executions: number
  /** The coordinator was down while it was open, so there may have been more. */
  readonly executionsUncertain: boolean
}

export type ClaimsAnswer =
  | { readonly kind: 'accepted'; readonly task: TaskId; readonly duplicate: boolean }
  | { readonly kind: 'report'; readonly report: TaskReport }
  | { readonly kind: 'cancelled'; readonly state: TaskState }
  | { readonly kind: 'steered' }
  | {
      readonly kind: 'why'
      readonly state: TaskState
      readonly reasons: readonly ReasonRow[]
      readonly placement?: PlacementBody | undefined
    }
  | { readonly kind: 'history'; readonly entries: readonly HistoryRow[] }
  | { readonly kind: 'list'; readonly tasks: readonly TaskReport[]; readonly next?: TaskId | undefined }

export interface Refusal {
  readonly code: ErrorCode
  readonly message: string
  readonly data?: Readonly<Record<string, unknown>>
}

/** What an agent is to run. */
export interface RunOrder {
  readonly task: TaskId
  readonly attempt: number
  readonly skills: readonly string[]
  readonly input: Uint8Array
  readonly tenant: string
  /** Left until the deadline. */
  readonly deadlineMs?: number | undefined
  readonly runTimeoutMs?: number | undefined
  /** Kept up by this node while the agent's connection lives. */
  readonly leaseMs: number
  readonly trace?: string | undefined
}

export type StopReason = 'cancelled' | 'deadline' | 'run-timeout' | 'lease-ended' | 'superseded'

export type ClaimsEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: ClaimsMessage }
  /** At most one in a list; what stands behind it depends on it. With `mayWait` nothing does, and a `barrier` follows soon. */
  | { readonly kind: 'persist'; readonly records: readonly ClaimsRecord[]; readonly mayWait?: boolean | undefined }
  /** What stands behind it may leave only when all that was persisted before is durable. */
  | { readonly kind: 'barrier' }
  | { readonly kind: 'run'; readonly agent: AgentId; readonly order: RunOrder }
  | {
      readonly kind: 'stop'
      readonly agent: AgentId
      readonly task: TaskId
      readonly attempt: number
      readonly reason: StopReason
    }
  /** Extra input for a task that it runs. To be answered with `steered`, at once. */
  | {
      readonly kind: 'steer'
      readonly steering: number
      readonly agent: AgentId
      readonly task: TaskId
      readonly attempt: number
      readonly input: Uint8Array
    }
  /** The agent does not let go of anything it was told to stop: close its connection. It counts as lost from here on. */
  | { readonly kind: 'expel'; readonly agent: AgentId; readonly reason: string }
  | { readonly kind: 'reply'; readonly request: RequestId; readonly outcome: Result<ClaimsAnswer, Refusal> }
  /** For subscribers. */
  | {
      readonly kind: 'task-changed'
      readonly task: TaskId
      readonly tenant: string
      readonly state: TaskState
      readonly executor?: { readonly node: NodeId; readonly agent: string } | undefined
    }
  | {
      readonly kind: 'task-progress'
      readonly task: TaskId
      readonly attempt: number
      readonly fraction?: number | undefined
      readonly message?: string | undefined
      readonly partial?: Uint8Array | undefined
    }
  | { readonly kind: 'observe'; readonly observation: ClaimsObservation }
  | { readonly kind: 'event'; readonly event: ClaimsEvent }

/** For other cores. */
export type ClaimsEvent =
  /** Links this node needs for its claims; replaces the list before. */
  | { readonly kind: 'links-wanted'; readonly peers: readonly NodeId[] }
  /** What this node can say about its agents has changed: see `ClaimsView.report`. */
  | { readonly kind: 'report-changed' }

export type ClaimsObservation =
  | {
      readonly kind: 'task-retried'
      readonly task: TaskId
      readonly attempt: number
      readonly cause: string
      readonly node: string
    }
  | { readonly kind: 'task-failed'; readonly task: TaskId; readonly code: string; readonly message: string }
  | { readonly kind: 'task-dead-lettered'; readonly task: TaskId; readonly attempts: number; readonly message: string }
  | { readonly kind: 'task-recovered'; readonly count: number; readonly executors: number }
  | { readonly kind: 'execution-doubled'; readonly task: TaskId; readonly executions: number; readonly cause: string }
  | { readonly kind: 'lease-lapsed'; readonly task: TaskId; readonly attempt: number; readonly node: NodeId }
  | {
      readonly kind: 'result-refused'
      readonly task: string
      readonly from: string
      readonly attempt: number
      readonly verdict: string
    }
  | {
      readonly kind: 'agent-answer-ignored'
      readonly agent: string
      readonly task: string
      readonly attempt: number
      readonly reason: string
    }
  | {
      readonly kind: 'agent-attached'
      readonly agent: string
      readonly name: string
      readonly skills: readonly string[]
    }
  | { readonly kind: 'agent-silent'; readonly agent: string; readonly name: string; readonly running: number }
  | { readonly kind: 'agent-heard'; readonly agent: string; readonly name: string }
  | {
      readonly kind: 'agent-gone'
      readonly agent: string
      readonly name: string
      readonly running: number
      readonly reason: string
    }
  /** It let slots that were kept for it run out: for so long none is (CL-22). */
  | { readonly kind: 'coordinator-shunned'; readonly coordinator: NodeId; readonly forMs: number }
  | {
      readonly kind: 'executor-shunned'
      readonly executor: string
      readonly skill: string
      readonly failures: number
      readonly forMs: number
    }
  | { readonly kind: 'executor-trusted'; readonly executor: string; readonly skill: string }
  | { readonly kind: 'submission-refused'; readonly code: string; readonly priority: number; readonly tenant: string }
  | { readonly kind: 'claims-malformed'; readonly peer: NodeId; readonly message: string; readonly reason: string }

/** Attributes of an executor as expressions name them; `unknown` when it depends on the agent. */
export type AttributesOf = (name: string) => readonly string[] | 'unknown'

/** A parsed expression. */
export interface Condition {
  readonly text: string
  /** Undefined when it cannot be told from what is known. */
  holds(attributes: AttributesOf): boolean | undefined
}

export interface PeerRequest {
  readonly skills: readonly string[]
  readonly resources: Readonly<Record<string, number>>
  readonly require: readonly Condition[]
  readonly prefer: readonly Condition[]
  readonly objective: Objective
  readonly excluded: ReadonlySet<string>
  /** Peers that can be asked at once. */
  readonly linked: ReadonlySet<NodeId>
}

export interface PeerChoice {
  /** Best first; never this node. */
  readonly chosen: readonly { readonly node: NodeId; readonly score: number }[]
  /** How many fulfil the hard constraints, as far as is known. */
  readonly eligible: number
  /** Why the others are none: how many by each reason. */
  readonly obstacles: Readonly<Record<string, number>>
}

/** What the claims ask of the directory and of membership; both give hints only. */
export interface ClaimsPeers {
  parse(text: string): Result<Condition, { readonly message: string; readonly position: number }>
  choose(request: PeerRequest, count: number): PeerChoice
  rttMs(node: NodeId): number | undefined
  /** Members whose id ends so. */
  named(origin: string): NodeId | undefined
}

export interface ClaimsOptions {
  readonly node: NodeId
  /** Greater at every start (T-1). */
  readonly epoch: number
  readonly params: ClaimsParams
  readonly random: Random
  readonly peers: ClaimsPeers
  /** Facts about this node that expressions name. */
  readonly self: {
    readonly org: string
    readonly region: string
    readonly zone: string
    readonly labels: Readonly<Record<string, string>>
  }
  /** Skills of a node as last heard, for whoever waits for news of one. */
  readonly skillsOf?: (node: NodeId) => Iterable<string>
  /**
   * Whether bytes are a payload, as agents and clients take them: what peers send is looked at, what agents here send is the
   * host's to see to.
   */
  readonly isPayload: (bytes: Uint8Array) => boolean
  /** A number below 2^48 for a text: the same in every life of this node, and one that nobody else can reckon (CL-20). */
  readonly seal: (text: string) => number
  /** All records of the log that this core wrote, in order. */
  readonly records?: Iterable<ClaimsRecord>
}

/** What the node says about its agents, for the directory's digest. */
export interface AgentsReport {
  readonly skills: readonly {
    readonly name: string
    readonly slotsFree: number
    readonly slotsTotal: number
    readonly proficiencyThousandths: number
    readonly price: number
    readonly queued: number
  }[]
  /** The most that one agent has free, and has on the whole. */
  readonly resources: Readonly<Record<string, number>>
  readonly capacity: Readonly<Record<string, number>>
  readonly labels: Readonly<Record<string, readonly string[]>>
  readonly agents: number
  readonly accepting: boolean
}

/** A lease as the executor sees it. */
export interface HeldLease {
  readonly task: TaskId
  readonly token: Token
  readonly coordinator: NodeId
  readonly agent: AgentId
  /** By this node's clock; infinite for this node's own tasks. */
  readonly endsAt: Millis
  readonly guarantee: Guarantee
}

export interface ClaimsCounts {
  readonly accepted: number
  readonly waiting: number
  readonly offered: number
  readonly running: number
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
  readonly deadLettered: number
}

export interface AttachedAgent {
  readonly agent: AgentId
  readonly facts: AgentFacts
  readonly slotsUsed: number
  /** Taken by tasks it was told to stop and has not let go of. */
  readonly slotsStuck: number
}

/** What others may read, at any time between steps. */
export interface ClaimsView {
  /** Tasks that this node coordinates, by state; T-5 holds over them. */
  readonly counts: ClaimsCounts
  readonly epoch: number
  task(task: string): TaskReport | undefined
  tasks(): IterableIterator<TaskReport>
  agents(): IterableIterator<AttachedAgent>
  /** Leases that this node holds as executor and that have not ended. */
  leases(now: Millis): IterableIterator<HeldLease>
  report(): AgentsReport
  /** Records that say all that the journal said, in fewer words. */
  snapshot(): readonly ClaimsRecord[]
}

export type ClaimsCore = Core<ClaimsInput, ClaimsEffect> & ClaimsView
