import {
  type Block,
  blockShape,
  type CheckpointCertificate,
  type CommitCertificate,
  commitCertificateShape,
  decisionProofShape,
  type GroupId,
  groupId,
  type Header,
  headerShape,
  type LogRecord,
  logRecordShape,
  type Outcome,
  prove,
} from '../consensus/index.ts'
import { assert, type NodeId } from '../kernel/index.ts'
import {
  bytes,
  count,
  decode,
  encode,
  type Height,
  list,
  nodeId,
  OPERATION_BYTES_MAX,
  record,
  type Shape,
  text,
  variant,
} from '../wire/index.ts'

/** Decisions that a node can show; of more, the oldest is forgotten. */
const DECISIONS_MAX = 512
/** Of these so many are at hand. The others are kept as bytes: as objects, the collector would look through each of them. */
const RECENT_MAX = 64
/** Headers between a decision and the certificate above it. */
const HEADERS_MAX = 256
const REQUESTS_MAX = 1024
const OPERATIONS_MAX = 512
const CODE_BYTES_MAX = 64
const REASON_BYTES_MAX = 4096
const MISSING_MAX = 64

/** A finalised block that decided something, with all that proves it but for the epochs before. */
export interface Decided {
  readonly block: Block
  /** Headers above it, in order, up to the one that the certificate is for; none if that is the block itself. */
  readonly headers: readonly Header[]
  readonly commit: CommitCertificate
  /** What became of each operation of each request; none if the request as a whole was not applied. */
  readonly outcomes: readonly (readonly Outcome[])[]
}

const outcomeShape: Shape<Outcome> = variant({
  applied: record({ height: count(), result: bytes(OPERATION_BYTES_MAX) }),
  refused: record({ code: text(CODE_BYTES_MAX), reason: text(REASON_BYTES_MAX) }),
  uncertain: record({ code: text(CODE_BYTES_MAX), missing: list(nodeId as Shape<NodeId>, MISSING_MAX) }),
}) as Shape<Outcome>

/** What a decision is beside its block's requests and evidence. */
const aboutDecided = {
  headers: list(headerShape, HEADERS_MAX),
  commit: commitCertificateShape,
  outcomes: list(list(outcomeShape, OPERATIONS_MAX), REQUESTS_MAX),
}
const decidedShape: Shape<Decided> = record({ block: blockShape, ...aboutDecided })
const decidedLoggedShape: Shape<DecidedLogged> = record({ header: headerShape, ...aboutDecided })

/** What stands in a node's log about its groups. */
export const groupRecords = {
  /** A record of a group's consensus. */
  group: record({ group: groupId, record: logRecordShape }),
  /** One of the records that are to replace all that the log says of a group; alone it says nothing. */
  'group-draft': record({ group: groupId, record: logRecordShape }),
  /** GR-1: from here on the last so many drafts stand in place of all that came before. */
  'group-rewritten': record({ group: groupId, drafts: count() }),
  /** Something that was decided, for people. */
  decided: record({ group: groupId, decided: decidedShape }),
  /** GR-9: what was decided below this height is not all here. */
  'decisions-from': record({
    group: groupId,
    height: count<Height>(),
    why: variant({ snapshot: record({}), bound: record({}) }),
  }),
  /** As `decided`, of a block that one of the group's records holds already: what was decided is written once. */
  'decided-logged': record({ group: groupId, decided: decidedLoggedShape }),
} as const

export type GroupRecord =
  | { readonly kind: 'group' | 'group-draft'; readonly group: GroupId; readonly record: LogRecord }
  | { readonly kind: 'group-rewritten'; readonly group: GroupId; readonly drafts: number }
  | { readonly kind: 'decided'; readonly group: GroupId; readonly decided: Decided }
  | { readonly kind: 'decided-logged'; readonly group: GroupId; readonly decided: DecidedLogged }
  | ({ readonly kind: 'decisions-from'; readonly group: GroupId } & Complete)

/** A decision whose block's requests and evidence stand in the log under what its header says of them. */
type DecidedLogged = Omit<Decided, 'block'> & { readonly header: Header }

/** From which height on a log has every decision, and why not from the first. */
export interface Complete {
  readonly height: Height
  /** `snapshot`: this node took over a state instead of the decisions that led to it; `bound`: older ones made room. */
  readonly why: { readonly kind: 'snapshot' | 'bound' }
}

/**
 * What the log says of one group: read back from it at the start, and kept in step with it afterwards, so that the
 * compaction of the log as a whole finds the records that still matter.
 */
export class GroupLog {
  #records: LogRecord[] = []
  #drafts: LogRecord[] = []
  #recent: Decided[] = []
  #packed: Packed[] = []
  #complete: Complete | undefined

  /** All that was said since the last rewriting. */
  get records(): readonly LogRecord[] {
    return this.#records
  }

  /** The latest decisions, oldest first. To read one or the last few of them costs less. */
  get decisions(): readonly Decided[] {
    return [...this.#packed.map(unpacked), ...this.#recent]
  }

  get lastDecision(): Decided | undefined {
    return this.#recent.at(-1)
  }

  decisionAt(height: number): Decided | undefined {
    const recent = this.#recent.find(({ block }) => block.header.height === height)
    if (recent !== undefined) return recent
    const packed = this.#packed.find((each) => each.height === height)
    return packed === undefined ? undefined : unpacked(packed)
  }

  /** Those after one that was the last when it was asked for. */
  decisionsAfter(last: Decided | undefined): readonly Decided[] {
    const at = last === undefined ? -1 : this.#recent.lastIndexOf(last)
    return at < 0 ? this.decisions : this.#recent.slice(at + 1)
  }

  /** GR-9: undefined if no decision is missing. */
  get complete(): Complete | undefined {
    return this.#complete
  }

  take(record: GroupRecord): void {
    switch (record.kind) {
      case 'group':
        this.#records.push(record.record)
        return
      case 'group-draft':
        this.#drafts.push(record.record)
        return
      case 'group-rewritten':
        // Drafts of a rewriting that a crash cut short come first.
        this.#records = this.#drafts.slice(Math.max(0, this.#drafts.length - record.drafts))
        this.#drafts = []
        return
      case 'decided':
        this.#decided(record.decided)
        return
      case 'decided-logged': {
        const { header, ...about } = record.decided
        const logged = this.#logged(header)
        assert(logged !== undefined, 'what a decision leaves out stands in the log before it', { ...header })
        this.#decided({ block: { ...logged, header }, ...about })
        return
      }
      case 'decisions-from':
        this.#complete = record
        return
    }
  }

  /** The record of a decision, as short as what stands in the log allows. */
  recordOf(group: GroupId, decided: Decided): GroupRecord {
    const { block, ...about } = decided
    if (this.#logged(block.header) === undefined) return { kind: 'decided', group, decided }
    return { kind: 'decided-logged', group, decided: { header: block.header, ...about } }
  }

  #decided(decided: Decided): void {
    this.#recent.push(decided)
    if (this.#recent.length <= RECENT_MAX) return
    this.#packed.push(packedOf(this.#recent.shift() as Decided))
    if (this.#packed.length > DECISIONS_MAX - RECENT_MAX) this.#forget(this.#packed.shift() as Packed)
  }

  /** A block that is in force in the log with what this header stands above. The latest are asked for. */
  #logged({ payload }: Header): Block | undefined {
    for (let i = this.#records.length - 1; i >= 0; i--) {
      const block = blockIn(this.#records[i])
      if (block?.header.payload === payload) return block
    }
    return undefined
  }

  /** The records that say the same to a new log. */
  snapshot(group: GroupId): readonly GroupRecord[] {
    const records = this.#records.map((record): GroupRecord => ({ kind: 'group', group, record }))
    const complete = this.#complete === undefined ? [] : [{ ...this.#complete, kind: 'decisions-from', group } as const]
    const decisions = this.decisions.map((decided): GroupRecord => ({ kind: 'decided', group, decided }))
    return [...records, ...decisions, ...complete]
  }

  #forget(forgotten: Packed): void {
    const height = (forgotten.height + 1) as Height
    if (height > (this.#complete?.height ?? 0)) this.#complete = { height, why: { kind: 'bound' } }
  }
}

/** A decision that is shown rarely. */
interface Packed {
  readonly height: Height
  readonly bytes: Uint8Array
}

function packedOf(decided: Decided): Packed {
  return { height: decided.block.header.height, bytes: encode(decidedShape, decided) }
}

function unpacked({ bytes }: Packed): Decided {
  const decoded = decode(decidedShape, bytes)
  assert(decoded.ok, 'a decision that was packed can be read')
  return decoded.value
}

function blockIn(record: LogRecord | undefined): Block | undefined {
  if (record?.kind === 'proposal') return record.proposal.block
  return record?.kind === 'block' ? record.block : undefined
}

/** What a node's log says of all its groups. */
export class GroupLogs {
  readonly #logs = new Map<GroupId, GroupLog>()

  /** Groups that the log knows of. */
  get groups(): readonly GroupId[] {
    return [...this.#logs.keys()]
  }

  /** That of one group: whoever runs the group goes on with it. */
  of(group: GroupId): GroupLog {
    const known = this.#logs.get(group) ?? new GroupLog()
    this.#logs.set(group, known)
    return known
  }

  take(record: GroupRecord): void {
    this.of(record.group).take(record)
  }
}

/**
 * What proves a decision to whoever has the genesis (GOV-5); undefined if `handovers`, those that the core holds, no longer lead
 * to its epoch (B-32).
 */
export function decisionProofBytes(
  decided: Decided,
  handovers: readonly CheckpointCertificate[],
): Uint8Array | undefined {
  const proof = prove(decided, handovers)
  return proof === undefined ? undefined : encode(decisionProofShape, proof)
}

/** GR-1: what replaces all that the log says of a group: drafts, and then the one record that makes them count. */
export function rewriting(group: GroupId, records: readonly LogRecord[]): readonly GroupRecord[] {
  const drafts = records.map((record): GroupRecord => ({ kind: 'group-draft', group, record }))
  return [...drafts, { kind: 'group-rewritten', group, drafts: drafts.length }]
}
