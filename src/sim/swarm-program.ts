import type { GroupId, Outcome } from '../consensus/index.ts'
import type { Certificate, Role } from '../identity/types.ts'
import type { ErrorCode, Incarnation, NodeId, OrgId, SwarmId, WallMillis } from '../kernel/index.ts'
import type { MemberFacts, MembershipOptions, MembershipView } from '../membership/index.ts'
import {
  type CellDesk,
  type ClaimsHostEffect,
  type ClaimsHostInput,
  type CouncilDesk,
  coreRecords,
  decodeNodeRecord,
  encodeNodeRecord,
  GroupLogs,
  type NodeRecord,
  type Proposal,
  type Swarm,
  SwarmHost,
} from '../swarm/index.ts'
import type { Lane, LinkDownReason, MessageKind, PeerCredentials } from '../wire/index.ts'
import type { SimKeys } from './keys.ts'
import type { Machine } from './machine.ts'
import type { MembershipProgram } from './membership-checker.ts'
import type { Boot, Host } from './program.ts'

/** A peer by name and place, as a ticket would give it. */
export interface Contact {
  readonly node: NodeId
  readonly addresses: readonly string[]
}

/** What is left open when a node's cores are put together: everything that only this node on this start can know. */
export type NodeParts = Pick<
  MembershipOptions,
  'signer' | 'verifier' | 'random' | 'certificate' | 'facts' | 'ceiling' | 'peers'
> & { readonly claims: ClaimsRecords; readonly groups: GroupLogs }

type ClaimsRecords = Extract<NodeRecord, { readonly kind: 'claims' }>['records']

export interface SwarmBootOptions {
  readonly keys: SimKeys
  contactsOf(host: Host): readonly Contact[]
  /** Puts the cores of one node together; a planted bug is put in here. */
  build(parts: NodeParts, host: Host): Swarm
  /** What a daemon would do with its agents and clients; called from inside a step, so it answers later. */
  perform?(host: Host, effect: ClaimsHostEffect): void
  /** What became of an operation that was proposed at this machine; called from inside a step too. */
  decided?(host: Host, id: number, outcome: Outcome): void
  /** By default worker and custodian. */
  rolesOf?(host: Host): readonly Role[]
}

/** Starts the program that ships, over simulated ports. */
export function bootSwarm(options: SwarmBootOptions): Boot<SwarmProgram> {
  return (host) => new SwarmProgram(host, options)
}

/** A node as the daemon runs it: `SwarmHost` around `Swarm`, with what the log kept from the life before. */
export class SwarmProgram implements MembershipProgram {
  readonly #driver: SwarmHost
  readonly #host: Host

  constructor(host: Host, options: SwarmBootOptions) {
    const verifier = options.keys.verifier()
    const swarm = options.build(partsOf(host, options), host)
    this.#driver = new SwarmHost({
      swarm,
      network: host.network,
      log: host.log,
      now: () => host.now(),
      wallNow: () => host.wallNow(),
      schedule: (at) => host.schedule(at),
      observe: (observation) => host.observe(observation),
      perform: (effect) => options.perform?.(host, effect),
      verify: (claims, then) => then(claims.map(({ domain, statement }) => verifier.verify(domain, statement))),
      decided: (id, outcome) => options.decided?.(host, id, outcome),
      fatal: (cause) => {
        throw cause
      },
    })
    this.#host = host
    this.#driver.tick()
  }

  get claims(): Swarm['claims'] {
    return this.#driver.swarm.claims
  }

  /** The council as this node knows it, where the nodes have one. */
  get council(): CouncilDesk | undefined {
    return this.#driver.swarm.council
  }

  /** The cell of this node, where nodes have one. */
  get cell(): CellDesk | undefined {
    return this.#driver.swarm.cell
  }

  /** As the handshake judges it (`createNetwork` in the daemon). */
  refuses(peer: NodeId): ErrorCode | undefined {
    return this.#driver.swarm.isShut(peer) ? 'CERTIFICATE_REVOKED' : undefined
  }

  /** Somebody at this node proposes something to a group. */
  propose(group: GroupId, proposal: Proposal): void {
    this.#driver.input({ kind: 'propose', group, proposals: [proposal] })
  }

  /** An agent, a client or an operator says something. */
  tell(input: ClaimsHostInput): void {
    this.#driver.input({ kind: 'claims', input })
  }

  /** Replaces what the log says of everything by what is known now, as the runtime does from time to time. */
  compact(): void {
    const kept = new Map<string, Uint8Array>()
    for (const bytes of this.#host.log.appended) {
      const entry = decodeNodeRecord(bytes)
      if (!entry.ok) continue
      const { value } = entry
      if (value.kind !== 'membership' && value.kind !== 'genesis' && value.kind !== 'certificate') continue
      kept.set(value.kind === 'membership' ? `membership ${value.record.kind}` : value.kind, bytes)
    }
    this.#host.log.compact([...kept.values(), ...coreRecords(this.#driver.swarm).map(encodeNodeRecord)])
  }

  get membership(): MembershipView {
    return this.#driver.swarm.membership
  }

  /** As an operator would ask for it. */
  leave(): void {
    this.#driver.input({ kind: 'leave' })
  }

  onTimer(): void {
    this.#driver.tick()
  }

  onLinkUp(peer: PeerCredentials): void {
    this.#driver.onLinkUp(peer)
  }

  onLinkDown(peer: NodeId, reason: LinkDownReason): void {
    this.#driver.onLinkDown(peer, reason)
  }

  onMessage(from: NodeId, kind: MessageKind, body: Uint8Array): void {
    this.#driver.onMessage(from, kind, body)
  }

  faultOfGossip(kind: MessageKind, body: Uint8Array): string | undefined {
    return this.#driver.faultOfGossip(kind, body)
  }

  onGossip(from: NodeId, kind: MessageKind, body: Uint8Array): void {
    this.#driver.onGossip(from, kind, body)
  }

  onRoom(peer: NodeId, lane: Lane): void {
    this.#driver.onRoom(peer, lane)
  }

  onDialFailed(peer: NodeId | undefined, address: string, code: string, message: string): void {
    this.#driver.onDialFailed(peer, address, code, message)
  }

  onGap(peer: NodeId, lane: Lane): void {
    this.#driver.onGap(peer, lane)
  }

  onDurable(upTo: number): void {
    this.#driver.onDurable(upTo)
  }

  onFailed(cause: unknown): void {
    this.#driver.onFailed(cause)
  }
}

/** What the log on a machine's disk says now, for checkers. */
export function reservedOn(machine: Machine): number {
  let reserved = 0
  for (const bytes of machine.log.records) {
    const entry = decodeNodeRecord(bytes)
    if (!entry.ok || entry.value.kind !== 'membership') continue
    const { record } = entry.value
    if (record.kind === 'incarnation') reserved = record.ceiling
  }
  return reserved
}

function partsOf(host: Host, options: SwarmBootOptions): NodeParts {
  let ceiling: Incarnation | undefined
  let peers: readonly Contact[] = []
  const claims: ClaimsRecords[number][] = []
  const groups = new GroupLogs()
  for (const bytes of host.log.records) {
    const entry = decodeNodeRecord(bytes)
    // The simulated log returns what was appended, so a record that does not decode is our own fault.
    if (!entry.ok) throw new Error(`a record in the log does not decode: ${entry.error}`)
    if (entry.value.kind === 'claims') claims.push(...entry.value.records)
    if ('group' in entry.value) groups.take(entry.value)
    if (entry.value.kind !== 'membership') continue
    const { record } = entry.value
    if (record.kind === 'incarnation') ceiling = record.ceiling
    else peers = record.peers
  }
  return {
    claims,
    groups,
    signer: options.keys.signer(host.node),
    verifier: options.keys.verifier(),
    random: host.random.fork('cores'),
    certificate: options.keys.certificate(certificateOf(host.node, options.rolesOf?.(host))),
    facts: factsOf(host),
    ceiling,
    peers: [...peers, ...options.contactsOf(host)],
  }
}

function factsOf(host: Host): MemberFacts {
  return {
    addresses: [host.address],
    region: host.region,
    zone: '',
    labels: {},
    version: 'sim',
    startedAt: Math.floor(host.wallNow()) as WallMillis,
  }
}

function certificateOf(node: NodeId, roles: readonly Role[] = ['worker', 'custodian']): Certificate {
  return {
    swarm: '00' as SwarmId,
    node,
    org: 'sim' as OrgId,
    roles,
    labels: {},
    epoch: 1,
    notBefore: 0 as WallMillis,
    notAfter: Number.MAX_SAFE_INTEGER as WallMillis,
  }
}
