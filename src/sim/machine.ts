import { type Millis, NEVER, type NodeId, type Random } from '../kernel/index.ts'
import type { MachineClock } from './clock.ts'
import { type EventQueue, SimEvent } from './event-queue.ts'
import type { MemoryLog } from './memory-log.ts'
import type { Program } from './program.ts'

/** Something that reaches a process from outside: it waits while the process is paused and is void once it is gone. */
export abstract class IoEvent extends SimEvent {
  readonly process: Process

  constructor(process: Process) {
    super()
    this.process = process
  }

  override fire(): void {
    this.process.receive(this)
  }

  abstract deliver(): void

  /** The process is gone. */
  refuse(): void {}
}

class Io extends IoEvent {
  readonly #run: () => void

  constructor(process: Process, run: () => void) {
    super(process)
    this.#run = run
  }

  override deliver(): void {
    this.#run()
  }
}

class Wake extends SimEvent {
  readonly #process: Process

  constructor(process: Process) {
    super()
    this.#process = process
  }

  override fire(): void {
    this.#process.wake(this)
  }
}

/** A wake-up comes this much after the moment asked for, so that the clock has passed it in spite of rounding. */
const TIMER_SLACK_MS = 0.001

/** Most events that wait for a paused process: more than its sockets would hold; what is over is lost. */
const INBOX_MAX = 200_000

/**
 * One run of a program on a machine. Deliveries and timers go through here, so that a pause delays them all and lets
 * them go in libuv's order: the due timer first, then what arrived, in order (SI-8).
 */
export class Process {
  readonly queue: EventQueue
  readonly clock: MachineClock
  /** Calls into the program are turns of its loop; each ends here. */
  readonly #afterTurn: () => void
  #program: Program | undefined
  #stopped = false
  #pausedUntil = 0 as Millis
  #inbox: IoEvent[] = []
  #deadline: Millis = NEVER
  #wake: Wake | undefined
  /** How late a slow machine's loop comes to anything. */
  lagMs = 0

  constructor(queue: EventQueue, clock: MachineClock, afterTurn: () => void) {
    this.queue = queue
    this.clock = clock
    this.#afterTurn = afterTurn
  }

  get running(): boolean {
    return !this.#stopped
  }

  /** Up to here it stands still; in the past if it does not. */
  get pausedUntil(): Millis {
    return this.#pausedUntil
  }

  get paused(): boolean {
    return this.#pausedUntil > this.queue.now
  }

  /** The program, once it has started. */
  begin(program: Program): void {
    this.#program = program
    this.#afterTurn()
  }

  stop(): void {
    this.#stopped = true
    const refused = this.#inbox
    this.#inbox = []
    for (const event of refused) event.refuse()
  }

  receive(event: IoEvent): void {
    if (this.#stopped) event.refuse()
    else if (this.paused) {
      if (this.#inbox.length < INBOX_MAX) this.#inbox.push(event)
    } else this.#turn(event)
  }

  /** Has something done in a turn of its own, now or when the pause ends. */
  later(run: () => void, at: number = this.queue.now): void {
    this.queue.push(new Io(this, run), at)
  }

  schedule(at: Millis): void {
    this.#deadline = at
    if (at === NEVER) return
    const wakeAt = this.clock.virtualOf(at) + TIMER_SLACK_MS + this.lagMs
    if (this.#wake !== undefined && this.#wake.at <= wakeAt) return
    // An earlier wake-up makes the pending one void; a later one is asked for again when the pending one fires.
    this.#wake = new Wake(this)
    this.queue.push(this.#wake, wakeAt)
  }

  wake(wake: Wake): void {
    if (this.#stopped || this.#wake !== wake) return
    this.#wake = undefined
    if (this.paused) return
    this.#timer()
  }

  pause(until: Millis): void {
    if (this.#stopped || until <= this.#pausedUntil) return
    this.#pausedUntil = until
    this.queue.call(until, () => this.#resume(until))
  }

  #resume(until: Millis): void {
    if (this.#stopped || this.#pausedUntil !== until) return
    this.#timer()
    const events = this.#inbox
    this.#inbox = []
    for (const event of events) {
      if (this.#stopped) event.refuse()
      else this.#turn(event)
    }
  }

  #timer(): void {
    if (this.clock.monotonic(this.queue.now) < this.#deadline) {
      this.schedule(this.#deadline)
      return
    }
    this.#deadline = NEVER
    this.#program?.onTimer()
    this.#afterTurn()
  }

  #turn(event: IoEvent): void {
    event.deliver()
    this.#afterTurn()
  }
}

/** A computer: what stays when its process goes. */
export interface Machine {
  readonly index: number
  readonly node: NodeId
  readonly address: string
  readonly region: string
  readonly clock: MachineClock
  readonly log: MemoryLog
  readonly random: Random
  /** No power, no kernel: nobody answers, not even with a reset. */
  powered: boolean
}
