import { assert, type NodeId } from '../kernel/index.ts'
import type { NetworkCoordinate } from '../wire/index.ts'
import { moved } from './coordinates.ts'
import type { Ground, Link } from './ground.ts'
import { outsiderPatienceMs, TURNS_MAX } from './params.ts'
import { Suspicion } from './suspicion.ts'
import { type Entry, isUp } from './table.ts'
import { Timer } from './timers.ts'

/** Rumours that ride on one probe: a few, because probes are many. */
export const PROBE_RUMOURS_MAX = 16

/** Beyond the patience of its turn a judge is drawn to wait up to so much of `probeSpacingMs`. */
const PATIENCE_SPREAD = 0.5

/** Helpers' word that a neighbour lives counts for so many times `suspicionOrphanMs` after it was last heard itself (M-29). */
const HEARSAY_ORPHANS = 3

/** One question whether a neighbour lives. */
interface Probe {
  readonly sequence: number
  readonly sentAt: number
  readonly sentAwake: number
  /** Direct: only the neighbour was asked. Indirect: helpers were asked too, and the neighbour again. */
  stage: 'direct' | 'indirect'
  /** When this stage is out of time, on the awake clock. */
  endsAt: number
  /** The timer runs for another ping and not for the end of the stage. */
  again: boolean
  /** Pings after the first: an answer may be to any of them. */
  repeats: number
  helpers: number
  nacks: number
  /** Helpers that have no link to it either. */
  unlinked: number
}

/** A member whom this node judges: a neighbour, or for as long as a doubt lasts any peer with a link. */
interface Watch {
  readonly entry: Entry
  readonly timer: Timer
  /** Ends with the doubt that began it. */
  passing: boolean
  heardAt: number
  /** When it last spoke itself, here or by a word that it has signed: all else is hearsay (M-29). */
  spokeAt: number
  /** `heardAt` when the next ping was set: something newer puts it off. */
  silentSince: number
  /** Its connection broke and has not come back. */
  lost: boolean
  probe: Probe | undefined
}

/**
 * Finds out who has crashed: probes, suspicion, death (M-5, M-6, M-10 to M-15). Owns the suspicion of every entry.
 */
export class Detector {
  readonly #ground: Ground
  readonly #watches = new Map<NodeId, Watch>()

  constructor(ground: Ground) {
    this.#ground = ground
  }

  judges(node: NodeId): boolean {
    return this.#watches.has(node)
  }

  /** Judges this member from now on. Without a link it gets `connectPatienceMs` before anyone is asked about it. */
  watch(entry: Entry): void {
    const present = this.#watches.get(entry.node)
    if (present !== undefined) {
      present.passing = false
      return
    }
    const watch = this.#open(entry, false)
    const { params, awake, random, links } = this.#ground
    if (entry.suspicion !== undefined) {
      this.#takeOver(watch, entry.suspicion)
      return
    }
    // Spread, so that the neighbours of one node are not probed in one burst.
    const waitMs = links.has(entry.node)
      ? this.#calmPatienceMs(entry) * random.between(0.1, 1)
      : params.connectPatienceMs * random.between(0.9, 1)
    this.#await(watch, awake + waitMs)
    this.measure(entry.node)
  }

  /** A neighbour over a new link is pinged at once: who may never need to ask whether it lives still wants to know how far it is. */
  measure(node: NodeId): void {
    const link = this.#ground.links.get(node)
    const watch = this.#watches.get(node)
    if (link === undefined || link.rttMs !== undefined || watch === undefined) return
    if (watch.probe === undefined && watch.entry.suspicion === undefined) this.#await(watch, this.#ground.awake)
  }

  /** Stops judging it, unless a doubt is still open. */
  unwatch(node: NodeId): void {
    const watch = this.#watches.get(node)
    if (watch === undefined) return
    if (watch.entry.suspicion !== undefined && isUp(watch.entry)) watch.passing = true
    else this.#close(watch)
  }

  /** Whatever a peer says itself proves that it lives. */
  heard(peer: NodeId): void {
    const watch = this.#watches.get(peer)
    if (watch === undefined) return
    watch.heardAt = this.#ground.awake
    watch.spokeAt = this.#ground.awake
    watch.lost = false
    if (watch.entry.suspicion !== undefined) watch.entry.suspicion.heard = true
  }

  /** It has just asked us, and so need not be asked: put off now, rather than by a wake-up that finds nothing to do. */
  pinged(peer: NodeId): void {
    const watch = this.#watches.get(peer)
    if (watch === undefined || watch.probe !== undefined || watch.entry.suspicion !== undefined) return
    this.#await(watch, Math.max(watch.timer.at, watch.heardAt + this.#patienceMs(watch)))
  }

  /** The connection broke: ask at once, rather than at the end of the cycle. */
  connectionLost(entry: Entry): void {
    if (!isUp(entry)) return
    const watch = this.#watches.get(entry.node) ?? this.#open(entry, true)
    watch.lost = true
    watch.probe = undefined
    this.#probe(watch)
  }

  /** A doubt about the incarnation that is held. Ours comes from a failed probe, others' from rumours. */
  suspect(entry: Entry, accuser: NodeId, lost: boolean): void {
    if (!isUp(entry)) return
    const suspicion = entry.suspicion ?? this.#doubt(entry, accuser, lost)
    const confirmed = suspicion.accuse(accuser, lost, this.#ground.params)
    this.#rearm(entry, suspicion)
    if (confirmed) this.#spread(entry, 'suspect', accuser, lost)
  }

  /** Hearsay of a death: it confirms in full, and still leaves the subject the minimum of time (M-10). */
  claimDeath(entry: Entry, accuser: NodeId, lost: boolean): void {
    if (!isUp(entry)) return
    const suspicion = entry.suspicion ?? this.#doubt(entry, accuser, lost)
    suspicion.accuse(accuser, lost, this.#ground.params)
    if (suspicion.claimDeath()) this.#spread(entry, 'suspect', accuser, lost)
    this.#rearm(entry, suspicion)
  }

  /** The subject has spoken under a new incarnation, or is gone: nothing is in doubt any more. */
  release(entry: Entry): void {
    if (entry.suspicion !== undefined) {
      this.#ground.timers.disarm(entry.suspicion.timer)
      entry.suspicion = undefined
    }
    const watch = this.#watches.get(entry.node)
    if (watch === undefined) return
    if (watch.passing || !isUp(entry)) {
      this.#close(watch)
      return
    }
    watch.probe = undefined
    watch.heardAt = this.#ground.awake
    watch.spokeAt = this.#ground.awake
    this.#await(watch, watch.heardAt + this.#patienceMs(watch))
  }

  /** A direct answer: closes the probe, and says how far away the peer is. */
  answered(link: Link, sequence: number, coordinate: NetworkCoordinate): void {
    const ground = this.#ground
    link.coordinate = coordinate
    const watch = this.#watches.get(link.peer)
    const probe = watch?.probe
    if (watch === undefined || probe?.sequence !== sequence) return
    ground.sampleAnswer(link, ground.awake - probe.sentAwake)
    // Neither a pause of ours nor a repeated ping may be taken for distance (Karn).
    const rttMs = ground.now - probe.sentAt
    if (probe.repeats === 0 && ground.awake - probe.sentAwake === rttMs) {
      ground.sampleRtt(link, rttMs)
      ground.coordinate = moved(ground.coordinate, coordinate, rttMs, ground.random)
    }
    this.#succeeded(watch)
  }

  /** A helper says that it has heard from the target. M-29: after a while that raises a doubt, which only the target ends. */
  answeredFor(target: NodeId, sequence: number): void {
    const watch = this.#watches.get(target)
    if (watch?.probe?.sequence !== sequence) return
    const { awake, params } = this.#ground
    if (awake - watch.spokeAt < HEARSAY_ORPHANS * params.suspicionOrphanMs) this.#succeeded(watch)
  }

  /** A helper has not heard from the target, but we have from the helper. */
  denied(target: NodeId, sequence: number, linked: boolean): void {
    const watch = this.#watches.get(target)
    const probe = watch?.probe
    if (watch === undefined || probe?.sequence !== sequence) return
    probe.nacks += 1
    if (!linked) probe.unlinked += 1
    // Nobody left who could hear from it: waiting would tell nothing more.
    const hopeless = probe.unlinked >= probe.helpers && !this.#ground.links.has(target)
    if (hopeless) this.#failed(watch, probe)
  }

  #open(entry: Entry, passing: boolean): Watch {
    const watch: Watch = {
      entry,
      timer: new Timer(() => this.#due(watch)),
      passing,
      heardAt: this.#ground.awake,
      spokeAt: this.#ground.awake,
      silentSince: this.#ground.awake,
      lost: false,
      probe: undefined,
    }
    this.#watches.set(entry.node, watch)
    return watch
  }

  #close(watch: Watch): void {
    this.#ground.timers.disarm(watch.timer)
    this.#watches.delete(watch.entry.node)
  }

  /** How long a member may be silent before it is pinged. Drawn anew each time. */
  #patienceMs({ entry }: Watch): number {
    return this.#ground.strain * this.#calmPatienceMs(entry)
  }

  /**
   * The same for a node that is in time. The judges of a node ask in turn: the first in the order of its neighbours, which
   * is another node for each, soon; the second a little later, and so only where the first did not; and so on. Whoever is
   * linked for other reasons leaves it to them for longer.
   */
  #calmPatienceMs(entry: Entry): number {
    const { params, random } = this.#ground
    const turn = this.#turnAt(entry)
    if (turn === undefined) return outsiderPatienceMs(params)
    const waitsFor = Math.min(turn, TURNS_MAX - 1)
    return params.probeCycleMs + params.probeSpacingMs * (waitsFor + random.between(0, PATIENCE_SPREAD))
  }

  /** How many of that node's neighbours come before this one; undefined when this one is none of them. */
  #turnAt(entry: Entry): number | undefined {
    const { overlay, self } = this.#ground
    let before = 0
    for (const node of overlay.neighboursOf(entry.node, entry.nodeHash)) {
      if (node === self.node) return before
      before += 1
    }
    return undefined
  }

  /** Pings at that time, unless it is heard before. */
  #await(watch: Watch, at: number): void {
    watch.silentSince = watch.heardAt
    this.#arm(watch, at)
  }

  #arm(watch: Watch, at: number): void {
    this.#ground.timers.arm(watch.timer, at)
  }

  #due(watch: Watch): void {
    const { entry, probe } = watch
    assert(isUp(entry), 'only members that are up are watched', { node: entry.node })
    if (probe !== undefined) {
      if (probe.again) this.#repeat(watch, probe)
      else if (probe.stage === 'direct') this.#ask(watch, probe)
      else this.#failed(watch, probe)
      return
    }
    if (entry.suspicion?.confirmedByUs === true) {
      this.#nag(watch)
      return
    }
    if (entry.suspicion === undefined && watch.heardAt > watch.silentSince) {
      this.#await(watch, watch.heardAt + this.#patienceMs(watch))
      return
    }
    this.#probe(watch)
  }

  #probe(watch: Watch): void {
    const ground = this.#ground
    const probe: Probe = {
      sequence: ground.nextSequence(),
      sentAt: ground.now,
      sentAwake: ground.awake,
      stage: 'direct',
      endsAt: ground.awake + ground.waitMs(watch.entry.node, ground.params.directTimeoutMs),
      again: false,
      repeats: 0,
      helpers: 0,
      nacks: 0,
      unlinked: 0,
    }
    watch.probe = probe
    if (this.#ping(watch, probe.sequence)) this.#awaitAnswer(watch, probe)
    else this.#ask(watch, probe)
  }

  /**
   * Until the stage ends; while others doubt the neighbour it is asked again meanwhile (M-6): an unwell judge's stage may
   * last as long as the suspicion, and one lost ping must not be all that the suspect was asked.
   */
  #awaitAnswer(watch: Watch, probe: Probe): void {
    const { awake, params } = this.#ground
    const next = awake + params.suspectProbeMs
    probe.again = watch.entry.suspicion !== undefined && next < probe.endsAt
    this.#arm(watch, probe.again ? next : probe.endsAt)
  }

  #repeat(watch: Watch, probe: Probe): void {
    probe.repeats += 1
    this.#ping(watch, probe.sequence)
    this.#awaitAnswer(watch, probe)
  }

  /** False without a link to it. */
  #ping(watch: Watch, sequence: number): boolean {
    const ground = this.#ground
    const { entry } = watch
    if (!ground.links.has(entry.node)) return false
    ground.send(entry.node, {
      kind: 'membership.ping',
      body: {
        sequence,
        mine: ground.self.incarnation,
        yours: entry.incarnation,
        suspected: entry.state === 'suspect',
        coordinate: ground.coordinate,
        rumours: ground.rumoursFor(entry.node, PROBE_RUMOURS_MAX),
      },
    })
    return true
  }

  /** The indirect stage: common neighbours are asked, and the target once more, in case only the packet was lost. */
  #ask(watch: Watch, probe: Probe): void {
    const { params, awake } = this.#ground
    probe.stage = 'indirect'
    probe.endsAt = awake + this.#ground.waitMs(watch.entry.node, params.indirectTimeoutMs)
    probe.repeats += 1
    const linked = this.#ping(watch, probe.sequence)
    probe.helpers = this.#askHelpers(watch, probe.sequence, params.indirectProbes)
    if (probe.helpers === 0 && !linked) this.#failed(watch, probe)
    else this.#awaitAnswer(watch, probe)
  }

  #askHelpers(watch: Watch, sequence: number, count: number): number {
    const ground = this.#ground
    const target = watch.entry.node
    const near = ground.overlay.neighboursOf(target, watch.entry.nodeHash)
    const helpers = ground.randomLinks(count, (peer) => near.has(peer) && this.#helps(peer))
    if (helpers.length < count) {
      const others = ground.randomLinks(count, (peer) => peer !== target && !near.has(peer) && this.#helps(peer))
      helpers.push(...others.slice(0, count - helpers.length))
    }
    for (const helper of helpers) {
      ground.send(helper, {
        kind: 'membership.ping-request',
        body: {
          sequence,
          target,
          known: watch.entry.incarnation,
          suspected: watch.entry.state === 'suspect',
          rumours: ground.rumoursFor(helper, PROBE_RUMOURS_MAX),
        },
      })
    }
    return helpers.length
  }

  #helps(peer: NodeId): boolean {
    return this.#ground.table.get(peer)?.state === 'alive'
  }

  /** A suspect is asked again and again, directly and through one other, so that a live one can refute (M-14). */
  #nag(watch: Watch): void {
    const ground = this.#ground
    const sequence = ground.nextSequence()
    this.#ping(watch, sequence)
    this.#askHelpers(watch, sequence, 1)
    this.#arm(watch, ground.awake + ground.params.suspectProbeMs)
  }

  #succeeded(watch: Watch): void {
    const ground = this.#ground
    watch.probe = undefined
    watch.heardAt = ground.awake
    ground.mending()
    if (watch.entry.suspicion === undefined && watch.passing) {
      this.#close(watch)
      return
    }
    if (watch.entry.suspicion === undefined) this.#await(watch, ground.awake + this.#patienceMs(watch))
    // It lives, but until it refutes the others do not know.
    else this.#arm(watch, ground.awake + ground.params.suspectProbeMs)
  }

  #failed(watch: Watch, probe: Probe): void {
    const ground = this.#ground
    watch.probe = undefined
    // Helpers that could not be heard either speak against this node's own links (M-15).
    ground.unwell(probe.helpers > 0 ? probe.helpers - probe.nacks : watch.lost ? 0 : 1)
    this.#arm(watch, ground.awake + ground.params.suspectProbeMs)
    this.suspect(watch.entry, ground.self.node, watch.lost)
    if (watch.entry.suspicion !== undefined) watch.entry.suspicion.confirmedByUs = true
  }

  #doubt(entry: Entry, accuser: NodeId, lost: boolean): Suspicion {
    const ground = this.#ground
    const suspicion = new Suspicion(ground.awake, new Timer(() => this.#decide(entry, suspicion)))
    entry.suspicion = suspicion
    ground.table.setState(entry, 'suspect', ground.now)
    ground.event({ kind: 'member-suspect', node: entry.node })
    ground.observe({ kind: 'suspected', node: entry.node, by: accuser, lost })
    this.#probeSoon(entry)
    return suspicion
  }

  /** Every judge that hears of a doubt looks for itself: that makes the confirmations independent. */
  #probeSoon(entry: Entry): void {
    const watch = this.#watches.get(entry.node)
    if (watch !== undefined) {
      if (watch.probe === undefined) this.#arm(watch, this.#ground.awake)
      else this.#awaitAnswer(watch, watch.probe)
    } else if (this.#ground.links.has(entry.node)) {
      this.#arm(this.#open(entry, true), this.#ground.awake)
    }
  }

  /** A doubt that this node had left to others becomes its own: the time for it begins now. */
  #takeOver(watch: Watch, suspicion: Suspicion): void {
    suspicion.startedAt = this.#ground.awake
    this.#rearm(watch.entry, suspicion)
    this.#arm(watch, this.#ground.awake)
  }

  #rearm(entry: Entry, suspicion: Suspicion): void {
    const { params, table, timers } = this.#ground
    // All who are up, less the subject and the first accuser, could confirm.
    timers.arm(suspicion.timer, suspicion.endsAt(params, this.judges(entry.node), table.upCount - 2))
  }

  #decide(entry: Entry, suspicion: Suspicion): void {
    const ground = this.#ground
    // M-11: those who judge it have said nothing, or it was not heard here: this node looks for itself.
    if (!suspicion.isDeathClaimed && !this.judges(entry.node)) {
      this.#takeOver(this.#open(entry, true), suspicion)
      return
    }
    if (suspicion.heard) {
      suspicion.restart(ground.awake)
      this.#rearm(entry, suspicion)
      return
    }
    const suspectedMs = ground.awake - suspicion.startedAt
    ground.table.setState(entry, 'dead', ground.now)
    ground.leaveOverlay(entry)
    this.release(entry)
    this.#spread(entry, 'dead', ground.self.node, suspicion.allLost)
    ground.observe({ kind: 'down', node: entry.node, suspectedMs, confirmations: suspicion.accusers - 1 })
    ground.event({ kind: 'member-down', node: entry.node, incarnation: entry.incarnation })
    // A link that says nothing is of no use; a fresh one tells when the peer is back.
    if (ground.links.has(entry.node)) ground.emit({ kind: 'disconnect', peer: entry.node, reason: 'closed-by-us' })
  }

  #spread(entry: Entry, state: 'suspect' | 'dead', accuser: NodeId, lost: boolean): void {
    this.#ground.rumours.add({ node: entry.node, incarnation: entry.incarnation, state, accuser, lost })
  }
}
