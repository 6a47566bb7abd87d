import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { type ErrorCode, type NodeId, type Random, SwarmError } from '../kernel/index.ts'
import { ownedBy } from './addresses.ts'
import { DialPlan, type DueDial } from './dial-plan.ts'
import type { NetworkClock } from './options.ts'
import {
  DIAL_TIMEOUT_MS,
  FIRST_TURN_MS,
  PARALLEL_DIALS_MAX,
  PARALLEL_DIALS_MIN,
  PARALLEL_DIALS_START,
} from './params.ts'
import { dialError, isCrossed } from './refusal.ts'

export interface DialerInit {
  readonly node: Libp2p
  readonly clock: NetworkClock
  readonly random: Random
  /** Whether a dial would be for nothing, because there is a connection by now. */
  isConnected(peer: NodeId): boolean
  onFailed(peer: NodeId, addresses: readonly string[], error: SwarmError): void
}

type Outcome = SwarmError | 'crossed' | 'given-up' | undefined

/** Does what the {@link DialPlan} says, with one timer (P-7). */
export class Dialer {
  readonly plan: DialPlan
  dialCount = 0
  failedCount = 0
  readonly #init: DialerInit
  #active = 0
  /** Ends the dial of a peer that is under way. */
  readonly #giveUps = new Map<NodeId, AbortController>()
  /** How many may be under way: grows slowly while they succeed, halves when one is out of time. */
  #activeMax = PARALLEL_DIALS_START
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(init: DialerInit) {
    this.#init = init
    this.plan = new DialPlan(init.random)
  }

  /** Dials who is due and sleeps until the next is. Call after every change of the plan. */
  run(): void {
    if (this.#stopped) return
    const { clock } = this.#init
    for (const due of this.plan.takeDue(clock.now(), this.#places())) void this.#attempt(due)
    clearTimeout(this.#timer)
    const at = this.plan.deadline()
    // With all places taken there is nothing to wake up for: whoever ends first runs again.
    if (at === Number.POSITIVE_INFINITY || this.#places() === 0) return
    this.#timer = setTimeout(() => this.run(), Math.max(0, Math.ceil(at - clock.now())))
  }

  /** Wants no link to the peer any more; a dial under way makes room for others. */
  unwant(peer: NodeId): void {
    this.plan.unwant(peer)
    this.#giveUps.get(peer)?.abort()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const giveUp of this.#giveUps.values()) giveUp.abort()
  }

  async #attempt({ peer, addresses }: DueDial): Promise<void> {
    this.#active += 1
    this.dialCount += 1
    const giveUp = new AbortController()
    this.#giveUps.set(peer, giveUp)
    const error = await this.#outcome(peer, addresses, giveUp.signal)
    this.#active -= 1
    if (this.#giveUps.get(peer) === giveUp) this.#giveUps.delete(peer)
    this.#adapt(error)
    this.plan.dialled(this.#init.clock.now(), peer, error === undefined)
    if (this.#stopped) return
    if (error instanceof SwarmError && this.plan.wants(peer)) {
      this.failedCount += 1
      this.#init.onFailed(peer, addresses, error)
    }
    this.run()
  }

  #places(): number {
    return Math.max(0, Math.floor(this.#activeMax) - this.#active)
  }

  #adapt(error: Outcome): void {
    if (error === undefined) this.#activeMax = Math.min(PARALLEL_DIALS_MAX, this.#activeMax + 0.25)
    else if (error instanceof SwarmError && error.code === 'TIMEOUT')
      this.#activeMax = Math.max(PARALLEL_DIALS_MIN, this.#activeMax / 2)
  }

  /**
   * Undefined when there is a connection; `crossed` when the peer's own dial is about to make one (P-5), `given-up` when none is
   * wanted any more.
   */
  async #outcome(peer: NodeId, addresses: readonly string[], giveUp: AbortSignal): Promise<Outcome> {
    try {
      await dial(this.#init.node, peer, addresses, giveUp)
      if (this.#init.isConnected(peer)) return undefined
      return new SwarmError('HANDSHAKE_FAILED', 'the connection ended as soon as it was made')
    } catch (cause) {
      if (this.#init.isConnected(peer)) return undefined
      if (giveUp.aborted) return 'given-up'
      return isCrossed(cause) ? 'crossed' : dialError(cause)
    }
  }
}

/**
 * Dials a peer at these addresses. Of several each first gets a short turn alone, so that ones where nobody answers do
 * not use up the time of the one that works; then all get what a slow path or a busy peer needs. Not side by side:
 * libp2p makes one dial of all that go to one peer.
 *
 * @param giveUp ends it before its time
 */
export async function dial(
  node: Libp2p,
  peer: NodeId,
  addresses: readonly string[],
  giveUp?: AbortSignal,
): ReturnType<Libp2p['dial']> {
  const targets = dialable(peer, addresses)
  if (targets.length === 0) {
    throw new SwarmError('HANDSHAKE_FAILED', `there is no usable address of ${peer} among: ${addresses.join(' ')}`)
  }
  const within = (ms: number) => {
    const time = AbortSignal.timeout(ms)
    return giveUp === undefined ? time : AbortSignal.any([giveUp, time])
  }
  if (targets.length > 1) {
    for (const target of targets) {
      try {
        return await node.dial(target, { signal: within(FIRST_TURN_MS) })
      } catch (cause) {
        // A refusal is the peer's word, wherever it was reached.
        if (giveUp?.aborted === true || isCrossed(cause) || !UNANSWERED.has(dialError(cause).code)) throw cause
      }
    }
  }
  return node.dial(targets, { signal: within(DIAL_TIMEOUT_MS) })
}

/** What a dial fails with when no member was at the other end, or none that had the time. */
const UNANSWERED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['TIMEOUT', 'HANDSHAKE_FAILED'])

/** Those of the texts that are addresses of this peer: peers and people write them, so the rest is no surprise. */
export function dialable(peer: NodeId, addresses: readonly string[]): Multiaddr[] {
  return addresses.flatMap((text) => {
    const owned = ownedBy(text, peer)
    try {
      return owned === undefined ? [] : [multiaddr(owned)]
    } catch {
      return []
    }
  })
}
