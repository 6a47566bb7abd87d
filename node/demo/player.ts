import { setTimeout as delay } from 'node:timers/promises'
import type { Ending } from './tally.ts'
import { serviceMs, skillsFor, type TraceRequest } from './trace.ts'

/** What an agent is given. */
export interface WorkInput {
  readonly request: number
  readonly contextTokens: number
  readonly generatedTokens: number
  /** How long to work at it, in the demonstration's own time. */
  readonly serviceMs: number
}

/** A node at which requests are submitted. */
export interface Entrance {
  readonly name: string
  /** Whether its node answers now. */
  readonly open: boolean
  /** Submits once, however often it has to be said: the key stands for the request. Waits while the node is away. */
  submit(skills: readonly string[], input: WorkInput, key: string): Promise<string>
  /** The record of the task once it has ended; waits while the node is away. */
  wait(task: string): Promise<Ending>
  /** The record of the task now. */
  get(task: string): Promise<Ending>
}

/** A request that has its answer. */
export interface Answered {
  readonly request: TraceRequest
  readonly entrance: Entrance
  readonly task: string
  readonly responseMs: number
  readonly answer: Ending
}

export interface PlayerOptions {
  readonly requests: readonly TraceRequest[]
  /** How many seconds of the trace pass in one. */
  readonly speed: number
  readonly entrances: readonly Entrance[]
  /** Called before each submission, with how many there were. */
  submitting(index: number): void
  /** Called after each answer. */
  progress(submitted: number, answered: number): void
}

/** Replays a trace: every request is submitted when its time has come, at the next node that is there. */
export class Player {
  readonly #options: PlayerOptions
  readonly #answered: Answered[] = []
  readonly #failures: string[] = []
  #submitted = 0
  #turn = 0

  constructor(options: PlayerOptions) {
    this.#options = options
  }

  get submitted(): number {
    return this.#submitted
  }

  get answered(): readonly Answered[] {
    return this.#answered
  }

  /** Requests that were refused or whose answer could not be had, each with the reason. */
  get failures(): readonly string[] {
    return this.#failures
  }

  /** Plays the whole trace and returns when every request has its answer, or never will. */
  async play(): Promise<void> {
    const { requests, speed } = this.#options
    const startedAt = performance.now()
    const pending: Promise<void>[] = []
    for (const request of requests) {
      const waitMs = startedAt + request.atMs / speed - performance.now()
      // A timer's grain is a millisecond: those due within it leave together.
      if (waitMs > 1) await delay(waitMs)
      pending.push(this.#serve(request))
    }
    await Promise.all(pending)
  }

  async #serve(request: TraceRequest): Promise<void> {
    const entrance = this.#entrance()
    const { index, contextTokens, generatedTokens } = request
    const worth = {
      request: index,
      contextTokens,
      generatedTokens,
      serviceMs: serviceMs(request) / this.#options.speed,
    }
    this.#options.submitting(this.#submitted)
    this.#submitted += 1
    const submittedAt = performance.now()
    try {
      const task = await entrance.submit(skillsFor(request), worth, `request-${index}`)
      const answer = await entrance.wait(task)
      const responseMs = performance.now() - submittedAt
      this.#answered.push({ request, entrance, task, responseMs, answer })
    } catch (cause) {
      this.#failures.push(`request ${index} at ${entrance.name}: ${cause instanceof Error ? cause.message : cause}`)
    }
    this.#options.progress(this.#submitted, this.#answered.length)
  }

  /** The next one whose node is there; the next one of all when none is. */
  #entrance(): Entrance {
    const { entrances } = this.#options
    const inTurn = entrances.map((_, i) => entrances[(this.#turn + i) % entrances.length])
    const entrance = inTurn.find((candidate) => candidate?.open === true) ?? inTurn[0]
    if (entrance === undefined) throw new Error('there is no node to submit at')
    this.#turn += 1
    return entrance
  }
}
