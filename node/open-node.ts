import {
  AdmissionDesk,
  type Certificate,
  type Clock,
  CONTACT_ADDRESSES_MAX,
  CONTACTS_MAX,
  type Contact,
  type CouncilDesk,
  composeSwarm,
  createNetwork,
  createSealer,
  createSigner,
  type DataDirectory,
  ISSUER_LABEL,
  isJsonText,
  issuerFor,
  Lifecycle,
  type LogTrust,
  type MemberFacts,
  type MemberParty,
  mustTellDates,
  type NetworkPort,
  type NodeId,
  type NodeLog,
  NodeRuntime,
  NodeState,
  openCell,
  openCouncil,
  openDataDirectory,
  openNodeLog,
  Random,
  type Result,
  type Role,
  realClock,
  recall,
  renewed,
  type Standing,
  SwarmError,
  signatureCheck,
  standing,
  TicketLedger,
  type WallMillis,
} from '../src/index.ts'
import { CouncilView } from './council-view.ts'
import { type Entrance, entranceOf } from './entrance.ts'
import { joinPatiently } from './joining.ts'
import { type NodeKeys, openKeys } from './keys.ts'
import type { Log } from './log.ts'
import type { OpenedNode } from './node-handle.ts'
import { NodeView } from './node-view.ts'
import { Observer } from './observer.ts'
import { Proposals } from './proposals.ts'
import type { Settings } from './settings.ts'
import { VERSION } from './version.ts'
import { WorkDesk } from './work-desk.ts'

export interface OpenOptions {
  readonly settings: Settings
  readonly log: Log
  /** For tests: a clock that can be set. */
  readonly clock?: Clock
  /** Ends the opening, with the signal's reason, at the next point where that is possible. */
  readonly giveUp?: AbortSignal
  /** For tests: what stands between this node and its network, and may lie. */
  readonly carry?: (network: NetworkPort) => NetworkPort
  /** A broken invariant or a failed disk. Ends the process. */
  fatal(cause: unknown): void
}

/** How long each part may take to stop before it is left behind. */
const RUNTIME_STOP_MS = 1_000
const NETWORK_STOP_MS = 3_000
const LOG_STOP_MS = 5_000
const DIRECTORY_STOP_MS = 1_000

/** Time for the good-byes to leave the lanes; one that is lost costs the others a suspicion. */
const GOODBYE_MS = 50

type Network = Awaited<ReturnType<typeof createNetwork>>

/** Where a newcomer finds its swarm: at the issuer of its ticket, and at whom that one has told it of. */
interface Contacts {
  readonly peers: readonly Contact[]
  readonly spares: readonly Contact[]
}

/** What is there before this node is a member, and outlives the network. */
interface Base {
  readonly directory: DataDirectory
  readonly keys: NodeKeys
  readonly nodeLog: NodeLog
  readonly state: NodeState
  readonly ledger: TicketLedger
  readonly random: Random
  readonly startedAt: WallMillis
}

/** What exists only once this node is a member. */
interface Member {
  /** The certificate in it gives way to the next one when that is durable. */
  readonly standing: Standing
  readonly desk: AdmissionDesk
  readonly runtime: NodeRuntime
}

/**
 * Opens everything below the servers: data directory, log, identity, network, protocols. Leaves first; what was opened
 * is closed again, in reverse, when a later part fails.
 *
 * @throws SwarmError with a coded reason
 */
export async function openNode(options: OpenOptions): Promise<OpenedNode> {
  const lifecycle = new Lifecycle()
  try {
    return await new Composition(options, lifecycle).open()
  } catch (cause) {
    await lifecycle.stop()
    throw cause
  }
}

class Composition {
  readonly #options: OpenOptions
  readonly #lifecycle: Lifecycle
  readonly #observer: Observer
  readonly #clock: Clock
  #member: Member | undefined

  constructor(options: OpenOptions, lifecycle: Lifecycle) {
    this.#options = options
    this.#lifecycle = lifecycle
    this.#observer = new Observer(options.log)
    this.#clock = options.clock ?? realClock
  }

  async open(): Promise<OpenedNode> {
    const { settings } = this.#options
    const base = await this.#openBase()
    const known = recall(base.state)
    const recalled = known === undefined ? undefined : this.#openCouncil(base, known)
    const entrance = entranceOf(settings, known, base.keys, this.#clock)
    this.#options.giveUp?.throwIfAborted()
    const network = await this.#openNetwork(base, entrance)
    this.#options.giveUp?.throwIfAborted()
    const { place, contacts } = await this.#enter(entrance, network)
    const council = recalled ?? this.#openCouncil(base, place)
    place.book.follow(council.authorities)
    const agreed = settings.within(agreedParameters(place, council))
    const proposals = new Proposals()
    const { runtime, work } = this.#buildRuntime(base, contacts, place, network, agreed, council, proposals)
    base.nodeLog.log.attach(runtime.host)
    if (place !== recalledBy(entrance)) {
      await remember(runtime, place, [...contacts.peers, ...contacts.spares], this.#trust(base) === 'suspect')
    }
    const desk = this.#buildDesk(base, place, runtime)
    this.#member = { standing: place, runtime, desk }
    network.serve(runtime.host)
    runtime.start()
    this.#claimStore(base, place, runtime)
    runtime.claims({ kind: 'capacity', resources: agreed.config.node.capacity })
    await this.#keep('protocols', RUNTIME_STOP_MS, () => goodbye(runtime))
    return new NodeView({
      settings: agreed,
      standing: () => this.#entered().standing,
      runtime,
      network,
      desk,
      work,
      council: new CouncilView({
        desk: council,
        proposals,
        founding: place.founding,
        runtime,
        now: () => this.#clock.now(),
        wallNow: () => this.#clock.wallNow(),
      }),
      observer: this.#observer,
      close: () => this.#close(),
    })
  }

  async #openBase(): Promise<Base> {
    const { data } = this.#options.settings.start
    mustTellDates(this.#clock)
    const directory = openDataDirectory(data)
    await this.#keep('data directory', DIRECTORY_STOP_MS, async () => directory.release())
    const keys = openKeys(data)
    const nodeLog = await openNodeLog(directory.storePath, this.#options.settings.log)
    await this.#keep('log', LOG_STOP_MS, () => nodeLog.close())
    const state = NodeState.read(nodeLog.records)
    // U-10: a store is marked once it holds a membership. Without one it would be founded anew, beside its own swarm.
    if (directory.provenance !== 'unmarked' && state.genesis === undefined) throw emptied(directory.storePath)
    const ledger = new TicketLedger()
    for (const use of state.ticketUses) ledger.restore(use)
    const startedAt = this.#clock.wallNow()
    return { directory, keys, nodeLog, state, ledger, startedAt, random: new Random(`${keys.node.node}/${startedAt}`) }
  }

  async #openNetwork(base: Base, entrance: Entrance): Promise<Network> {
    const network = await createNetwork({
      ...this.#options.settings.network(rolesOf(entrance)),
      swarm: entrance.swarm,
      seed: base.keys.node.exportSeed(),
      clock: this.#clock,
      random: base.random.fork('network'),
      party: () => this.#party(base.keys),
      grant: (ticket, newcomer) => this.#entered().desk.grant(ticket, newcomer),
      onDiscovered: (peer, addresses) => this.#member?.runtime.introduce(peer, addresses),
      onUnknownAuthority: () => this.#member?.runtime.authorityUnknown(),
      onAddresses: () => this.#refreshFacts(base, network),
    })
    // Before it starts: half of it may be there when the start fails.
    await this.#keep('network', NETWORK_STOP_MS, () => network.stop())
    await network.start()
    return network
  }

  async #enter(
    entrance: Entrance,
    network: Network,
  ): Promise<{ readonly place: Standing; readonly contacts: Contacts }> {
    const log = this.#options.log.module('daemon')
    if (entrance.kind !== 'join') {
      if (entrance.kind === 'found') log.info({ swarm: entrance.swarm }, 'founded a swarm')
      return { place: entrance.standing, contacts: { peers: [], spares: [] } }
    }
    const { issuer, addresses } = entrance.ticket
    const peers = [{ node: issuer, addresses }]
    try {
      const granted = await joinPatiently(
        network,
        entrance.ticket,
        this.#options.log.module('net'),
        this.#options.giveUp,
      )
      log.info({ swarm: entrance.swarm, issuer: entrance.ticket.issuer }, 'joined the swarm')
      return { place: standing(granted.founding, granted.certificate), contacts: { peers, spares: granted.contacts } }
    } catch (cause) {
      this.#options.giveUp?.throwIfAborted()
      // U-7: a unit file may name a ticket that was used up long ago.
      if (entrance.known === undefined || !(cause instanceof SwarmError)) throw cause
      log.warn({ code: cause.code }, `the ticket did not renew the certificate, which still holds: ${cause.message}`)
      return { place: entrance.known, contacts: { peers, spares: [] } }
    }
  }

  /** U-10: the doubt about a copy is durable before the copy counts as this place's own. */
  #claimStore({ directory }: Base, { founding }: Standing, runtime: NodeRuntime): void {
    if (directory.provenance === 'own') return
    if (directory.provenance === 'copy') {
      const what = 'this store was copied here: it may be older than what this node has told others'
      this.#options.log.module('storage').warn({ store: directory.storePath }, what)
    }
    // Says nothing new, but it is written after the doubt, which the first step of the council wrote.
    runtime.host.persist({ kind: 'genesis', bytes: founding.bytes }, () => directory.claim())
  }

  /**
   * B-20: a key that has served before, and a log that says nothing of it, or only what it said at some time: votes of it may
   * be out there.
   */
  #trust({ directory, state, keys }: Base): LogTrust {
    if (this.#options.settings.start.trustStore) return 'vouched'
    const isOld = directory.provenance === 'copy' || (state.genesis === undefined && !keys.isNew)
    return isOld ? 'suspect' : 'intact'
  }

  /** The council where this node's log ends; what it has decided of organisations counts from here on. */
  #openCouncil(base: Base, { founding, certificate, book }: Standing): CouncilDesk {
    const { keys, state } = base
    const { node } = keys
    const council = openCouncil({
      founding,
      node,
      authority: keys.authority(),
      certificate,
      state,
      trust: this.#trust(base),
    })
    book.follow(council.authorities)
    return council
  }

  #buildRuntime(
    base: Base,
    contacts: Contacts,
    place: Standing,
    network: Network,
    settings: Settings,
    council: CouncilDesk,
    proposals: Proposals,
  ): { readonly runtime: NodeRuntime; readonly work: WorkDesk } {
    const { keys, state, ledger, nodeLog, random } = base
    const swarm = composeSwarm({
      signer: createSigner(keys.node, place.founding.swarm),
      verifier: place.verifier,
      random,
      params: { ...settings, recruiter: settings.config.council },
      claims: state.claims,
      isPayload: isJsonText,
      seal: createSealer(keys.node, place.founding.swarm),
      council,
      cell: openCell({ ...place, node: keys.node, state, trust: this.#trust(base) }),
      certificate: place.certificateBytes,
      facts: this.#facts(base, network, place),
      ceiling: state.ceiling,
      peers: [...contacts.peers, ...state.peers, ...settings.contacts],
      spares: contacts.spares,
      issuer: issuerFor(place.known, keys.authority()),
    })
    const work: WorkDesk = new WorkDesk({
      tell: (input) => runtime.claims(input),
      refusal: (writes) => runtime.refusal(writes),
      claims: () => swarm.claims,
      agentsMax: settings.claims.agentsMax,
      wallNow: () => this.#clock.wallNow(),
      announce: (news) => this.#observer.announce(news),
    })
    const runtime = new NodeRuntime({
      swarm,
      perform: (effect) => work.perform(effect),
      network: this.#options.carry?.(network) ?? network,
      log: nodeLog.log,
      clock: this.#clock,
      state,
      ledger,
      compactAfterBytes: settings.config.storage.compactAfterBytes,
      observe: (observation) => this.#observer.observe(observation),
      verify: signatureCheck(place.founding.swarm),
      decided: (id, outcome) => proposals.settle(id, outcome),
      issue: ({ previous }) => this.#renew(previous),
      authoritiesChanged: () => this.#onAuthorities(base, network),
      certified: (certificate) => {
        const member = this.#entered()
        this.#member = { ...member, standing: renewed(member.standing, certificate) }
      },
      fatal: this.#options.fatal,
    })
    return { runtime, work }
  }

  #buildDesk(base: Base, place: Standing, runtime: NodeRuntime): AdmissionDesk {
    return new AdmissionDesk({
      node: base.keys.node.node,
      founding: place.founding,
      known: place.known,
      authority: base.keys.authority(),
      ledger: base.ledger,
      clock: this.#clock,
      certificateTtlMs: this.#options.settings.config.security.certificateTtlMs,
      contacts: () => contactsAt(runtime, base.state),
      isRevoked: (subject) => this.#isRevoked(subject),
      persist: (record, then) => runtime.host.persist(record, then),
    })
  }

  #renew(previous: Certificate): Result<Uint8Array> {
    const renewal = this.#entered().desk.renew(previous)
    return renewal.ok ? renewal : { ok: false, error: renewal.error.message }
  }

  /** Other keys speak for organisations from now on: links may rest on none any more, and this node may issue for another. */
  #onAuthorities(base: Base, network: Network): void {
    network.reconsider()
    this.#refreshFacts(base, network)
  }

  #refreshFacts(base: Base, network: Network): void {
    const { runtime, standing } = this.#member ?? {}
    if (standing !== undefined) runtime?.updateFacts(this.#facts(base, network, standing))
  }

  #facts({ startedAt, keys }: Base, network: Network, { known }: Standing): MemberFacts {
    const { region, zone, labels: given } = this.#options.settings.config.node
    const org = issuerFor(known, keys.authority())
    const labels = org === undefined ? given : { ...given, [ISSUER_LABEL]: org }
    return { addresses: network.addresses(), region, zone, labels, version: VERSION, startedAt }
  }

  #party(keys: NodeKeys): MemberParty | undefined {
    if (this.#member === undefined) return undefined
    const { founding, verifier, known, certificateBytes } = this.#member.standing
    const authority = keys.authority()
    return {
      kind: 'member',
      node: keys.node.node,
      founding,
      verifier,
      known,
      certificate: certificateBytes,
      isRevoked: (subject) => this.#isShut(subject),
      authorities: new Set<NodeId>(authority === undefined ? [] : [authority.node]),
    }
  }

  /** Whoever asks for a certificate is refused from the decision on. */
  #isRevoked({ node }: Pick<Certificate, 'node'>): boolean {
    const { swarm } = this.#member?.runtime.host ?? {}
    return swarm?.council?.isRevoked(node) === true || this.#isListed(node)
  }

  /** Who is linked may be needed for a moment longer (GR-11). */
  #isShut({ node }: Pick<Certificate, 'node'>): boolean {
    const { swarm } = this.#member?.runtime.host ?? {}
    return swarm?.isShut(node) === true || this.#isListed(node)
  }

  #isListed(node: NodeId): boolean {
    return this.#options.settings.config.security.revokedNodes.includes(node)
  }

  #entered(): Member {
    if (this.#member !== undefined) return this.#member
    throw new SwarmError('INTERNAL', 'nobody is let in before this node is a member itself')
  }

  /** Has something stopped once everything that rests on it has stopped. */
  async #keep(name: string, stopTimeoutMs: number, stop: () => Promise<void>): Promise<void> {
    await this.#lifecycle.add({ name, stopTimeoutMs, start: async () => {}, stop })
  }

  async #close(): Promise<void> {
    const { problems } = await this.#lifecycle.stop()
    if (problems.length === 0) return
    const what = problems.map(({ part, problem }) => `${part}: ${problem}`).join('; ')
    throw new SwarmError('INTERNAL', `not everything stopped: ${what}`)
  }
}

function emptied(storePath: string): SwarmError {
  const message =
    `the store in ${storePath} has lost what was in it: it belonged to a swarm and holds nothing now. Check the disk. Restore the ` +
    'data directory from a backup, or move its store away and start with a new ticket (--join)'
  return new SwarmError('STORE_DAMAGED', message, { data: { storePath } })
}

/** The standing that is in the log already. */
function recalledBy(entrance: Entrance): Standing | undefined {
  if (entrance.kind === 'join') return entrance.known
  return entrance.kind === 'return' ? entrance.standing : undefined
}

/** Cluster-wide parameters as they were founded, and as the council has changed them since. */
function agreedParameters({ founding }: Standing, { state }: CouncilDesk): Readonly<Record<string, string>> {
  const names = Object.keys(founding.genesis.parameters)
  return Object.fromEntries(names.map((name) => [name, state.parameter(name) ?? '']))
}

/** whom to tell a newcomer of: who is up, and after a start, while this node has met nobody, whom it knew before. */
function contactsAt({ host }: NodeRuntime, { peers }: NodeState): readonly Contact[] {
  const { membership } = host.swarm
  const { node: self } = membership.self()
  const contacts: Contact[] = []
  for (const { node, state, addresses } of membership.members()) {
    if (node !== self && state === 'alive') contacts.push({ node, addresses })
    if (contacts.length === CONTACTS_MAX) break
  }
  const before = peers.filter(({ node }) => membership.member(node) === undefined)
  return [...contacts, ...before].slice(0, CONTACTS_MAX).map(({ node, addresses }) => {
    return { node, addresses: addresses.slice(0, CONTACT_ADDRESSES_MAX) }
  })
}

/** What this node may serve as; a newcomer's roles are those of its ticket. */
function rolesOf(entrance: Entrance): readonly Role[] {
  return entrance.kind === 'join' ? entrance.ticket.roles : entrance.standing.certificate.roles
}

/**
 * Nothing is said in the name of a membership that a crash could take back. B-20: and a doubt comes before the genesis, whose
 * absence is how it is known.
 */
async function remember(
  runtime: NodeRuntime,
  place: Standing,
  contacts: readonly Contact[],
  isSuspect: boolean,
): Promise<void> {
  const { council, cell } = runtime.host.swarm
  for (const desk of isSuspect ? [council, cell] : []) {
    if (desk !== undefined)
      runtime.host.persist({ kind: 'group', group: desk.host.id, record: { kind: 'suspect' } }, () => {})
  }
  runtime.host.persist({ kind: 'genesis', bytes: place.founding.bytes }, () => {})
  if (contacts.length > 0) {
    runtime.host.persist({ kind: 'membership', record: { kind: 'peers', peers: contacts } }, () => {})
  }
  await new Promise<void>((resolve) => {
    runtime.host.persist({ kind: 'certificate', bytes: place.certificateBytes }, resolve)
  })
}

async function goodbye(runtime: NodeRuntime): Promise<void> {
  runtime.leave()
  await new Promise((resolve) => setTimeout(resolve, GOODBYE_MS))
  runtime.stop()
}
