import { z } from 'zod'
import type { GovernedRow, Proposal, Section, Shown } from '../council/index.ts'
import { err, ok, type Result } from '../kernel/index.ts'
import { dictionary, NAME_BYTES_MAX, rowLimit } from './fields.ts'
import { isRecord } from './frames.ts'

/*
 * What can be proposed to the council and asked of it. The bounds are no wider than those of its operations
 * (`src/council/params.ts`), which judge again by the state: whatever passes here can be encoded.
 */

const CHANGES_MAX = 4
const KEYS_MAX = 8
const SEATS_MAX = 64
const QUOTAS_MAX = 16
const OVERRIDE_TTL_MS_MAX = 7 * 24 * 3_600_000

/** Sections of what stands decided; a test holds them against the council's. */
export const COUNCIL_SECTIONS = [
  'organisations',
  'withdrawn',
  'validators',
  'convicted',
  'tenants',
  'parameters',
  'roles',
  'revoked',
  'expelled',
  'overrides',
  'motions',
] as const satisfies readonly Section[]

const plainText = (charsMax: number) => {
  return z.string().regex(new RegExp(`^[!-~]{1,${charsMax}}$`), `1 to ${charsMax} visible characters, no space`)
}
const named = plainText(NAME_BYTES_MAX)
const subject = plainText(128)
/** Of a node or of an authority: both are named alike. */
const key = z.string().regex(/^[A-Za-z0-9]{1,64}$/, 'a node id')

const BODIES = {
  tenant: z.strictObject({ name: named, weight: z.number(), quota: dictionary(z.number(), QUOTAS_MAX) }),
  /** With `org`, only its membership of that organisation. */
  revoke: z.strictObject({ node: key, org: named.optional() }),
  org: z.strictObject({
    name: named,
    keys: z.array(key).max(KEYS_MAX),
    seats: z.int().min(0).max(SEATS_MAX),
  }),
  validator: z.strictObject({ add: z.array(key).max(CHANGES_MAX), remove: z.array(key).max(CHANGES_MAX) }),
  parameter: z.strictObject({ name: plainText(48), value: z.union([z.int().min(0), plainText(126)]) }),
  role: z.strictObject({ tenant: named, subject, role: named, withdraw: z.boolean() }),
  override: z.strictObject({ subject, action: named, ttlMs: z.int().min(0).max(OVERRIDE_TTL_MS_MAX) }),
} as const satisfies { readonly [K in Proposal['kind']]: z.ZodType<Extract<Proposal, { kind: K }>['body']> }

function proposed<K extends keyof typeof BODIES>(kind: K) {
  return z.strictObject({
    kind: z.literal(kind),
    body: BODIES[kind],
    /** Compare-and-set: the revision that is to be changed (`council.show`); 0: it must not be there yet. */
    expect: z.int().min(0).optional(),
  })
}

export const proposeParams = z.discriminatedUnion('kind', [
  proposed('tenant'),
  /** `force`: also of the only member that is known to hold a key of its organisation. */
  proposed('revoke').extend({ force: z.boolean().optional() }),
  proposed('org'),
  proposed('validator'),
  proposed('parameter'),
  proposed('role'),
  proposed('override'),
])

const height = z.int().min(1)

export const councilStatusParams = z.strictObject({
  /** The group of this node's cell instead: its custodians. */
  cell: z.boolean().optional(),
})

export const councilLogParams = z.strictObject({
  /** The newest so many; from `since` on, the oldest. */
  limit: rowLimit.optional(),
  since: height.optional(),
})
export const councilProofParams = z.strictObject({ height })
export const councilShowParams = z.strictObject({
  section: z.enum(COUNCIL_SECTIONS),
  limit: rowLimit.optional(),
  after: z.string().max(256).optional(),
})

/** Of a member of the council, as this node sees it. */
export const COUNCIL_MEMBER_STATES = ['voting', 'lagging', 'silent', 'convicted', 'abstaining'] as const
export type CouncilMemberState = (typeof COUNCIL_MEMBER_STATES)[number]

/** `swarm-node council status --json`. */
export interface CouncilStatusReport {
  readonly members: readonly {
    readonly node: string
    readonly org: string
    readonly state: CouncilMemberState
    /** What it last said it had decided; null while it has said nothing. */
    readonly height: number | null
  }[]
  /** How many members may lie. */
  readonly f: number
  readonly quorum: number
  readonly epoch: number
  readonly view: number
  /** Of the last decision. */
  readonly height: number
  /** Whose turn it is to propose. */
  readonly primary: string
  readonly checkpoint: { readonly height: number; readonly root: string } | null
  /** What this node is to the council. */
  readonly role: 'member' | 'follower'
  /** Counts decisions that changed something. */
  readonly revision: number
  /** Requests that wait to be decided. */
  readonly pending: number
}

/** What became of one decided operation. */
export type CouncilOutcome =
  | { readonly outcome: 'applied'; readonly height: number; readonly revision: number }
  /** One voice of a motion that needs more. */
  | {
      readonly outcome: 'voted'
      readonly height: number
      readonly motion: string
      readonly votes: number
      readonly needed: number
    }

/** A validator was caught (GV-15): nobody proposes that, the evidence itself was decided. */
export interface CouncilConviction {
  readonly kind: 'conviction'
  /** What it signed two votes for, of which no correct member signs both. */
  readonly body: { readonly node: string; readonly votes: string }
  readonly outcome: 'convicted'
  readonly height: number
}

/** A row of `swarm-node council log --json`. */
export type CouncilDecision = ((Shown & CouncilOutcome) | CouncilConviction) & {
  /** The node, or the organisation's key, in whose name it was proposed; of evidence, whoever put it into its block. */
  readonly proposer: string
  readonly at: string
  /** Whose signatures made it final. */
  readonly signers: readonly string[]
}

export interface CouncilLogReport {
  readonly decisions: readonly CouncilDecision[]
  /** Absent: nothing is missing. Else decisions below `from` may be: this node took over a state, or older ones made room. */
  readonly complete?: { readonly from: number; readonly why: 'snapshot' | 'bound' }
}

/** A page of what stands decided. */
export interface CouncilShowReport {
  readonly section: Section
  readonly rows: readonly GovernedRow[]
  readonly next?: string
}

/** The file that `council verify` checks: everything in it but the genesis' hash is proven by its content. */
export interface CouncilProofFile {
  readonly format: typeof COUNCIL_PROOF_FORMAT
  /** The swarm's id: the hash of the genesis. */
  readonly swarm: string
  readonly height: number
  /** Both in base64. */
  readonly genesis: string
  readonly proof: string
}

export const COUNCIL_PROOF_FORMAT = 'swarm-node council decision 1'

const base64 = z.base64()

const proofFile = z.strictObject({
  format: z.literal(COUNCIL_PROOF_FORMAT),
  swarm: z.string(),
  height: z.int(),
  genesis: base64,
  proof: base64,
})

/** Reads a proof's file as it was printed; what is wrong with it otherwise. */
export function parseProofFile(text: string): Result<CouncilProofFile> {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return err('it is not JSON')
  }
  const judged = proofFile.safeParse(document)
  if (judged.success) return ok(judged.data)
  if (!isRecord(document) || document.format !== COUNCIL_PROOF_FORMAT) {
    return err(`it is no proof of a decision: its format is not '${COUNCIL_PROOF_FORMAT}'`)
  }
  return err(judged.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`).join('; '))
}
