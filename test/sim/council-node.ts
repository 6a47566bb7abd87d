import { createHash } from 'node:crypto'
import { CLAIMS_PROFILES } from '../../src/claims/index.ts'
import type { ConsensusParams, Digest, GroupId, HashFunction } from '../../src/consensus/index.ts'
import type { CouncilFounding } from '../../src/council/index.ts'
import { DIRECTORY_PROFILES } from '../../src/directory/index.ts'
import type { Certificate, Role } from '../../src/identity/types.ts'
import { type NodeId, type OrgId, Random } from '../../src/kernel/index.ts'
import type { MembershipParams } from '../../src/membership/index.ts'
import { type Host, type NodeParts, type Scenario, SimKeys, simNodeId } from '../../src/sim/index.ts'
import {
  CellDesk,
  COUNCIL,
  CouncilDesk,
  composeSwarm,
  FIRST_CELL,
  type GroupTerms,
  type Swarm,
} from '../../src/swarm/index.ts'
import { sealerOf } from '../support/sealer.ts'

export const AUTHORITY = 'authority' as NodeId
const ORGANISATION = 'sim' as OrgId
/** Where everyone starts from: what a real swarm takes from its signed genesis. */
export const GENESIS = '11'.repeat(32) as Digest

export const sha256: HashFunction = (bytes) => createHash('sha256').update(bytes).digest('hex') as Digest

/** How the councils of one seed differ from those of the next. */
export interface CouncilPlan {
  /** Machines that lie to whoever follows the council; workers only, so that none has a vote. */
  readonly liars: readonly number[]
  /** Machines that are workers only, and so follow for ever. */
  readonly followers: readonly number[]
  /** Short segments, so that logs are replaced and states taken over within a minute. */
  readonly params: Partial<ConsensusParams>
  /** Whether the council fills and renews itself. */
  readonly recruits: boolean
}

export function planOf(scenario: Scenario): CouncilPlan {
  const random = new Random(`council/${scenario.seed}`)
  const machines = Array.from({ length: scenario.nodes - 1 }, (_, i) => i + 1)
  const plain = random.sample(machines, Math.floor(machines.length / 4))
  return {
    liars: random.chance(0.5) ? plain.slice(0, 1) : [],
    followers: plain,
    params: { segmentBlocksMax: random.pick([4, 8, 16]), statusMs: 1_000 },
    recruits: random.chance(0.85),
  }
}

export function rolesOf(plan: CouncilPlan, host: Pick<Host, 'machine'>): readonly Role[] {
  return plan.followers.includes(host.machine) ? ['worker'] : ['worker', 'custodian', 'validator']
}

export const FOUNDERS = [simNodeId(0)]

const FOUNDING: CouncilFounding = {
  founder: ORGANISATION,
  organisations: [{ name: ORGANISATION, authorities: [AUTHORITY], seatsMax: 32 }],
  parameters: {},
  validators: FOUNDERS.map((node) => ({ node, org: ORGANISATION })),
}

/** The council on one node, as `openCouncil` makes it in the daemon. */
function openCouncil(parts: NodeParts, plan: CouncilPlan, keys: SimKeys): CouncilDesk {
  const { signer, verifier } = parts
  return new CouncilDesk({
    ...termsOf(parts, plan, COUNCIL),
    founding: FOUNDING,
    ports: {
      readCertificate: (bytes) => {
        const certificate = verifier.certificate(bytes)
        return certificate.ok ? { certificate: certificate.value, authority: AUTHORITY } : undefined
      },
      isKey: () => true,
    },
    authority: signer.node === FOUNDERS[0] ? keys.signer(AUTHORITY) : undefined,
  })
}

function termsOf({ signer, groups, ceiling }: NodeParts, plan: CouncilPlan, group: GroupId): GroupTerms {
  const log = groups.of(group)
  return {
    genesis: GENESIS,
    signer,
    hash: sha256,
    session: (ceiling ?? 0) + 1,
    log,
    trust: 'intact',
    params: plan.params,
  }
}

export function buildGoverned(parts: NodeParts, params: MembershipParams, scenario: Scenario): Swarm {
  const plan = planOf(scenario)
  return composeSwarm({
    isPayload: () => true,
    seal: sealerOf(parts.signer.node),
    ...parts,
    params: {
      membership: params,
      directory: DIRECTORY_PROFILES.lan,
      claims: CLAIMS_PROFILES.lan,
      ...(plan.recruits ? { recruiter: { admitAfterMs: 3_000, absentAfterMs: 8_000 } } : {}),
    },
    council: openCouncil(parts, plan, new SimKeys(scenario.seed)),
    cell: new CellDesk(FIRST_CELL, { ...termsOf(parts, plan, FIRST_CELL), founders: FOUNDERS }),
  })
}

/** Whose certificate this is, for the checkers: read as it stands. */
export function nodeOfCertificate(keys: SimKeys): (bytes: Uint8Array) => NodeId | undefined {
  const verifier = keys.verifier()
  return (bytes) => {
    const certificate = verifier.certificate(bytes)
    return certificate.ok ? (certificate.value as Certificate).node : undefined
  }
}
