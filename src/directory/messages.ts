import type { Incarnation, NodeId } from '../kernel/index.ts'
import {
  count,
  dictionary,
  f64,
  flag,
  list,
  networkCoordinate,
  nodeId,
  record,
  statement,
  text,
  u8,
  u32,
  type Value,
  variant,
} from '../wire/index.ts'

/** Bounds of one digest; the sum stays below {@link DIGEST_BYTES_MAX}. */
export const SKILLS_MAX = 64
export const SKILL_NAME_BYTES_MAX = 64
export const RESOURCES_MAX = 16
export const LABELS_MAX = 24
export const LABEL_VALUES_MAX = 4
export const LABEL_KEY_BYTES_MAX = 48
export const LABEL_VALUE_BYTES_MAX = 64
export const DIGEST_BYTES_MAX = 15 * 1024

export const BUCKETS = 64
export const ROWS_MAX = 1500
export const DIGESTS_PER_REPLY_MAX = 256

/** One skill as all agents of the node offer it together. */
const skillSummary = record({
  name: text(SKILL_NAME_BYTES_MAX),
  slotsFree: count(1_000_000),
  slotsTotal: count(1_000_000),
  /** Mean over the agents, 0 to 1, in thousandths. */
  proficiencyThousandths: count(1000),
  /** Lowest price per task, in the swarm's unit of account. */
  price: f64,
  /** Tasks waiting at the node for this skill. */
  queued: count(1_000_000),
})
export type SkillSummary = Value<typeof skillSummary>

/** What the subject signs, in domain `digest`. */
export const digestBody = record({
  run: count<Incarnation>(2 ** 48),
  version: count(2 ** 48),
  skills: list(skillSummary, SKILLS_MAX),
  /** The most that one agent has free, by unit: `cpu`, `memory.gb`, `gpu`, whatever the agents declare. */
  resources: dictionary(LABEL_KEY_BYTES_MAX, f64, RESOURCES_MAX),
  /** The most that one agent has when it has nothing to do. */
  capacity: dictionary(LABEL_KEY_BYTES_MAX, f64, RESOURCES_MAX),
  /** Labels of the node's agents, with every value that one of them has. */
  labels: dictionary(LABEL_KEY_BYTES_MAX, list(text(LABEL_VALUE_BYTES_MAX), LABEL_VALUES_MAX), LABELS_MAX),
  coordinate: networkCoordinate,
  cpuThousandths: count(1000),
  eventLoopLagMs: count(1_000_000),
  rssMiB: count(100_000_000),
  agents: count(1_000_000),
  /** False while the node drains or sheds: it takes no new work. */
  accepting: flag,
})
export type DigestBody = Value<typeof digestBody>

const digestStatement = statement(DIGEST_BYTES_MAX)

/** Which digest of a node the sender holds. */
const row = record({ node: nodeId, run: count<Incarnation>(2 ** 48), version: count(2 ** 48) })
export type DigestRow = Value<typeof row>

const syncRequestBody = variant({
  hashes: record({ hashes: list(u32, BUCKETS) }),
  /** All that the sender holds in these buckets. */
  rows: record({ buckets: list(u8, BUCKETS), rows: list(row, ROWS_MAX) }),
  want: record({ nodes: list<NodeId>(nodeId, DIGESTS_PER_REPLY_MAX) }),
})

/** The body of each kind that this protocol owns. */
export const DIRECTORY_BODIES = {
  'directory.digest': digestStatement,
  'directory.sync-request': syncRequestBody,
  'directory.sync-reply': list(digestStatement, DIGESTS_PER_REPLY_MAX),
} as const

export type DirectoryMessage = {
  readonly [K in keyof typeof DIRECTORY_BODIES]: {
    readonly kind: K
    readonly body: Value<(typeof DIRECTORY_BODIES)[K]>
  }
}[keyof typeof DIRECTORY_BODIES]
