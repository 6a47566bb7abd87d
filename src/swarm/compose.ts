import { Claims, type ClaimsOptions, type ClaimsParams, type ClaimsRecord } from '../claims/index.ts'
import { Directory, type DirectoryParams, type JudgeDigest } from '../directory/index.ts'
import type { NodeId } from '../kernel/index.ts'
import { Membership, type MembershipCore, type MembershipOptions } from '../membership/index.ts'
import { RENEWAL_PARAMS, Renewal, type RenewalOptions } from '../renewal/index.ts'
import type { CellDesk } from './cell-desk.ts'
import { claimsPeers, skillsOf } from './claims-peers.ts'
import type { CouncilDesk } from './council-desk.ts'
import { Custodians } from './custodians.ts'
import { Recruiter, type RecruiterParams } from './recruiter.ts'
import { Swarm } from './swarm.ts'

/** What only this node, on this start, can know; and the parameters of each protocol. */
export interface SwarmOptions
  extends Omit<MembershipOptions, 'params'>,
    Pick<RenewalOptions, 'issuer'>,
    Pick<ClaimsOptions, 'isPayload' | 'seal'> {
  readonly params: {
    readonly membership: MembershipOptions['params']
    readonly directory: DirectoryParams
    readonly claims: ClaimsParams
    /** Absent: the council and the cell, if there are any, change by proposals of people only. */
    readonly recruiter?: RecruiterParams
  }
  /** What the log says of tasks, in order. */
  readonly claims?: Iterable<ClaimsRecord>
  /** Made before the rest, for the parameters that it has decided. */
  readonly council?: CouncilDesk
  readonly cell?: CellDesk
  /** In place of verifying digests one by one; see `JudgeDigest`. */
  readonly judgeDigest?: JudgeDigest
  /** For tests: puts something between the membership core and the rest. */
  wrapMembership?(core: MembershipCore): MembershipCore
}

/** Puts a node's cores together: the one place for it, in the daemon and in the simulator. */
export function composeSwarm(options: SwarmOptions): Swarm {
  const { params, judgeDigest, wrapMembership, issuer, claims: records, council, cell, ...common } = options
  const core = new Membership({ ...common, params: params.membership, random: options.random.fork('membership') })
  const { node, org, region, zone, labels, incarnation } = core.self()
  const directory = new Directory({
    signer: options.signer,
    verifier: options.verifier,
    ...(judgeDigest === undefined ? {} : { judge: judgeDigest }),
    random: options.random.fork('directory'),
    params: params.directory,
    run: incarnation,
    self: { node, org, region, zone, labels },
  })
  const membership = wrapMembership?.(core) ?? core
  const claims = new Claims({
    node,
    // Above that of every earlier run (M-8), which is what tokens need (T-1).
    epoch: incarnation,
    params: params.claims,
    random: options.random.fork('claims'),
    peers: claimsPeers({ node, membership, directory, random: options.random.fork('candidates') }),
    skillsOf: (peer) => skillsOf(directory, peer),
    self: { org, region, zone, labels },
    isPayload: options.isPayload,
    seal: options.seal,
    records: records ?? [],
  })
  const renewal = new Renewal({
    node,
    verifier: options.verifier,
    random: options.random.fork('renewal'),
    params: RENEWAL_PARAMS,
    certificate: options.certificate,
    issuer,
  })
  const random = options.random.fork('groups')
  const { recruiter: terms } = params
  const recruiter = council === undefined || terms === undefined ? undefined : new Recruiter(council, membership, terms)
  const isRevoked = (peer: NodeId): boolean => {
    const { org: of } = membership.member(peer) ?? {}
    return council?.isRevoked(peer) === true || (of !== undefined && council?.state.isExpelled(peer, of) === true)
  }
  const ports = { membership, isRevoked }
  const custodians = cell === undefined || terms === undefined ? undefined : new Custodians(cell, ports, terms)
  return new Swarm({ membership, directory, renewal, claims, council, recruiter, cell, custodians, random })
}
