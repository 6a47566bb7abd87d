import type { Claim, Outcome } from '../consensus/index.ts'
import { assert, BoundedQueue, type Millis, type NodeId, unreachable, type WallMillis } from '../kernel/index.ts'
import type { IssueRequest } from '../renewal/index.ts'
import type {
  Lane,
  LinkDownReason,
  LogHandler,
  LogIndex,
  LogPort,
  MessageKind,
  NetworkHandler,
  NetworkPort,
  PeerCredentials,
} from '../wire/index.ts'
import { rulesOf } from '../wire/index.ts'
import { decodeBody, encodeBody, type Message } from './codec.ts'
import type { HostObservation } from './observation-types.ts'
import { encodeForLog, type NodeRecord } from './records.ts'
import type { Swarm } from './swarm.ts'
import type { ClaimsHostEffect, ShutOut, SwarmEffect, SwarmInput } from './types.ts'

/** How often the cores are told the wall time; they reckon on from there. */
const CLOCK_INTERVAL_MS = 1000

/**
 * Effects that may wait for the disk at once: several for every task that can be open, should all end in one step. Beyond
 * it the disk is hopelessly behind, which the log reports first.
 */
const HELD_EFFECTS_MAX = 1_048_576
/** From here on whoever asks is to be refused: what is under way finds room in the rest. */
const HELD_EFFECTS_CROWDED = 16_384

/** Codes of refusals by which a node learns that its membership has ended (GR-5). */
const SHUT_OUT: Readonly<Record<string, ShutOut | undefined>> = {
  CERTIFICATE_REVOKED: 'revoked',
  AUTHORITY_WITHDRAWN: 'unvouched',
}

export interface SwarmHostOptions {
  readonly swarm: Swarm
  readonly network: NetworkPort
  readonly log: LogPort
  now(): Millis
  wallNow(): WallMillis
  /** Asks for one `tick()` at or soon after that moment; a later call replaces an earlier one. */
  schedule(at: Millis): void
  observe(observation: HostObservation): void
  /** What the claims ask for: hand a task to an agent, answer a request. Absent where there are no agents. */
  perform?(effect: ClaimsHostEffect): void
  /** A record was appended (not yet durable): for whoever keeps the snapshot that compaction writes. */
  recorded?(record: NodeRecord): void
  /** Checks signatures; `then` is called with one answer for each, at once or later. */
  verify(claims: readonly Claim[], then: (valid: readonly boolean[]) => void): void
  /** What became of an operation that was proposed here. */
  decided?(id: number, outcome: Outcome): void
  /** Signs a certificate for a node that this one may certify. The outcome is an input `issued`, never at once. */
  issue?(request: IssueRequest): void
  /** Other keys speak for organisations from now on. */
  authoritiesChanged?(): void
  /** This node's certificate was renewed, durably. */
  certified?(certificate: Uint8Array): void
  /** The log failed, or a record was refused: nothing that was not yet durable may be believed. Must end the process. */
  fatal(cause: unknown): void
}

interface Held {
  readonly upTo: LogIndex
  readonly run: () => void
}

/**
 * The loop around the composite core, the same in the daemon and in the simulator: decode, step, perform.
 *
 * It never waits for the disk. A `persist` starts a group commit and the rest of its effect list is held until the log
 * reports that record durable; other inputs go on being stepped meanwhile, and their effects are not held unless
 * they persist something themselves. Held effects leave in the order in which they were asked for.
 */
export class SwarmHost implements NetworkHandler, LogHandler {
  readonly #options: SwarmHostOptions
  readonly #held = new BoundedQueue<Held>(HELD_EFFECTS_MAX)
  /** Nothing leaves before this record is durable. */
  #barrier: LogIndex = 0
  #durable: LogIndex = 0
  #lastMessage: Message | undefined
  #lastBody: Uint8Array = new Uint8Array(0)
  #scheduledFor: Millis | undefined
  #stepping = false
  /** Said from inside the present step. */
  readonly #posted: SwarmInput[] = []
  #clockAt: Millis | undefined
  #appended: LogIndex = 0
  /** The last record appended is in no hurry. */
  #mayWait = false

  constructor(options: SwarmHostOptions) {
    this.#options = options
  }

  get swarm(): Swarm {
    return this.#options.swarm
  }

  /** Effects that wait for the disk now. */
  get heldCount(): number {
    return this.#held.size
  }

  /** So much waits for the disk that new requests are to be refused. */
  get isCrowded(): boolean {
    return this.heldCount >= HELD_EFFECTS_CROWDED
  }

  /**
   * The time asked for by `schedule` has come. What it was asked for is often over by then, a ping's answer above all: to
   * step every core for that costs an idle node more than the rest of the wake-up, so then only the next time is asked for.
   */
  ring(): void {
    this.#scheduledFor = undefined
    if (this.#options.now() < this.#options.swarm.deadline()) this.#schedule()
    else this.tick()
  }

  /** Steps the core for the time alone. Early and late calls do no harm. */
  tick(): void {
    this.#scheduledFor = undefined
    this.input({ kind: 'tick' })
  }

  /** Steps the core and performs what it asks for. */
  input(input: SwarmInput): void {
    assert(!this.#stepping, 'a port called back from inside a call into it', { input: input.kind })
    this.#stepping = true
    const now = this.#options.now()
    if (this.#clockAt === undefined || now >= this.#clockAt + CLOCK_INTERVAL_MS) {
      this.#clockAt = now
      this.#perform(this.#options.swarm.step(now, { kind: 'clock', wallNow: this.#options.wallNow() }))
    }
    this.#perform(this.#options.swarm.step(now, input))
    for (let posted = this.#posted.shift(); posted !== undefined; posted = this.#posted.shift()) {
      this.#perform(this.#options.swarm.step(now, posted))
    }
    this.#stepping = false
    this.#schedule()
  }

  #schedule(): void {
    const at = this.#options.swarm.deadline()
    if (this.#scheduledFor !== undefined && at >= this.#scheduledFor) return
    this.#scheduledFor = at
    if (at < Number.POSITIVE_INFINITY) this.#options.schedule(at)
  }

  /** The same from inside an effect: what the host says there is stepped after the step that asked for it. */
  post(input: SwarmInput): void {
    if (this.#stepping) this.#posted.push(input)
    else this.input(input)
  }

  /** Writes a record of the driver's own; `then` runs once it is durable. */
  persist(record: NodeRecord, then: () => void): void {
    const index = this.#append(record)
    if (index !== undefined) this.#hold(index, then)
  }

  onLinkUp(peer: PeerCredentials): void {
    this.input({ kind: 'link-up', peer })
  }

  onLinkDown(peer: NodeId, reason: LinkDownReason): void {
    this.input({ kind: 'link-down', peer, reason })
  }

  onMessage(from: NodeId, kind: MessageKind, body: Uint8Array): void {
    this.#receive(from, kind, body)
  }

  faultOfGossip(kind: MessageKind, body: Uint8Array): string | undefined {
    const decoded = decodeBody(kind, body)
    return decoded.ok ? undefined : decoded.error
  }

  onGossip(from: NodeId, kind: MessageKind, body: Uint8Array): void {
    this.#receive(from, kind, body)
  }

  onRoom(_peer: NodeId, _lane: Lane): void {
    // Nothing sent today is kept for later: probes, syncs and hints are repeated by their own protocols.
  }

  onDialFailed(peer: NodeId | undefined, address: string, code: string, message: string): void {
    this.#options.observe({ kind: 'dial-failed', peer, address, code, message })
    const why = SHUT_OUT[code]
    if (why !== undefined && peer !== undefined) this.input({ kind: 'shut-out', by: peer, why })
  }

  onGap(peer: NodeId, lane: Lane): void {
    this.#options.observe({ kind: 'link-gap', peer, lane })
    this.input({ kind: 'gap', peer })
  }

  onDurable(upTo: LogIndex): void {
    this.#durable = Math.max(this.#durable, upTo)
    for (let held = this.#held.peek(); held !== undefined && held.upTo <= upTo; held = this.#held.peek()) {
      this.#held.shift()
      held.run()
    }
  }

  onFailed(cause: unknown): void {
    this.#options.fatal(cause)
  }

  #receive(from: NodeId, kind: MessageKind, body: Uint8Array): void {
    const decoded = decodeBody(kind, body)
    if (decoded.ok) {
      this.input({ kind: 'message', from, message: decoded.value })
      return
    }
    // W-5: hostile or broken, it is the sender's account that is charged, and the core never sees it.
    this.#options.network.penalise(from, rulesOf(kind).penalty, `${kind}: ${decoded.error}`)
    this.#options.observe({ kind: 'message-malformed', peer: from, message: kind, reason: decoded.error })
  }

  /**
   * all records of a list are appended at once, in order; what stands behind one waits until it is durable. Behind
   * a persist with a barrier everything waits, whichever step asked for it.
   */
  #perform(effects: readonly SwarmEffect[]): void {
    let upTo = this.#barrier > this.#durable ? this.#barrier : undefined
    for (const effect of effects) {
      if (effect.kind === 'persist' && effect.mayWait === true) {
        // R-1c
        if (this.#append(effect.record, true) === undefined) return
      } else if (effect.kind === 'persist') {
        upTo = this.#append(effect.record)
        if (upTo === undefined) return
        if (effect.barrier === true) this.#barrier = upTo
      } else if (effect.kind === 'barrier') {
        if (this.#durable >= this.#appended) continue
        upTo = this.#appended
        this.#hurry()
      } else if (upTo === undefined) this.#performOne(effect)
      else this.#hold(upTo, () => this.#performOne(effect))
    }
  }

  #performOne(effect: Exclude<SwarmEffect, { kind: 'persist' | 'barrier' }>): void {
    const { network } = this.#options
    switch (effect.kind) {
      case 'send': {
        const body = this.#encode(effect.message)
        const outcome = network.send(effect.to, effect.message.kind, body)
        if (outcome === 'queued') return
        this.#options.observe({ kind: 'send-refused', peer: effect.to, message: effect.message.kind, outcome })
        //
        this.post({ kind: 'refused', peer: effect.to, message: effect.message })
        return
      }
      case 'publish':
        network.publish(effect.message.kind, this.#encode(effect.message))
        return
      case 'connect':
        network.connect(effect.peer, effect.addresses)
        return
      case 'disconnect':
        network.disconnect(effect.peer, effect.reason)
        return
      case 'penalise':
        network.penalise(effect.peer, effect.points, effect.reason)
        return
      case 'observe':
        this.#options.observe(effect.observation)
        return
      case 'claims':
        this.#options.perform?.(effect.effect)
        return
      case 'settle':
        this.post({ kind: 'settled', group: effect.group, mark: effect.mark })
        return
      case 'verify':
        this.#options.verify(effect.claims, (valid) =>
          this.post({ kind: 'verified', group: effect.group, id: effect.id, valid }),
        )
        return
      case 'decided':
        this.#options.decided?.(effect.id, effect.outcome)
        return
      case 'issue':
        this.#options.issue?.(effect.request)
        return
      case 'authorities-changed':
        this.#options.authoritiesChanged?.()
        return
      case 'certified':
        this.#options.certified?.(effect.certificate)
        return
      case 'peer-renewed':
        network.renewed(effect.peer, effect.certificateExpiresAt)
        return
      default:
        unreachable(effect)
    }
  }

  /** The same message to many peers is encoded once. */
  #encode(message: Message): Uint8Array {
    if (message !== this.#lastMessage) {
      this.#lastBody = encodeBody(message)
      this.#lastMessage = message
    }
    return this.#lastBody
  }

  #append(record: NodeRecord, mayWait = false): LogIndex | undefined {
    try {
      const index = this.#options.log.append(encodeForLog(record), mayWait)
      this.#appended = index
      this.#mayWait = mayWait
      this.#options.recorded?.(record)
      return index
    } catch (cause) {
      this.#options.fatal(cause)
      return undefined
    }
  }

  #hurry(): void {
    if (!this.#mayWait) return
    this.#mayWait = false
    this.#options.log.hurry()
  }

  #hold(upTo: LogIndex, run: () => void): void {
    assert(this.#held.push({ upTo, run }), 'too many effects wait for the disk', { held: this.heldCount })
  }
}
