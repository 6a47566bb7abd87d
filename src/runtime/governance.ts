import { hash } from 'node:crypto'
import type { ConsensusParams, Digest, GroupId, LogTrust } from '../consensus/index.ts'
import type { CouncilFounding } from '../council/types.ts'
import {
  type Certificate,
  certificateReader,
  createSigner,
  type Domain,
  type Founding,
  type KeyPair,
  publicKeyOf,
  verifyStatement,
  verifyStatementLater,
} from '../identity/index.ts'
import type { SwarmId } from '../kernel/index.ts'
import { CellDesk, COUNCIL, CouncilDesk, FIRST_CELL, type GroupTerms } from '../swarm/index.ts'
import type { Statement } from '../wire/index.ts'
import type { NodeState } from './node-state.ts'

export interface CouncilTerms {
  readonly founding: Founding
  readonly node: KeyPair
  /** The organisation's key, where this node holds it. */
  readonly authority: KeyPair | undefined
  readonly certificate: Certificate
  readonly state: NodeState
  /** Whether the log may lack votes that this key has signed. */
  readonly trust: LogTrust
  readonly params?: Partial<ConsensusParams>
}

/** A certificate's epoch grows in milliseconds; so many starts of a node fit between two certificates a second apart. */
const STARTS_PER_EPOCH = 1000

/** The council of this swarm on this node, brought to where its log ends. */
export function openCouncil(terms: CouncilTerms): CouncilDesk {
  const { founding, authority } = terms
  const { swarm } = founding
  return new CouncilDesk({
    ...groupTerms(terms, COUNCIL),
    founding: councilOf(founding),
    ports: { readCertificate: certificateReader(swarm), isKey: (name) => publicKeyOf(name) !== undefined },
    authority: authority === undefined ? undefined : createSigner(authority, swarm),
  })
}

/** The cell of this node, brought to where its log ends. The swarm's founders are the first custodians of its first cell. */
export function openCell(terms: Omit<CouncilTerms, 'authority'>): CellDesk {
  const founders = terms.founding.genesis.validators.map(({ node }) => node)
  return new CellDesk(FIRST_CELL, { ...groupTerms(terms, FIRST_CELL), founders })
}

function groupTerms(terms: Omit<CouncilTerms, 'authority'>, group: GroupId): GroupTerms {
  const { founding, node, certificate, state, trust, params } = terms
  return {
    genesis: founding.swarm as string as Digest,
    signer: createSigner(node, founding.swarm),
    hash: sha256,
    // Above every earlier one: the incarnation by the log (M-8), the epoch also where the log was lost.
    session: certificate.epoch * STARTS_PER_EPOCH + (state.ceiling ?? 0) + 1,
    log: state.groups.of(group),
    trust,
    ...(params === undefined ? {} : { params }),
  }
}

/** One for all groups, so that they share what they have hashed. */
function sha256(bytes: Uint8Array): Digest {
  return hash('sha256', bytes, 'hex') as Digest
}

/** What the genesis says about the first council. */
function councilOf({ genesis, founder }: Founding): CouncilFounding {
  return {
    founder,
    organisations: genesis.organisations.map(({ name, authorities, validatorSeatsMax }) => {
      return { name, authorities, seatsMax: validatorSeatsMax }
    }),
    parameters: genesis.parameters,
    validators: genesis.validators,
  }
}

/**
 * So few are checked at once: the way to a thread and back costs half as much as the check, and one turn of the loop
 * more, in which whoever waits for a quorum's last vote could have answered.
 */
const INLINE_CLAIMS_MAX = 2

/**
 * Checks signatures beside the loop, in libuv's pool of threads, which the log leaves idle most of the time: measured at
 * 65 µs of the loop's time for a signature instead of 150. A worker thread would cost each node some 10 MB.
 */
export function signatureCheck(swarm: SwarmId): SignatureCheck {
  return (claims, then) => {
    if (claims.length <= INLINE_CLAIMS_MAX) {
      then(claims.map(({ domain, statement }) => verifyStatement(domain, swarm, statement)))
      return
    }
    void Promise.all(claims.map(({ domain, statement }) => verifyStatementLater(domain, swarm, statement))).then(then)
  }
}

export type SignatureCheck = (
  claims: readonly { readonly domain: Domain; readonly statement: Statement }[],
  then: (valid: readonly boolean[]) => void,
) => void
