import type { ConsensusCore, Decision, Evidence, LogRecord, Message, Rules } from '../consensus/index.ts'
import type { Signer } from '../identity/types.ts'
import type { NodeId, Random } from '../kernel/index.ts'
import type { Machine } from '../wire/index.ts'
import type { Crypto } from './fakes.ts'

/** A message on its way from one body to another. */
export interface Envelope {
  readonly from: Host
  readonly to: Host
  readonly message: Message
}

export interface Sent {
  readonly to: NodeId
  /** Bytes are what no correct member could send: a receiver's codec has to refuse them. */
  readonly message: Message | Uint8Array
}

/** A habit of a member that is correct but for it. A liar is such a member, seen from the outside. */
export interface Behaviour {
  readonly name: string
  /** What it really sends when the correct member would send this to that node; an empty list withholds. */
  readonly sends?: (host: Host, to: NodeId, message: Message) => readonly Sent[]
  /** Extra delay in ms of what it sends. */
  readonly delays?: (host: Host, message: Message | Uint8Array) => number
  /** What the correct member inside gets to see; undefined swallows it. */
  readonly hears?: (host: Host, from: NodeId, message: Message) => Message | undefined
  /** What it does on its own about every `everyMs`. */
  readonly acts?: (host: Host) => readonly Sent[]
  readonly everyMs?: number
  /** Rules of the member inside. */
  readonly rules?: (rules: Rules) => Rules
  /** It starts again about every `everyMs` from these records, and says that nothing is missing. */
  readonly remembers?: (host: Host) => readonly LogRecord[]
  /** Another body has its key and runs beside it. */
  readonly twin?: boolean
}

/** What a world decides about. */
export interface Subject extends Machine {
  /** Equal states, equal fingerprints. */
  readonly fingerprint: string
}

/** One body of a member. */
export interface Host {
  readonly index: number
  readonly node: NodeId
  readonly signer: Signer
  readonly crypto: Crypto
  readonly honest: boolean
  readonly behaviour: Behaviour | undefined
  readonly random: Random
  core: ConsensusCore
  machine: Subject
  alive: boolean
  /** Counts starts: events of an earlier life are void. */
  life: number
  readonly disk: Disk
  tickAt: number
}

/** A log of records of which the last ones may not be on disk yet, and what may only be done when they are. */
export interface Disk {
  durable: LogRecord[]
  buffered: { readonly mark: number; readonly records: readonly LogRecord[]; readonly compacts: boolean }[]
  syncing: boolean
  /** Mark of the last vote that was written. */
  voted: number
  /** It may lack records, and does not say so itself yet: whoever starts from it has to. */
  doubtful: boolean
  held: { readonly mark: number; readonly release: () => void }[]
}

/** What watchers are told: everything ever sent, written and decided. */
export interface Watcher {
  onSend?(host: Host, message: Message): void
  onDecision?(host: Host, decision: Decision): void
  onEpoch?(host: Host, epoch: number, members: readonly NodeId[]): void
  onConvicted?(host: Host, evidence: Evidence): void
  onTransferred?(host: Host, height: number): void
  onPersist?(host: Host, record: LogRecord): void
  /** A receiver charges a member. */
  onPenalised?(host: Host, peer: NodeId, reason: string): void
  /** A receiver's codec refused what came. */
  onRefused?(host: Host, reason: string): void
}
