import {
  ConsensusCore,
  type ConsensusParams,
  type Digest,
  type GroupId,
  type HashFunction,
  type LogTrust,
} from '../consensus/index.ts'
import type { Signer } from '../identity/index.ts'
import type { Machine } from '../wire/index.ts'
import { GroupHost } from './group-host.ts'
import { GroupLog } from './group-log.ts'

/** What a group on a node needs, whatever it decides about. */
export interface GroupTerms {
  /** The swarm's id, which stands for the block before the first: the group's name tells its blocks from other groups'. */
  readonly genesis: Digest
  readonly signer: Signer
  /** Others whose keys this node holds. */
  readonly clients?: readonly Signer[]
  readonly hash: HashFunction
  /** Larger at every start (B-21). */
  readonly session: number
  /** What this node's log says of the group. */
  readonly log?: GroupLog | undefined
  /** Whether votes may be missing from it (B-20). */
  readonly trust: LogTrust
  readonly params?: Partial<ConsensusParams>
}

/** A group on this node, brought to where its log ends. The machine is new: as the founders left it. */
export function openGroup(id: GroupId, machine: Machine, terms: GroupTerms): GroupHost {
  const { signer, clients = [], log = new GroupLog(), trust, params = {} } = terms
  const core = new ConsensusCore({
    group: id,
    genesis: terms.genesis,
    genesisMembers: machine.members(),
    machine,
    signer,
    clients,
    hash: terms.hash,
    session: terms.session,
    records: log.records,
    log: trust,
    params,
  })
  return new GroupHost(id, signer.node, core, log)
}
