import { BoundedMap, type NodeId } from '../kernel/index.ts'
import type { NetworkCoordinate } from '../wire/index.ts'
import { PROBE_RUMOURS_MAX } from './detector.ts'
import type { Ground } from './ground.ts'
import type { MembershipMessage } from './messages.ts'
import { Timer } from './timers.ts'

/** Probes on behalf of others at one time. At the bound the oldest is forgotten, and its asker hears nothing. */
const RELAYS_MAX = 256
/** The nack leaves this early, so that it arrives before the asker gives up (Lifeguard sends it at 80%). */
const NACK_SHARE = 0.8

type PingRequest = Extract<MembershipMessage, { kind: 'membership.ping-request' }>['body']

interface Relay {
  readonly asker: NodeId
  readonly askerSequence: number
  readonly target: NodeId
  /** The incarnation of the target that the asker knows. */
  readonly known: number
  readonly timer: Timer
  nacked: boolean
}

/** Probes targets for those who could not reach them themselves, and says so when it cannot either. */
export class Relays {
  readonly #ground: Ground
  readonly #relays = new BoundedMap<number, Relay>(RELAYS_MAX)

  constructor(ground: Ground) {
    this.#ground = ground
  }

  onRequest(asker: NodeId, request: PingRequest): void {
    const ground = this.#ground
    const { target, known, suspected } = request
    if (target === ground.self.node || target === asker) return
    if (!ground.links.has(target)) {
      this.#nack(asker, request.sequence, target, false)
      return
    }
    const sequence = ground.nextSequence()
    const timer = new Timer(() => this.#due(sequence))
    const relay = { asker, askerSequence: request.sequence, target, known, timer, nacked: false }
    const evicted = this.#relays.set(sequence, relay)
    if (evicted !== undefined) ground.timers.disarm(evicted.value.timer)
    ground.timers.arm(timer, ground.awake + ground.params.directTimeoutMs * NACK_SHARE)
    ground.send(target, {
      kind: 'membership.ping',
      body: {
        sequence,
        mine: ground.self.incarnation,
        yours: known,
        suspected,
        coordinate: ground.coordinate,
        rumours: ground.rumoursFor(target, PROBE_RUMOURS_MAX),
      },
    })
  }

  /**
   * The target of a relay has answered: so the asker hears, even after a nack, and what is held here by now of the target.
   * Not what came with the answer: that may be forged, and the asker would blame this node for it (M-19).
   */
  onAck(from: NodeId, sequence: number, coordinate: NetworkCoordinate): void {
    const relay = this.#relays.get(sequence)
    if (relay === undefined || relay.target !== from) return
    this.#relays.delete(sequence)
    this.#ground.timers.disarm(relay.timer)
    const held = this.#ground.table.get(from)
    const entry = held === undefined || held.incarnation <= relay.known ? undefined : held.judged.entry
    this.#ground.send(relay.asker, {
      kind: 'membership.ack',
      body: {
        sequence: relay.askerSequence,
        subject: from,
        coordinate,
        entry,
        rumours: this.#ground.rumoursFor(relay.asker, PROBE_RUMOURS_MAX),
      },
    })
  }

  #due(sequence: number): void {
    const relay = this.#relays.get(sequence)
    if (relay === undefined) return
    if (relay.nacked) {
      this.#relays.delete(sequence)
      return
    }
    relay.nacked = true
    this.#nack(relay.asker, relay.askerSequence, relay.target, true)
    this.#ground.timers.arm(relay.timer, this.#ground.awake + 2 * this.#ground.params.directTimeoutMs)
  }

  #nack(asker: NodeId, sequence: number, target: NodeId, linked: boolean): void {
    const rumours = this.#ground.rumoursFor(asker, PROBE_RUMOURS_MAX)
    this.#ground.send(asker, { kind: 'membership.nack', body: { sequence, target, linked, rumours } })
  }
}
