import type { ErrorCode, NodeId } from '../kernel/index.ts'
import { LinkEnd } from './link.ts'
import { IoEvent, type Machine, type Process } from './machine.ts'
import type { SimPort } from './port.ts'

/** A wish to be linked to a peer, and the attempt that is under way, if any. */
interface Wish {
  readonly peer: NodeId
  addresses: readonly string[]
  failures: number
  /** Which of the addresses is tried next. */
  next: number
  /** The attempt under way; anything that belongs to another attempt comes too late. */
  attempt: number | undefined
}

interface Attempt {
  readonly number: number
  readonly address: string
  readonly wish: Wish
}

/** A connection that reaches a process; refused like any other when the process is gone. */
class Arrival extends IoEvent {
  readonly #run: () => void
  readonly #refuse: () => void

  constructor(process: Process, run: () => void, refuse: () => void) {
    super(process)
    this.#run = run
    this.#refuse = refuse
  }

  override deliver(): void {
    this.#run()
  }

  override refuse(): void {
    this.#refuse()
  }
}

/** Dials whom its node wants to be linked to, with back-off, until it is told not to want it any more. */
export class Dialler {
  readonly #port: SimPort
  readonly #wishes = new Map<NodeId, Wish>()
  #attempts = 0

  constructor(port: SimPort) {
    this.#port = port
  }

  wants(peer: NodeId): boolean {
    return this.#wishes.has(peer)
  }

  /** Whether an attempt is under way: both sides may be dialling each other. */
  isDialling(peer: NodeId): boolean {
    return this.#wishes.get(peer)?.attempt !== undefined
  }

  want(peer: NodeId, addresses: readonly string[]): void {
    const known = this.#wishes.get(peer)
    if (known !== undefined) {
      known.addresses = addresses
      return
    }
    const wish = { peer, addresses, failures: 0, next: this.#port.random.below(64), attempt: undefined }
    this.#wishes.set(peer, wish)
    if (!this.#port.isLinked(peer)) this.#dial(wish)
  }

  forget(peer: NodeId): void {
    this.#wishes.delete(peer)
  }

  linked(peer: NodeId): void {
    const wish = this.#wishes.get(peer)
    if (wish !== undefined) wish.failures = 0
  }

  unlinked(peer: NodeId): void {
    const wish = this.#wishes.get(peer)
    if (wish !== undefined && wish.attempt === undefined) this.#redial(wish)
  }

  #redial(wish: Wish): void {
    const { network, process, random } = this.#port
    const { redialMsMin, redialMsMax } = network.params
    const waitMs = Math.min(redialMsMax, redialMsMin * 2 ** wish.failures) * random.between(0.5, 1)
    wish.failures = Math.min(wish.failures + 1, 16)
    process.later(() => {
      const wanted = this.#wishes.get(wish.peer) === wish && wish.attempt === undefined
      if (wanted && !this.#port.isLinked(wish.peer)) this.#dial(wish)
    }, network.queue.now + waitMs)
  }

  #dial(wish: Wish): void {
    const { network, machine, process } = this.#port
    const { queue, paths, params } = network
    const address = wish.addresses[wish.next++ % Math.max(1, wish.addresses.length)] ?? ''
    const attempt = { number: ++this.#attempts, address, wish }
    wish.attempt = attempt.number
    process.later(() => this.#failed(attempt, 'TIMEOUT', 'nobody answered'), queue.now + params.dialTimeoutMs)
    const target = network.machineAt(address)
    if (target === undefined) return
    // TCP's and Noise's flights: the acceptor knows the dialler after two round trips.
    const arrivesAt = queue.now + 4 * paths.latency.oneWayMs(machine.index, target.index)
    queue.call(arrivesAt, () => this.#arrive(attempt, target))
  }

  /** At the machine that was dialled. Silence is answered by the time-out. */
  #arrive(attempt: Attempt, target: Machine): void {
    const { network, machine } = this.#port
    const { queue, paths } = network
    if (paths.isBlocked(machine.index, target.index) || paths.isBlocked(target.index, machine.index)) return
    if (!target.powered) return
    const far = network.portOf(target.index)
    const refuse = (): void => this.#answer(target, () => this.#failed(attempt, 'HANDSHAKE_FAILED', 'refused'))
    if (far === undefined) refuse()
    else queue.push(new Arrival(far.process, () => this.#accept(attempt, target, far), refuse), queue.now)
  }

  /** In the process that was dialled: it may have been paused meanwhile, so the path is asked again. */
  #accept(attempt: Attempt, target: Machine, far: SimPort): void {
    const { network, machine, process } = this.#port
    if (target.node !== attempt.wish.peer) {
      this.#answer(target, () => this.#failed(attempt, 'HANDSHAKE_FAILED', `this is ${target.node}`))
      return
    }
    const refusal = far.refusalOf(machine.node)
    if (refusal !== undefined) {
      this.#answer(target, () => this.#failed(attempt, refusal, 'not welcome'))
      return
    }
    if (network.paths.isBlocked(target.index, machine.index)) return
    const [nearEnd, farEnd] = LinkEnd.pair(this.#port, far)
    nearEnd.opensAt = network.paths.arrival(network.queue.now, target.index, machine.index)
    // First, so that what the far side says at once is not read before this side has opened.
    process.later(() => this.#opened(attempt, nearEnd), nearEnd.opensAt)
    far.open(farEnd)
  }

  #answer(target: Machine, run: () => void): void {
    const { network, machine, process } = this.#port
    process.later(run, network.paths.arrival(network.queue.now, target.index, machine.index))
  }

  #opened(attempt: Attempt, end: LinkEnd): void {
    if (!this.#isCurrent(attempt)) {
      this.#port.abandon(end)
      return
    }
    attempt.wish.attempt = undefined
    if (this.#port.refusalOf(attempt.wish.peer) === undefined) this.#port.open(end)
    else this.#port.abandon(end)
  }

  #failed(attempt: Attempt, code: ErrorCode, message: string): void {
    if (!this.#isCurrent(attempt)) return
    const { wish, number, address } = attempt
    wish.attempt = undefined
    const { network, machine, handler } = this.#port
    network.trace.record('dial-failed', network.queue.now, machine.index, number, undefined, () => {
      return `${wish.peer} at ${address}: ${code} ${message}`
    })
    handler.onDialFailed(wish.peer, address, code, message)
    if (this.#wishes.get(wish.peer) === wish && !this.#port.isLinked(wish.peer)) this.#redial(wish)
  }

  #isCurrent({ wish, number }: Attempt): boolean {
    return wish.attempt === number && this.#wishes.get(wish.peer) === wish
  }
}
