import type { ConsensusParams, GroupId, Outcome } from '../consensus/index.ts'
import { type CouncilFounding, CouncilMachine, type CouncilPorts, type CouncilState } from '../council/index.ts'
import type { Authorities, Signer } from '../identity/index.ts'
import { faultsTolerated, type NodeId, type OrgId } from '../kernel/index.ts'
import type { GroupHost } from './group-host.ts'
import { type GroupTerms, openGroup } from './open-group.ts'
import type { ShutOut } from './types.ts'

/** The group that governs the whole swarm. */
export const COUNCIL = 'council' as GroupId

export interface CouncilOptions extends Omit<GroupTerms, 'clients'> {
  readonly founding: CouncilFounding
  readonly ports: CouncilPorts
  /** The organisation's key, where this node holds it: it proposes in its name. */
  readonly authority?: Signer | undefined
}

/** What the council has decided since this was last asked for. */
export interface CouncilNews {
  readonly revoked: readonly NodeId[]
  /** Whose membership its organisation has ended since this node started. */
  readonly expelled: readonly { readonly node: NodeId; readonly org: OrgId }[]
  /** Whether organisations, their keys, seats or memberships have changed. */
  readonly organisations: boolean
  /** Of all tenants, if any has changed. */
  readonly weights: Readonly<Record<string, number>> | undefined
  /** Set since this node started. */
  readonly parameters: readonly { readonly name: string; readonly value: string }[]
}

const SHUT_OUTS: readonly ShutOut[] = ['revoked', 'unvouched']

/** Who speaks for a proposal, and what the group would say to it as far as this node knows. */
export interface Voice {
  readonly as: NodeId
  readonly refused: Extract<Outcome, { kind: 'refused' }> | undefined
}

/** The council on this node, member or follower: its state, and what of it is news to the other cores. */
export class CouncilDesk {
  readonly host: GroupHost
  readonly self: NodeId
  readonly authority: NodeId | undefined
  readonly #machine: CouncilMachine
  readonly #ports: CouncilPorts
  readonly #revoked = new Set<NodeId>()
  #revision = -1
  readonly #shutOutBy: Readonly<Record<ShutOut, Set<NodeId>>> = { revoked: new Set(), unvouched: new Set() }

  constructor(options: CouncilOptions) {
    const { signer, authority, founding, ports, params } = options
    this.self = signer.node
    this.authority = authority?.node
    this.#ports = ports
    this.#machine = new CouncilMachine(founding, ports)
    this.host = openGroup(COUNCIL, this.#machine, {
      ...options,
      clients: authority === undefined ? [] : [authority],
      params: { ...COUNCIL_PARAMS, ...params },
    })
  }

  /** What is decided, as far as this node knows. */
  get state(): CouncilState {
    return this.#machine.state
  }

  /** Whose keys speak for organisations, and for whom, by what is decided. */
  get authorities(): Authorities {
    const { state, host } = this
    return {
      organisationOf: (key) => state.organisationOf(key),
      withdrawnFrom: (key) => state.withdrawnFrom(key),
      isSeated: (node, org) => state.isSeated(node, org),
      // GR-11: as with a revoked one, whose last votes the council may need.
      isExpelled: (node, org) => state.isExpelled(node, org) && !host.needs(node),
    }
  }

  /** The organisation for which the authority key of this node speaks. */
  get issuesFor(): OrgId | undefined {
    return this.authority === undefined ? undefined : this.state.organisationOf(this.authority)
  }

  /** Whom a certificate names, if it is one of this swarm. */
  nodeOf(certificate: Uint8Array): NodeId | undefined {
    return this.#ports.readCertificate(certificate)?.certificate.node
  }

  isRevoked(node: NodeId): boolean {
    return this.state.revocations.has(node)
  }

  /**
   * How the membership of this very node has ended; undefined while it has not. It may be cut off before it can read so
   * itself: then it believes it once more validators than can lie have turned it away for that reason.
   */
  get shutOutAs(): ShutOut | undefined {
    if (this.isRevoked(this.self)) return 'revoked'
    const liars = faultsTolerated(this.host.core.members.length)
    return SHUT_OUTS.find((why) => this.#shutOutBy[why].size > liars)
  }

  get isOut(): boolean {
    return this.shutOutAs !== undefined
  }

  /** A peer refused to talk to this node because it is a member no more. True if that is how this node finds out. */
  shutOut(by: NodeId, why: ShutOut): boolean {
    if (this.isOut || !this.host.core.members.includes(by)) return false
    this.#shutOutBy[why].add(by)
    return this.isOut
  }

  /**
   * In whose name this node would best propose an operation, and why it would be refused now: its organisation's, if that
   * may do it; else its own.
   */
  voiceFor(operation: Uint8Array): Voice {
    const { authority, self } = this
    const own = (): Voice => ({ as: self, refused: this.check(operation, self) })
    if (authority === undefined) return own()
    const refused = this.check(operation, authority)
    if (refused === undefined) return { as: authority, refused }
    const mine = own()
    return mine.refused === undefined ? mine : { as: authority, refused }
  }

  /** Why an operation would be refused now; undefined if it would not. */
  check(operation: Uint8Array, client: NodeId): Extract<Outcome, { kind: 'refused' }> | undefined {
    const refused = this.#machine.check(operation, client)
    return refused === undefined ? undefined : { kind: 'refused', ...refused }
  }

  /** News for the other cores; undefined if there is none. */
  news(): CouncilNews | undefined {
    const { state } = this
    if (state.revision === this.#revision) return undefined
    const since = this.#revision
    const isNew = ({ value }: { readonly value: { readonly revision: number } }): boolean => value.revision > since
    this.#revision = state.revision
    // None is ever forgotten, so that as many are the same ones.
    const some = this.#revoked.size < state.revocations.size ? state.revocations.rows() : []
    const revoked = some.flatMap(({ key }) => (this.#revoked.has(key) ? [] : [key]))
    for (const node of revoked) this.#revoked.add(node)
    const tenants = state.tenants.rows()
    const weights = tenants.some(isNew)
      ? Object.fromEntries(tenants.map(({ key, value }) => [key, value.weight]))
      : undefined
    const set = since < 0 ? [] : state.parameters.rows().filter(isNew)
    const expelled = state.expelled.rows().filter(isNew)
    const isChanged = [state.organisations, state.withdrawn, state.validators].some((table) => table.rows().some(isNew))
    return {
      revoked,
      expelled: since < 0 ? [] : expelled.map(({ value }) => value),
      organisations: isChanged || expelled.length > 0,
      weights,
      parameters: set.map(({ key, value }) => ({ name: key, value: value.value })),
    }
  }
}

/**
 * An idle council says little: its members tell each other every ten seconds that they are there. Decisions are rare and
 * a state small, so segments are short: what a newcomer has to replay is little.
 */
const COUNCIL_PARAMS: Partial<ConsensusParams> = { statusMs: 10_000, segmentBlocksMax: 64 }
