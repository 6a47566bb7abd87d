import { assert, type Incarnation, type Millis, NEVER, type NodeId, type Tick, TokenBucket } from '../kernel/index.ts'
import { type NetworkCoordinate, type PeerCredentials, predictedRttMs } from '../wire/index.ts'
import { Detector, PROBE_RUMOURS_MAX } from './detector.ts'
import { Ground } from './ground.ts'
import { judgeWith } from './judge.ts'
import { Links } from './links.ts'
import { INCARNATION_MAX, type MembershipMessage, type Rumour } from './messages.ts'
import { checkMembershipParams } from './params.ts'
import { Recontact } from './recontact.ts'
import { Relays } from './relays.ts'
import { Roster } from './roster.ts'
import { Sync } from './sync.ts'
import { type Entry, isUp, memberOf, rumourOf } from './table.ts'
import { Timer } from './timers.ts'
import type {
  Member,
  MemberState,
  MembershipCore,
  MembershipEffect,
  MembershipInput,
  MembershipOptions,
} from './types.ts'

/** Tombstones and surplus links are looked after this often. */
const SWEEP_INTERVAL_MS = 10_000
/** Timers that fire in one step: far above all that there are. */
const FIRED_MAX = 1_000_000
/** Below so many members a node is new here, and compares tables over its first links whoever dialled. */
const NEWCOMER_MEMBERS_MAX = 2
/** For every so many members news waits one interval for company: the smaller the crowd, the fewer come meanwhile. */
const COMPANY_MEMBERS = 15

/** Of all refutations in so many cycles one speaks against this node's own health: whoever likes can provoke them (M-15). */
const BLAME_CYCLES = 4

/** Tables compared at once when an organisation has come: one of them may be of a node that was late itself. */
const RECONSIDERED_LINKS = 3

const TWIN_ADVICE =
  'Another process uses this key, or the data directory is an older copy. Stop one of the two or give it a new ' +
  'identity; after a restore from a copy this is said once and needs nothing.'

type Body<K extends MembershipMessage['kind']> = Extract<MembershipMessage, { kind: K }>['body']

/** Who is here, who is reachable, and whom to link to. Clauses M-1 to M-31 in ./README.md. */
export class Membership implements MembershipCore {
  readonly #ground: Ground
  readonly #detector: Detector
  readonly #roster: Roster
  readonly #links: Links
  readonly #sync: Sync
  readonly #relays: Relays
  readonly #recontact: Recontact
  readonly #gossip = new Timer(() => this.#passOn())
  readonly #sweep = new Timer(() => this.#sweepUp())
  readonly #retry = new Timer(() => this.#refute(this.#ground.self.node))
  readonly #refutations: TokenBucket
  /** M-27: messages for the sake of news. */
  readonly #tellings: TokenBucket
  /** They were used up: until then there are none. */
  #silentUntil = Number.NEGATIVE_INFINITY
  /** When a refutation last spoke against this node's own health. */
  #blamedAt = Number.NEGATIVE_INFINITY
  #started = false
  #gone = false

  constructor(options: MembershipOptions) {
    checkMembershipParams(options.params)
    const ground = new Ground(options, options.judge ?? judgeWith(options.verifier))
    this.#ground = ground
    this.#detector = new Detector(ground)
    this.#roster = new Roster(ground, this.#detector, {
      refute: (by) => this.#refute(by),
      twin: (incarnation) => this.#meetTwin(incarnation),
    })
    this.#links = new Links(ground, this.#detector)
    this.#sync = new Sync(ground, this.#roster)
    this.#relays = new Relays(ground)
    this.#recontact = new Recontact(ground, this.#links, options.peers ?? [], options.spares ?? [])
    const { refutationsPerSecond, gossipPerSecond } = options.params
    this.#refutations = new TokenBucket(refutationsPerSecond, refutationsPerSecond * 4, ground.now)
    this.#tellings = new TokenBucket(gossipPerSecond, gossipPerSecond * 4, ground.now)
    this.#roster.settleSelf()
    // Due at once: the first step, whatever it is, begins everything.
    ground.timers.arm(this.#sweep, 0)
  }

  deadline(): Millis {
    return this.#gone ? NEVER : this.#ground.deadline
  }

  step(now: Millis, input: MembershipInput | Tick): readonly MembershipEffect[] {
    if (this.#gone) return []
    this.#wake(now)
    this.#handle(input)
    const ground = this.#ground
    if (this.#gone) return ground.takeEffects()
    this.#links.settle()
    // By the very sum that `deadline` returns: the awake clock may differ from it by a rounding error, and a host that
    // comes at the deadline must never find that nothing is due.
    for (let fired = 0; ground.deadline <= now; fired++) {
      assert(fired < FIRED_MAX, 'timers come to an end: none arms itself again for now')
      ground.fireNext()
      this.#links.settle()
    }
    this.#armGossip()
    return ground.takeEffects()
  }

  *members(): IterableIterator<Member> {
    for (const entry of this.#ground.table.values()) yield memberOf(entry)
  }

  member(node: NodeId): Member | undefined {
    const entry = this.#ground.table.get(node)
    return entry === undefined ? undefined : memberOf(entry)
  }

  certificateOf(node: NodeId): Uint8Array | undefined {
    return this.#ground.table.get(node)?.judged.entry.certificate
  }

  self(): Member {
    return memberOf(this.#own)
  }

  get #own(): Entry {
    const { self, table } = this.#ground
    const entry = table.get(self.node)
    assert(entry !== undefined, 'a node knows itself')
    return entry
  }

  state(node: NodeId): MemberState | undefined {
    return this.#ground.table.get(node)?.state
  }

  isUp(node: NodeId): boolean {
    const entry = this.#ground.table.get(node)
    return entry !== undefined && isUp(entry)
  }

  get upCount(): number {
    return this.#ground.table.upCount
  }

  neighbours(): readonly NodeId[] {
    return this.#links.neighbours()
  }

  linked(node: NodeId): boolean {
    return this.#ground.links.has(node)
  }

  rttMs(node: NodeId): number | undefined {
    const link = this.#ground.links.get(node)
    if (link?.rttMs !== undefined) return link.rttMs
    return link?.coordinate === undefined ? undefined : predictedRttMs(this.#ground.coordinate, link.coordinate)
  }

  get coordinate(): NetworkCoordinate {
    return this.#ground.coordinate
  }

  get health(): number {
    return this.#ground.health.score
  }

  /** M-13: what was due while this node slept is due that much later; nobody is judged for our own absence. */
  #wake(now: Millis): void {
    const ground = this.#ground
    const lagMs = now - ground.deadline
    ground.now = now
    if (!this.#started) {
      this.#start()
      return
    }
    if (lagMs >= 0) ground.sampleLateness(lagMs)
    if (lagMs <= ground.params.lagToleranceMs) return
    ground.lagMs += lagMs
    ground.unwell(1)
    ground.observe({ kind: 'lagging', lagMs, health: ground.health.score })
  }

  #start(): void {
    this.#started = true
    this.#reserve()
    this.#sync.start()
    this.#recontact.start()
  }

  #handle(input: MembershipInput | Tick): void {
    switch (input.kind) {
      case 'tick':
        break
      case 'message':
        this.#hear(input.from, input.message)
        break
      case 'link-up':
        this.#linkUp(input.peer)
        break
      case 'link-down':
        this.#links.down(input.peer, input.reason)
        break
      case 'facts':
        if (this.#ground.self.setFacts(input.facts)) this.#publishSelf()
        break
      case 'certificate':
        this.#ground.self.setCertificate(input.certificate)
        this.#publishSelf()
        break
      case 'hold':
        this.#links.hold(input.peers)
        break
      case 'introduce':
        if (this.#ground.table.get(input.peer) === undefined) this.#recontact.introduce(input.peer, input.addresses)
        break
      case 'revoke':
        this.#roster.revoke(input.node)
        break
      case 'authorities':
        this.#roster.reconsider()
        // Whoever was not known before may be in their tables.
        for (const peer of this.#ground.randomLinks(RECONSIDERED_LINKS)) this.#sync.compareWith(peer)
        break
      case 'leave':
        this.#ground.self.leave()
        this.#publishSelf()
        this.#gone = true
        this.#ground.timers.clear()
    }
  }

  /** Each end introduces itself in full, and tells the other what it has heard about it. */
  #linkUp({ node }: PeerCredentials): void {
    const ground = this.#ground
    if (this.#roster.isRevoked(node)) {
      ground.emit({ kind: 'disconnect', peer: node, reason: 'certificate-revoked' })
      return
    }
    this.#links.up(node)
    this.#recontact.linked(node)
    this.#detector.heard(node)
    this.#detector.measure(node)
    const entries = [ground.self.entry]
    ground.send(node, { kind: 'membership.gossip', body: { rumours: this.#doubtsAbout(node), entries } })
    // One of the two begins; a newcomer does not wait for its turn.
    if (ground.self.node < node || ground.table.upCount <= NEWCOMER_MEMBERS_MAX) this.#sync.compareWith(node)
  }

  #hear(from: NodeId, message: MembershipMessage): void {
    const link = this.#ground.links.get(from)
    // Its link has just gone down: whatever this was, it can no longer be answered.
    if (link === undefined) return
    link.heardAt = this.#ground.awake
    this.#detector.heard(from)
    switch (message.kind) {
      case 'membership.ping':
        link.pingedAt = this.#ground.awake
        link.coordinate = message.body.coordinate
        this.#detector.pinged(from)
        this.#onPing(from, message.body)
        break
      case 'membership.ack':
        this.#onAck(from, message.body)
        break
      case 'membership.ping-request':
        this.#hearAll(from, message.body.rumours)
        this.#relays.onRequest(from, message.body)
        break
      case 'membership.nack':
        this.#hearAll(from, message.body.rumours)
        this.#detector.denied(message.body.target, message.body.sequence, message.body.linked)
        break
      case 'membership.gossip':
        for (const entry of message.body.entries) this.#roster.hearEntry(from, entry)
        this.#hearAll(from, message.body.rumours)
        break
      case 'membership.sync-request':
        this.#onSyncRequest(from, message.body)
        break
      case 'membership.sync-reply':
        this.#sync.onReply(from, message.body.entries, message.body.rows)
    }
    this.#roster.flushWants(from)
  }

  #onPing(from: NodeId, ping: Body<'membership.ping'>): void {
    const { self } = this.#ground
    const mine: Rumour = { node: from, incarnation: ping.mine, state: 'alive', accuser: undefined, lost: false }
    this.#roster.hearRumour(from, mine)
    this.#hearAll(from, ping.rumours)
    // M-14: refuted before it is answered, so that the answer carries the refutation.
    if (ping.suspected && ping.yours === self.incarnation) this.#refute(from)
    this.#ground.send(from, {
      kind: 'membership.ack',
      body: {
        sequence: ping.sequence,
        subject: self.node,
        coordinate: this.#ground.coordinate,
        entry: ping.yours < self.incarnation ? self.entry : undefined,
        rumours: [...this.#doubtsAbout(from), ...this.#ground.rumoursFor(from, PROBE_RUMOURS_MAX)],
      },
    })
  }

  #onAck(from: NodeId, ack: Body<'membership.ack'>): void {
    const link = this.#ground.links.get(from)
    if (ack.entry !== undefined) this.#roster.hearEntry(from, ack.entry)
    this.#hearAll(from, ack.rumours)
    if (ack.subject !== from) {
      this.#detector.answeredFor(ack.subject, ack.sequence)
      return
    }
    if (link !== undefined) this.#detector.answered(link, ack.sequence, ack.coordinate)
    this.#relays.onAck(from, ack.sequence, ack.coordinate)
  }

  #onSyncRequest(from: NodeId, request: Body<'membership.sync-request'>): void {
    switch (request.kind) {
      case 'hashes':
        this.#sync.onHashes(from, request.hashes)
        break
      case 'rows':
        this.#sync.onRows(from, request.buckets, request.rows)
        break
      case 'want':
        this.#sync.onWant(from, request.nodes)
    }
  }

  #hearAll(from: NodeId, rumours: readonly Rumour[]): void {
    for (const rumour of rumours) this.#roster.hearRumour(from, rumour)
  }

  /** What a peer should know of itself: that it is held for suspect or dead. */
  #doubtsAbout(peer: NodeId): readonly Rumour[] {
    const entry = this.#ground.table.get(peer)
    return entry === undefined || entry.state === 'alive' || entry.state === 'left' ? [] : [rumourOf(entry)]
  }

  /** M-23: in a crowd that grows, news of who came waits for company. */
  #armGossip(): void {
    const { rumours, overlay, awake, grewAt, params, strain, table, timers } = this.#ground
    if (rumours.size === 0) return
    const isGrowing = overlay.mode === 'rings' && awake - grewAt < params.growthCalmMs
    const { gossipIntervalMs, growthGossipMs } = params
    const crowdMs = Math.min(growthGossipMs, gossipIntervalMs * (table.upCount / COMPANY_MEMBERS))
    const waitMs = isGrowing && !rumours.hasDoubts ? Math.max(crowdMs, gossipIntervalMs) : gossipIntervalMs
    const at = Math.max(awake + waitMs * strain, this.#silentUntil)
    if (!this.#gossip.armed || at < this.#gossip.at) timers.arm(this.#gossip, at)
  }

  #passOn(): void {
    const ground = this.#ground
    const { gossipFanout, gossipPerSecond } = ground.params
    let told = 0
    for (const peer of ground.randomLinks(ground.links.size)) {
      const news = ground.newsFor(peer)
      if (news.rumours.length + news.entries.length === 0) continue
      ground.send(peer, { kind: 'membership.gossip', body: news })
      told += 1
      if (!this.#tellings.take(ground.now, ground.strain)) {
        this.#silentUntil = ground.awake + (ground.strain * 1000 * gossipFanout) / gossipPerSecond
        return
      }
      if (told >= gossipFanout) return
    }
    // The others know it, or there is no one: whoever links later compares tables.
    if (told === 0) ground.rumours.clear()
  }

  #sweepUp(): void {
    const ground = this.#ground
    ground.timers.arm(this.#sweep, ground.awake + SWEEP_INTERVAL_MS)
    for (const entry of [...ground.table.expired(ground.now - ground.params.tombstoneMs)]) {
      ground.table.forget(entry)
      ground.event({ kind: 'member-forgotten', node: entry.node })
    }
    this.#links.prune()
  }

  #refute(by: NodeId): void {
    const ground = this.#ground
    if (!this.#refutations.take(ground.now)) {
      // M-17: at a bounded rate, but never forgotten.
      if (!this.#retry.armed) ground.timers.arm(this.#retry, ground.awake + 1000 / this.#refutations.perSecond)
      return
    }
    ground.timers.disarm(this.#retry)
    ground.self.raise()
    this.#publishSelf()
    if (ground.awake >= this.#blamedAt + BLAME_CYCLES * ground.params.probeCycleMs) {
      this.#blamedAt = ground.awake
      ground.unwell(1)
    }
    ground.observe({ kind: 'refuted', by, incarnation: ground.self.incarnation })
  }

  #meetTwin(incarnation: Incarnation): void {
    const ground = this.#ground
    ground.event({ kind: 'twin' })
    ground.observe({ kind: 'twin', node: ground.self.node, incarnation, advice: TWIN_ADVICE })
    if (incarnation >= INCARNATION_MAX || !this.#refutations.take(ground.now)) return
    ground.self.raise(incarnation)
    this.#publishSelf()
  }

  /** Durable first (M-8), then in full to all links, then by rumour to everyone. */
  #publishSelf(): void {
    const ground = this.#ground
    this.#reserve()
    this.#roster.settleSelf()
    const entries = [ground.self.entry]
    const said = rumourOf(this.#own)
    for (const peer of ground.links.keys()) {
      ground.send(peer, { kind: 'membership.gossip', body: { rumours: [], entries } })
      ground.rumours.heard(peer, said)
    }
  }

  #reserve(): void {
    const record = this.#ground.self.reserve()
    if (record !== undefined) this.#ground.emit({ kind: 'persist', record })
  }
}
