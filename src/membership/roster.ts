import { assert, BoundedMap, type Incarnation, type NodeId, TokenBucket } from '../kernel/index.ts'
import type { Detector } from './detector.ts'
import type { Ground } from './ground.ts'
import { readPresence } from './judge.ts'
import { type MemberEntry, type PresenceBody, type Rumour, WANTED_MAX } from './messages.ts'
import { type Entry, isUp, memberOf, rumourOf } from './table.ts'
import type { Judged, Unjudged } from './types.ts'

/** An entry that was asked for is not asked for again this soon, whoever mentions it. */
const ASK_AGAIN_MS = 500
/** Entries asked for and not yet had; claims of death under incarnations not yet seen. At the bound the oldest goes. */
const ASKED_MAX = 4096
const PARKED_MAX = 256
/** Of one node at most so many; the lowest stay, because an invented incarnation is a high one. */
const PARKED_PER_NODE_MAX = 4
/**
 * Words of one member that are checked, for each that a correct one says in the long run: a copy of it may say as many
 * (M-17). And for so many seconds at once, which leaves room for what is not a refutation: new facts, another certificate.
 */
const WORDS_FACTOR = 2
const WORDS_BURST_SECONDS = 8
/**
 * Entries that a key vouches for which does not count here (yet), from one peer: twice what a comparison of tables can bring
 * at once, and what the next ones bring. Each costs two signatures to check and a line in the log.
 */
const UNVOUCHED_BURST = 2 * WANTED_MAX
const UNVOUCHED_PER_SECOND = WANTED_MAX / 8
const UNVOUCHING_MAX = 512
/** Against a peer that passes on a forged entry: a correct one has verified what it passes on. */
const FORGED_POINTS = 20

interface Parked {
  readonly incarnation: number
  readonly accuser: NodeId
  readonly lost: boolean
}

/**
 * What others say about members: signed entries change the table, rumours raise questions (M-1, M-2, M-9, M-20).
 */
export class Roster {
  readonly #ground: Ground
  readonly #detector: Detector
  readonly #refute: (by: NodeId) => void
  readonly #twin: (incarnation: Incarnation) => void
  readonly #revoked: BoundedMap<NodeId, true>
  readonly #asked = new BoundedMap<NodeId, { readonly incarnation: number; readonly at: number }>(ASKED_MAX)
  /** How many entries a peer may still pass on that nobody vouches for here, at no cost (M-21). */
  readonly #unvouched = new BoundedMap<NodeId, TokenBucket>(UNVOUCHING_MAX)
  readonly #parked = new BoundedMap<NodeId, readonly Parked[]>(PARKED_MAX)
  #wants: NodeId[] = []

  constructor(
    ground: Ground,
    detector: Detector,
    own: { readonly refute: (by: NodeId) => void; readonly twin: (incarnation: Incarnation) => void },
  ) {
    this.#ground = ground
    this.#detector = detector
    this.#refute = own.refute
    this.#twin = own.twin
    this.#revoked = new BoundedMap(ground.params.membersMax)
  }

  /** Takes in this node's own entry, new or raised. */
  settleSelf(): void {
    const { self, table, now, judge } = this.#ground
    const judged = judge(self.entry)
    // M-21: out, and not the only one to know it. What it says of itself goes nowhere.
    if (!judged.ok && judged.error.why === 'withdrawn') return
    assert(judged.ok, 'this node cannot vouch for itself: its certificate or key does not fit the swarm', { judged })
    const present = table.get(self.node)
    const state = judged.value.presence.status
    if (present === undefined) {
      this.#ground.enterOverlay(table.insert(judged.value, state, now).entry)
    } else {
      table.update(present, judged.value, state, now)
      this.#ground.rumours.add(rumourOf(present))
    }
  }

  /** Returns whether it was news. Verified only if it would be (M-19). */
  hearEntry(from: NodeId, heard: MemberEntry): boolean {
    const node = heard.presence.signer
    const presence = readPresence(heard.presence)
    if (!presence.ok) return this.#reject(from, node, presence.error)
    if (this.#revoked.has(node)) return false
    if (node === this.#ground.self.node) {
      if (presence.value.incarnation <= this.#ground.self.incarnation) return false
    } else {
      const entry = this.#ground.table.get(node)
      if (!this.#isNews(entry, presence.value)) {
        const { incarnation, status } = presence.value
        this.#ground.rumours.heard(from, { node, incarnation, state: status, accuser: undefined, lost: false })
        return false
      }
      if (!this.#isWorthIt(from, node, entry)) return false
    }
    const judged = this.#ground.judge(heard)
    if (!judged.ok) return this.#refuse(from, node, judged.error)
    this.#asked.delete(node)
    if (node === this.#ground.self.node) this.#twin(judged.value.presence.incarnation)
    else this.#accept(from, judged.value)
    return true
  }

  /** Returns whether the sender holds something newer, which has then been asked for. */
  hearRumour(from: NodeId, rumour: Rumour): boolean {
    const { self, table } = this.#ground
    if (rumour.node === self.node) return this.#hearOfSelf(from, rumour)
    const entry = table.get(rumour.node)
    if (entry === undefined) {
      // Of a stranger only that it lives is of interest: the dead and the left need not be learnt.
      return (rumour.state === 'alive' || rumour.state === 'suspect') && this.#want(rumour)
    }
    this.#ground.rumours.heard(from, rumour)
    const held = entry.incarnation
    if (rumour.incarnation > held) {
      if (rumour.state === 'dead') this.#park(rumour, from)
      return this.#want(rumour)
    }
    if (rumour.incarnation < held) return false
    switch (rumour.state) {
      case 'alive':
        return false
      case 'suspect':
        this.#doubt(entry, rumour, from)
        return false
      case 'dead':
        this.#hearOfDeath(entry, rumour, from)
        return false
      case 'left':
        return entry.state !== 'left' && this.#want(rumour)
    }
  }

  /** Puts out whom the council revoked, for good. */
  revoke(node: NodeId): void {
    const { self, table } = this.#ground
    if (node === self.node) return
    this.#revoked.set(node, true)
    const entry = table.get(node)
    this.#hangUp(node)
    if (entry !== undefined && isUp(entry)) this.#putOut(entry)
  }

  /** M-21: puts out whom a key has certified that was withdrawn. With another certificate they may come again. */
  reconsider(): void {
    const { self, table, vouches } = this.#ground
    for (const entry of [...table.values()]) {
      if (!isUp(entry) || vouches(entry.judged.entry.certificate)) continue
      if (entry.node === self.node) {
        this.#ground.event({ kind: 'unvouched' })
        continue
      }
      this.#hangUp(entry.node)
      this.#putOut(entry)
    }
  }

  #hangUp(node: NodeId): void {
    if (!this.#ground.links.has(node)) return
    this.#ground.emit({ kind: 'disconnect', peer: node, reason: 'certificate-revoked' })
  }

  #putOut(entry: Entry): void {
    const ground = this.#ground
    ground.table.setState(entry, 'dead', ground.now)
    ground.leaveOverlay(entry)
    this.#detector.release(entry)
    ground.rumours.remove(entry.node)
    ground.event({ kind: 'member-down', node: entry.node, incarnation: entry.incarnation })
  }

  isRevoked(node: NodeId): boolean {
    return this.#revoked.has(node)
  }

  /** The entries that the rumours heard in this step made wanted; asks their teller. */
  flushWants(teller: NodeId): void {
    if (this.#wants.length === 0) return
    const nodes = this.#wants
    this.#wants = []
    this.#ground.send(teller, { kind: 'membership.sync-request', body: { kind: 'want', nodes } })
  }

  #isNews(entry: Entry | undefined, presence: PresenceBody): boolean {
    if (entry === undefined) return presence.status === 'alive'
    const held = entry.incarnation
    return (
      presence.incarnation > held ||
      (presence.incarnation === held && presence.status === 'left' && entry.state !== 'left')
    )
  }

  /** M-4, M-31: whether to spend two signatures on a word. If not it is asked for when it is heard of again. */
  #isWorthIt(from: NodeId, node: NodeId, entry: Entry | undefined): boolean {
    const ground = this.#ground
    if (entry === undefined) {
      if (!ground.table.hasRoom) ground.observe({ kind: 'table-full', node })
      return ground.table.hasRoom
    }
    const perSecond = WORDS_FACTOR * ground.params.refutationsPerSecond
    entry.words ??= new TokenBucket(perSecond, perSecond * WORDS_BURST_SECONDS, ground.now)
    const isWorthIt = entry.words.take(ground.now)
    if (!isWorthIt) ground.observe({ kind: 'rejected', from, node, reason: 'it says more than can be checked' })
    return isWorthIt
  }

  #accept(from: NodeId, judged: Judged): void {
    const node = judged.entry.presence.signer
    const entry = this.#ground.table.get(node)
    if (entry === undefined) this.#admit(from, judged)
    else if (judged.presence.status === 'left') this.#seeOff(from, entry, judged)
    else this.#renew(from, entry, judged)
  }

  #admit(from: NodeId, judged: Judged): void {
    const ground = this.#ground
    const { entry, forgotten } = ground.table.insert(judged, 'alive', ground.now)
    if (forgotten !== undefined) ground.event({ kind: 'member-forgotten', node: forgotten.node })
    ground.enterOverlay(entry)
    ground.rumours.add(rumourOf(entry), from)
    ground.event({ kind: 'member-up', member: memberOf(entry) })
    this.#unpark(entry)
  }

  #renew(from: NodeId, entry: Entry, judged: Judged): void {
    const ground = this.#ground
    const before = entry.state
    const changed = !saysTheSame(entry.judged, judged)
    ground.table.update(entry, judged, 'alive', ground.now)
    ground.rumours.add(rumourOf(entry), from)
    if (before === 'alive' || before === 'suspect') {
      this.#detector.release(entry)
      if (before === 'suspect') ground.event({ kind: 'member-cleared', node: entry.node })
      if (changed) ground.event({ kind: 'member-updated', member: memberOf(entry) })
    } else {
      ground.enterOverlay(entry)
      ground.event({ kind: 'member-up', member: memberOf(entry) })
    }
    this.#unpark(entry)
  }

  #seeOff(from: NodeId, entry: Entry, judged: Judged): void {
    const ground = this.#ground
    const wasUp = isUp(entry)
    ground.table.update(entry, judged, 'left', ground.now)
    ground.rumours.add(rumourOf(entry), from)
    if (wasUp) ground.leaveOverlay(entry)
    this.#detector.release(entry)
    this.#unpark(entry)
    ground.event({ kind: 'member-left', node: entry.node, incarnation: judged.presence.incarnation })
  }

  #hearOfSelf(from: NodeId, rumour: Rumour): boolean {
    const { incarnation } = this.#ground.self
    // A rumour is not proof that this node ever said so: the signed entry is (M-17).
    if (rumour.incarnation > incarnation) return this.#want(rumour)
    if (rumour.incarnation === incarnation && (rumour.state === 'suspect' || rumour.state === 'dead')) {
      this.#refute(rumour.accuser ?? from)
    }
    return false
  }

  #doubt(entry: Entry, rumour: Rumour, from: NodeId): void {
    const accuser = this.#credible(rumour, from)
    if (accuser !== undefined) this.#detector.suspect(entry, accuser, rumour.lost)
  }

  #hearOfDeath(entry: Entry, rumour: Rumour, from: NodeId): void {
    const accuser = this.#credible(rumour, from)
    if (accuser !== undefined) this.#detector.claimDeath(entry, accuser, rumour.lost)
  }

  /** Who stands behind an accusation. Our own, come back to us, counts for nothing; nor does an outsider's. */
  #credible(rumour: Rumour, from: NodeId): NodeId | undefined {
    const accuser = rumour.accuser ?? from
    if (accuser === this.#ground.self.node || accuser === rumour.node) return undefined
    const entry = this.#ground.table.get(accuser)
    // The accuser may itself have died since, and still have been right.
    return entry === undefined ? from : accuser
  }

  #park(rumour: Rumour, from: NodeId): void {
    const accuser = this.#credible(rumour, from)
    const parked = this.#parked.get(rumour.node) ?? []
    const { node, incarnation, lost } = rumour
    if (accuser === undefined || parked.some((claim) => claim.incarnation === incarnation)) return
    const claims = [...parked, { incarnation, accuser, lost }].sort((a, b) => a.incarnation - b.incarnation)
    this.#parked.set(node, claims.slice(0, PARKED_PER_NODE_MAX))
  }

  /** M-9: now that the incarnation exists, the claim about it counts; one about an older is void (M-2). */
  #unpark(entry: Entry): void {
    const parked = this.#parked.get(entry.node)
    if (parked === undefined) return
    const open = parked.filter((claim) => claim.incarnation > entry.incarnation)
    if (open.length === 0) this.#parked.delete(entry.node)
    else this.#parked.set(entry.node, open)
    const claim = parked.find(({ incarnation }) => incarnation === entry.incarnation)
    if (claim !== undefined) this.#detector.claimDeath(entry, claim.accuser, claim.lost)
  }

  #want(rumour: Rumour): boolean {
    const { awake } = this.#ground
    if (this.#revoked.has(rumour.node)) return false
    const asked = this.#asked.get(rumour.node)
    const isOpen = asked !== undefined && asked.incarnation >= rumour.incarnation && awake < asked.at + ASK_AGAIN_MS
    if (isOpen || this.#wants.length >= WANTED_MAX) return false
    this.#asked.set(rumour.node, { incarnation: rumour.incarnation, at: awake })
    this.#wants.push(rumour.node)
    return true
  }

  #refuse(from: NodeId, node: NodeId, { reason, why }: Unjudged): false {
    if (why === 'forged' || !this.#mayNotKnow(from)) return this.#reject(from, node, reason)
    // M-21: asked for again when it is heard of again, which by then it may be vouched for.
    if (why === 'unknown') this.#ground.event({ kind: 'authority-unknown', node })
    this.#ground.observe({ kind: 'rejected', from, node, reason })
    return false
  }

  #mayNotKnow(peer: NodeId): boolean {
    const { now } = this.#ground
    const credit = this.#unvouched.get(peer) ?? new TokenBucket(UNVOUCHED_PER_SECOND, UNVOUCHED_BURST, now)
    this.#unvouched.set(peer, credit)
    return credit.take(now)
  }

  #reject(from: NodeId, node: NodeId, reason: string): false {
    this.#ground.emit({
      kind: 'penalise',
      peer: from,
      points: FORGED_POINTS,
      reason: `member entry of ${node}: ${reason}`,
    })
    this.#ground.observe({ kind: 'rejected', from, node, reason })
    return false
  }
}

/** Whether two words of one node differ in nothing but their incarnation: a refutation, not a change. */
function saysTheSame(a: Judged, b: Judged): boolean {
  return (
    JSON.stringify({ ...a.presence, incarnation: 0 }) === JSON.stringify({ ...b.presence, incarnation: 0 }) &&
    JSON.stringify(a.certificate) === JSON.stringify(b.certificate)
  )
}
