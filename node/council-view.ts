import {
  type ActOf,
  actOf,
  COUNCIL,
  COUNCIL_PROOF_FORMAT,
  type Complete,
  type CouncilDecision,
  type CouncilDesk,
  type CouncilLogReport,
  type CouncilMemberState,
  type CouncilOutcome,
  type CouncilProofFile,
  type CouncilShowReport,
  type CouncilStatusReport,
  certificateReader,
  contradictionIn,
  type Decided,
  decisionProofBytes,
  decodeCouncilResult,
  decodeOperation,
  encodeOperation,
  type Founding,
  ISSUER_LABEL,
  type MembershipView,
  type Millis,
  type NodeId,
  type NodeRuntime,
  overviewOf,
  type ParamsOf,
  type ProposalOutcome,
  SwarmError,
  shownOf,
  type WallMillis,
} from '../src/index.ts'
import type { CouncilHandle } from './node-handle.ts'
import type { Proposals } from './proposals.ts'
import { refusedAsShutOut } from './shut-out-refusal.ts'

export interface CouncilViewParts {
  readonly desk: CouncilDesk
  readonly proposals: Proposals
  readonly founding: Founding
  readonly runtime: NodeRuntime
  now(): Millis
  wallNow(): WallMillis
}

const ROWS_DEFAULT = 50

/** A member that has said nothing for so long is silent; they speak every ten seconds. */
const SILENT_AFTER_MS = 16_000

/** The council as people and scripts see it on this node. */
export class CouncilView implements CouncilHandle {
  readonly #parts: CouncilViewParts
  readonly #readCertificate: ReturnType<typeof certificateReader>

  constructor(parts: CouncilViewParts) {
    this.#parts = parts
    this.#readCertificate = certificateReader(parts.founding.swarm)
  }

  status({ cell = false }: ParamsOf<'council.status'>): CouncilStatusReport {
    const { desk, runtime } = this.#parts
    const group = cell ? runtime.host.swarm.cell : desk
    if (group === undefined) throw new SwarmError('NOT_FOUND', 'this node is in no cell')
    const status = group.host.core.status()
    return {
      members: status.members.map((member) => ({
        node: member.node,
        org: this.#orgOf(member.node),
        state: this.#stateOf(member, status),
        height: member.height ?? null,
      })),
      f: status.f,
      quorum: status.quorum,
      epoch: status.epoch,
      view: status.view,
      height: status.height,
      primary: status.primary,
      checkpoint: status.checkpoint ?? null,
      role: status.role,
      revision: group.state.revision,
      pending: status.pendingRequests,
    }
  }

  log({ limit = ROWS_DEFAULT, since }: ParamsOf<'council.log'>): CouncilLogReport {
    const { decisions } = this.#parts.desk.host.log
    const wanted = since === undefined ? decisions : decisions.filter(({ block }) => block.header.height >= since)
    const rows = wanted.flatMap((decided) => this.#rowsOf(decided))
    const complete = completenessOf(this.#parts.desk.host.log)
    return { decisions: since === undefined ? rows.slice(-limit) : rows.slice(0, limit), ...complete }
  }

  show({ section, limit = ROWS_DEFAULT, after }: ParamsOf<'council.show'>): CouncilShowReport {
    const overview = overviewOf(
      this.#parts.desk.state,
      section,
      { after, limit },
      this.#parts.wallNow(),
      this.#readCertificate,
    )
    return { section, rows: overview.rows, ...(overview.next === undefined ? {} : { next: overview.next }) }
  }

  async propose(asked: ParamsOf<'council.propose'>): Promise<CouncilOutcome> {
    const { expect, ...proposal } = asked
    const { desk, runtime, proposals } = this.#parts
    const { shutOutAs } = desk
    if (shutOutAs !== undefined) throw refusedAsShutOut(shutOutAs, 'nothing it proposes is decided')
    const act = actOf(proposal, (node) => this.#membership.certificateOf(node))
    if (!act.ok) throw new SwarmError(act.error.code, act.error.reason)
    const operation = encodeOperation({ expect, act: act.value })
    // What is refused as far as this node knows need not cost the council a decision.
    const { as, refused } = desk.voiceFor(operation)
    if (refused !== undefined) return this.#outcome(refused)
    if (act.value.kind === 'revoke') this.#demandMeant(act.value, asked.kind === 'revoke' && asked.force === true)
    const outcome = await proposals.make((id) => runtime.propose(COUNCIL, { id, operation, as }))
    return this.#outcome(outcome)
  }

  proof({ height }: ParamsOf<'council.proof'>): CouncilProofFile {
    const { desk, founding } = this.#parts
    const { core, log } = desk.host
    const decided = log.decisionAt(height)
    if (decided === undefined) {
      throw new SwarmError('NOT_FOUND', unknownDecision(height, log.complete))
    }
    const proof = decisionProofBytes(decided, core.handovers)
    if (proof === undefined) {
      throw new SwarmError(
        'NOT_FOUND',
        `what led to epoch ${decided.commit.epoch} is no longer here: so many epochs have passed since that nobody can prove this decision`,
      )
    }
    return {
      format: COUNCIL_PROOF_FORMAT,
      swarm: founding.swarm,
      height,
      genesis: Buffer.from(founding.bytes).toString('base64'),
      proof: Buffer.from(proof).toString('base64'),
    }
  }

  /** @throws SwarmError UNSAFE_CHANGE */
  #demandMeant({ node, org }: ActOf<'revoke'>, isForced: boolean): void {
    if (node === this.#parts.desk.self) throw this.#endsItself()
    const issuesFor = this.#issuesFor(node)
    if (isForced || issuesFor === undefined || (org !== undefined && org !== issuesFor)) return
    const isOnly = this.#parts.desk.issuesFor !== issuesFor && !this.#othersIssueFor(issuesFor, node)
    if (isOnly) throw endsAdmission(node, issuesFor)
  }

  /** The organisation whose key a member says that it holds. */
  #issuesFor(node: NodeId): string | undefined {
    return this.#membership.member(node)?.labels[ISSUER_LABEL]
  }

  #othersIssueFor(org: string, node: NodeId): boolean {
    for (const other of this.#membership.members()) {
      if (other.node === node || this.#membership.state(other.node) !== 'alive') continue
      if (this.#issuesFor(other.node) === org) return true
    }
    return false
  }

  /** For good, and it may be a slip: whoever means it can say so elsewhere. */
  #endsItself(): SwarmError {
    const { desk } = this.#parts
    const elsewhere = desk.host.core.members.find(
      (node) => node !== desk.self && this.#membership.state(node) === 'alive',
    )
    const where =
      elsewhere === undefined ? 'at another node of the council' : `at another node, for example ${elsewhere}`
    const key =
      desk.authority === undefined
        ? ''
        : ' It holds an authority key: without another holder of one for its organisation, nobody can join or renew any more.'
    return new SwarmError(
      'UNSAFE_CHANGE',
      `${desk.self} is this very node, and revoking it is for good.${key} If you mean it, run the command ${where}; ` +
        "to take the node away for a while, 'stop' it",
    )
  }

  #outcome(outcome: ProposalOutcome): CouncilOutcome {
    switch (outcome.kind) {
      case 'applied':
        return shownResult(outcome.height, outcome.result)
      case 'refused':
        throw new SwarmError(outcome.code, outcome.reason)
      case 'uncertain': {
        const missing = this.#missing(outcome.missing)
        const who = missing.length === 0 ? 'some of its members' : missing.join(', ')
        throw new SwarmError(
          'NO_QUORUM',
          `the council did not decide in time; it waits for ${who}. Start those nodes, or see that they can be reached; ` +
            "the proposal may still be decided: look at 'council log' before you make it again",
          { data: { missing } },
        )
      }
    }
  }

  /** A follower hears little of members: who is up is not missing. */
  #missing(silent: readonly NodeId[]): readonly NodeId[] {
    return silent.filter((node) => this.#membership.state(node) !== 'alive')
  }

  #orgOf(node: NodeId): string {
    return this.#parts.desk.state.validators.get(node)?.org ?? this.#membership.member(node)?.org ?? ''
  }

  #stateOf(
    member: ReturnType<CouncilDesk['host']['core']['status']>['members'][number],
    status: ReturnType<CouncilDesk['host']['core']['status']>,
  ): CouncilMemberState {
    const { desk, now } = this.#parts
    if (member.convicted) return 'convicted'
    if (member.node === desk.self) return status.abstaining && status.role === 'member' ? 'abstaining' : 'voting'
    if (status.role === 'follower') return this.#membership.state(member.node) === 'alive' ? 'voting' : 'silent'
    if (member.heardAt === undefined || now() - member.heardAt > SILENT_AFTER_MS) return 'silent'
    // Its vote for the last block shows that it holds the one before.
    return (member.height ?? 0) + 1 < status.height ? 'lagging' : 'voting'
  }

  #rowsOf({ block, commit, outcomes }: Decided): readonly CouncilDecision[] {
    const { height } = block.header
    const at = new Date(block.header.at).toISOString()
    const signers = this.#signersOf(commit)
    const convictions = block.evidence.map((evidence): CouncilDecision => {
      const body = { node: evidence.signer, votes: contradictionIn(evidence) }
      return { kind: 'conviction', body, outcome: 'convicted', height, proposer: block.header.proposer, at, signers }
    })
    const operations = block.requests.flatMap(({ request }, i) =>
      request.operations.flatMap((bytes, j) => {
        const operation = decodeOperation(bytes)
        const outcome = outcomes[i]?.[j]
        if (!operation.ok || outcome?.kind !== 'applied') return []
        return [
          {
            ...shownOf(operation.value.act, this.#readCertificate),
            ...shownResult(height, outcome.result),
            proposer: request.client,
            at,
            signers,
          },
        ]
      }),
    )
    // A block convicts before it does anything else (GV-15).
    return [...convictions, ...operations]
  }

  #signersOf({ epoch, signatures }: Decided['commit']): readonly string[] {
    const members = this.#membersOf(epoch)
    return signatures.flatMap(({ seat }) => members[seat] ?? [])
  }

  /** By seat; none for an epoch that this node knows nothing of. */
  #membersOf(epoch: number): readonly string[] {
    const { desk, founding } = this.#parts
    const { core } = desk.host
    if (epoch === core.epoch) return core.members
    if (epoch === 1) return founding.genesis.validators.map(({ node }) => node).sort()
    return core.handovers.find(({ vote }) => vote.epoch === epoch - 1)?.vote.members ?? []
  }

  get #membership(): MembershipView {
    return this.#parts.runtime.host.swarm.membership
  }
}

/** GR-9, as scripts read it. */
function completenessOf({ complete }: CouncilDesk['host']['log']): Pick<CouncilLogReport, 'complete'> {
  return complete === undefined ? {} : { complete: { from: complete.height, why: complete.why.kind } }
}

function unknownDecision(height: number, complete: Complete | undefined): string {
  const advice =
    complete !== undefined && height < complete.height
      ? `this node has those from height ${complete.height} on: ask one that has been there for longer`
      : "'council log' lists them"
  return `nothing is known of a decision at height ${height}: ${advice}`
}

/** Whether the key is kept somewhere else as well no node can know. */
function endsAdmission(node: NodeId, org: string): SwarmError {
  const message =
    `${node} is the only member that is up and holds an authority key of ${org}: without it nobody can join ${org} or renew a ` +
    'certificate, unless its key is kept elsewhere. Give the organisation another key first (authority create, council ' +
    'propose org), or say that you mean it: --force'
  return new SwarmError('UNSAFE_CHANGE', message)
}

function shownResult(height: number, result: Uint8Array): CouncilOutcome {
  const decoded = decodeCouncilResult(result)
  if (decoded.kind === 'applied') return { outcome: 'applied', height, revision: decoded.revision }
  const { motion, votes, needed } = decoded
  return { outcome: 'voted', height, motion, votes, needed }
}
