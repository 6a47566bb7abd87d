import { after, type Millis, type NodeId, type Random } from '../kernel/index.ts'
import type { NetworkCoordinate } from '../wire/index.ts'
import { COORDINATE_ORIGIN } from './coordinates.ts'
import { RumourQueue, type Telling } from './gossip.ts'
import { LocalHealth } from './health.ts'
import {
  entryBytes,
  GOSSIP_ENTRIES_MAX,
  GOSSIP_ENTRY_BYTES_MAX,
  GOSSIP_ROWS_MAX,
  type MemberEntry,
  type MembershipMessage,
  type Rumour,
} from './messages.ts'
import { Overlay } from './overlay.ts'
import type { MembershipParams } from './params.ts'
import { OwnPresence } from './self.ts'
import { type Entry, MemberTable } from './table.ts'
import { Timers } from './timers.ts'
import type { Judge, MembershipEffect, MembershipEvent, MembershipObservation, MembershipOptions } from './types.ts'

/** A live link to a peer. All times are on the awake clock. */
export interface Link {
  readonly peer: NodeId
  readonly upSince: number
  heardAt: number
  /** When the peer last probed us of its own accord: it counts us among its neighbours. */
  pingedAt: number
  rttMs: number | undefined
  /** The longest that an answer took lately, and when that was known: up at once, down slowly. */
  answerMs: number
  answerAt: number
  coordinate: NetworkCoordinate | undefined
}

/** A new sample weighs this much in the smoothed round trip (as TCP's, RFC 6298). */
const RTT_GAIN = 1 / 8

/** One step weighs this much in how late steps are (M-28). */
const LATENESS_GAIN = 1 / 8
/** By so much for each further time as long that intervals take, up to so many times. */
const STRAINED_MS = 25
const STRAIN_MAX = 6
/** A pause, however long, is one late step and says little of the next. */
const LATENESS_MAX_MS = STRAINED_MS * (STRAIN_MAX - 1)

/** An answer may take so many times as long as the longest of late (M-24). */
const ANSWER_MARGIN = 2
/** And no more than so many times as long as one from a peer that is well: it may be dead. */
const ANSWER_STRETCH_MAX = 3
/** A slow answer is half forgotten after so long. */
const ANSWER_HALVES_MS = 15_000

/** With a rumour's first tellings goes the entry: those told later mostly have it by then, and the others ask (M-26). */
const ENTRY_TELLINGS = 2

/**
 * What the rooms of this core share: the state that more than one of them reads, the clock of the current step, and
 * the list of effects it has asked for so far.
 */
export class Ground {
  readonly params: MembershipParams
  readonly random: Random
  readonly judge: Judge
  readonly vouches: (certificate: Uint8Array) => boolean
  readonly self: OwnPresence
  readonly table: MemberTable
  readonly overlay: Overlay
  readonly rumours: RumourQueue
  readonly health: LocalHealth
  readonly timers = new Timers()
  readonly links = new Map<NodeId, Link>()
  coordinate: NetworkCoordinate = COORDINATE_ORIGIN
  /** Whom the overlay gives this node for neighbours, with a link or without (M-16). */
  neighbours: ReadonlySet<NodeId> = new Set()
  /** The neighbours have to be reckoned anew. */
  dirty = false
  now = 0 as Millis
  /** When last somebody came, on the awake clock. */
  grewAt = Number.NEGATIVE_INFINITY
  /** All the time by which this node was late (M-13). */
  lagMs = 0
  /** How late this node's steps come of late, in ms. */
  #lateMs = 0
  #effects: MembershipEffect[] = []
  #sequence: number
  /** A timer that has fired was due, whatever the rounding of a sum with its lags says: or it would arm itself for ever. */
  #firedAt = Number.NEGATIVE_INFINITY

  constructor(options: MembershipOptions, judge: Judge) {
    const { params } = options
    this.params = params
    this.random = options.random
    this.judge = judge
    this.vouches = (certificate) => options.verifier.certificate(certificate).ok
    this.self = new OwnPresence({ ...options, ceiling: options.ceiling, reserved: params.incarnationsReserved })
    this.table = new MemberTable(params.membersMax)
    this.overlay = new Overlay(params)
    this.rumours = new RumourQueue(params.rumoursMax)
    this.health = new LocalHealth(params.healthMax, params.probeCycleMs / 2)
    this.#sequence = options.random.uint32()
  }

  /** Now, without the time that this node slept through. Timers run on it. */
  get awake(): number {
    return Math.max(this.now - this.lagMs, this.#firedAt)
  }

  get deadline(): Millis {
    return after(this.timers.next as Millis, this.lagMs)
  }

  /** A step came so much after what was due. */
  sampleLateness(lateMs: number): void {
    this.#lateMs += LATENESS_GAIN * (Math.min(lateMs, LATENESS_MAX_MS) - this.#lateMs)
  }

  /** M-28: what this node does of its own accord takes so many times as long while its steps come late. */
  get strain(): number {
    return 1 + this.#lateMs / STRAINED_MS
  }

  /** The first timer, which is due. */
  fireNext(): void {
    const timer = this.timers.shift()
    if (timer === undefined) return
    this.#firedAt = Math.max(this.#firedAt, timer.at)
    timer.fire()
  }

  /** How often each rumour is sent: enough that each member hears it but for a few in a million. */
  get sendsMax(): number {
    return 1 + Math.ceil(this.params.retransmitFactor * Math.log2(this.table.upCount + 1))
  }

  nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0
    return this.#sequence
  }

  send(to: NodeId, message: MembershipMessage): void {
    this.#effects.push({ kind: 'send', to, message })
  }

  emit(effect: MembershipEffect): void {
    this.#effects.push(effect)
  }

  event(event: MembershipEvent): void {
    this.#effects.push({ kind: 'event', event })
  }

  observe(observation: MembershipObservation): void {
    this.#effects.push({ kind: 'observe', observation })
  }

  takeEffects(): readonly MembershipEffect[] {
    if (this.#effects.length === 0) return NO_EFFECTS
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** News for a peer that is written to anyway. */
  rumoursFor(peer: NodeId, rumoursMax: number): readonly Rumour[] {
    return this.#tellingsFor(peer, rumoursMax).map(({ rumour }) => rumour)
  }

  /** News for a peer that is written to for its sake: what is not known widely yet with the proof of it (M-26). */
  newsFor(peer: NodeId): { readonly rumours: readonly Rumour[]; readonly entries: readonly MemberEntry[] } {
    const rumours: Rumour[] = []
    const entries: MemberEntry[] = []
    let bytes = 0
    for (const { rumour, count } of this.#tellingsFor(peer, GOSSIP_ROWS_MAX)) {
      const entry = count <= ENTRY_TELLINGS ? this.#spokenBy(rumour) : undefined
      const size = entry === undefined ? 0 : entryBytes(entry)
      if (entry === undefined || entries.length >= GOSSIP_ENTRIES_MAX || bytes + size > GOSSIP_ENTRY_BYTES_MAX) {
        rumours.push(rumour)
      } else {
        entries.push(entry)
        bytes += size
      }
    }
    return { rumours, entries }
  }

  /** The signed word that says the same as the rumour, if it is one that only its subject can say. */
  #spokenBy({ node, incarnation, state }: Rumour): MemberEntry | undefined {
    if (state !== 'alive' && state !== 'left') return undefined
    const entry = this.table.get(node)
    return entry?.incarnation === incarnation ? entry.judged.entry : undefined
  }

  #tellingsFor(peer: NodeId, rumoursMax: number): readonly Telling[] {
    return this.rumours.take(peer, rumoursMax, {
      sendsMax: this.sendsMax,
      listeners: this.links.size,
      neighbours: this.neighbours,
    })
  }

  unwell(by: number): void {
    if (this.health.worsen(by)) this.observe({ kind: 'health', score: this.health.score })
  }

  mending(): void {
    if (this.health.mend(this.awake)) this.observe({ kind: 'health', score: this.health.score })
  }

  sampleRtt(link: Link, rttMs: number): void {
    link.rttMs = link.rttMs === undefined ? rttMs : link.rttMs + RTT_GAIN * (rttMs - link.rttMs)
  }

  sampleAnswer(link: Link, answerMs: number): void {
    const longestMs = this.#longestAnswerMs(link)
    link.answerMs = Math.max(answerMs, longestMs + RTT_GAIN * (answerMs - longestMs))
    link.answerAt = this.awake
  }

  /** Fades with time, too: who asks us is not asked, and would be held for slow for as long as it lives. */
  #longestAnswerMs({ answerMs, answerAt }: Link): number {
    return answerMs * 2 ** ((answerAt - this.awake) / ANSWER_HALVES_MS)
  }

  /** How long to wait for an answer of this peer, which takes `timeoutMs` at most when both ends are well (M-15, M-24). */
  waitMs(peer: NodeId, timeoutMs: number): number {
    const link = this.links.get(peer)
    const longestMs = link === undefined ? 0 : this.#longestAnswerMs(link)
    const slowMs = Math.min(longestMs * ANSWER_MARGIN, timeoutMs * ANSWER_STRETCH_MAX)
    return this.health.stretch(Math.max(timeoutMs, slowMs))
  }

  /** Some links, at random, that belong to members who are up. */
  randomLinks(count: number, wanted?: (peer: NodeId) => boolean): NodeId[] {
    const peers: NodeId[] = []
    for (const peer of this.links.keys()) if (wanted === undefined || wanted(peer)) peers.push(peer)
    return this.random.sample(peers, count)
  }

  enterOverlay(entry: Entry): void {
    this.overlay.add(entry.node, entry.nodeHash)
    this.dirty = true
    this.grewAt = this.awake
  }

  leaveOverlay(entry: Entry): void {
    this.overlay.remove(entry.node, entry.nodeHash)
    this.dirty = true
  }
}

const NO_EFFECTS: readonly MembershipEffect[] = []
