import type { Submission } from '../../src/claims/index.ts'
import type { Simulation, SwarmProgram } from '../../src/sim/index.ts'
import type { ClaimsChecker, Work } from './claims-checker.ts'
import type { LiarWatch } from './liar-watch.ts'
import type { LyingMembers } from './lies/members.ts'
import { crowdedTables } from './tables.ts'

const TRIALS = 5
/** Far more than a good agent takes. */
const RUN_TIMEOUT_MS = 10_000
/** CL-19: a liar may lose it four times, for a lease each, and fail it twice, each a run time-out, a lease and a renewal late. */
const LIAR_MS = 4 * 10_500 + 2 * (RUN_TIMEOUT_MS + 10_000 + 3_000) + 5_000
const HONEST_MS = 10_000
/** Failures that a liar may cause before its node is not asked any more. */
const FAILURES_PER_LIAR = 2
/** What liars were promised, and what they have begun, is over so long after they are. */
const FORGOTTEN_MS = 40_000

export interface LiarTrialParts {
  readonly sim: Simulation<SwarmProgram>
  readonly checker: ClaimsChecker
  readonly watch: LiarWatch
  readonly liars: LyingMembers
  /** Those of the core that do not lie. */
  readonly machines: readonly number[]
  readonly plainly: (id: string) => Submission
  readonly submit: (machine: number, submission: Submission) => Work
}

/**
 * In an otherwise idle swarm, with good agents only, liars get what they can of a few tasks: each is done all the same, and
 * in time. Then they are switched off, and nothing of what they said is kept.
 */
export class LiarTrial {
  readonly #parts: LiarTrialParts
  #left = TRIALS
  #current: { readonly work: Work; readonly since: number } | undefined
  #silentSince: number | undefined

  constructor(parts: LiarTrialParts) {
    this.#parts = parts
    this.#checkTables()
  }

  /** What is still to come. */
  missing(): string | undefined {
    const { sim, liars } = this.#parts
    if (this.#current !== undefined) return this.#judge(this.#current.work, this.#current.since)
    if (this.#left > 0) {
      this.#begin()
      return 'tasks that liars bid for are to be done'
    }
    if (this.#silentSince === undefined) {
      this.#checkTables()
      this.#silentSince = sim.now
      for (const machine of liars.machines) sim.stop(machine, 'power')
    }
    if (sim.now < this.#silentSince + FORGOTTEN_MS) return 'liars are to be forgotten'
    this.#checkTables()
    return undefined
  }

  #begin(): void {
    const { sim, machines, plainly, submit, liars } = this.#parts
    this.#left -= 1
    const machine = machines[this.#left % machines.length] ?? 0
    const retries = FAILURES_PER_LIAR * liars.machines.length
    const submission = { ...plainly(`trial${this.#left}`), retries, runTimeoutMs: RUN_TIMEOUT_MS }
    this.#current = { work: submit(machine, submission), since: sim.now }
  }

  #judge(work: Work, since: number): string {
    const { sim, checker, watch, liars } = this.#parts
    const text = `${work.id}, submitted at machine ${work.machine},`
    const ended = work.task === undefined ? undefined : checker.ended.get(work.task)
    const boundMs = HONEST_MS + LIAR_MS * liars.machines.length
    if (ended === undefined) {
      if (sim.now > since + boundMs) sim.violate('CL-19', `${text} was not done within ${boundMs} ms`, work.machine)
      return `${text} is not done yet`
    }
    const { state, error } = ended
    const isCancelled = state === 'cancelled' && watch.cancelled.has(work.task ?? '')
    // Whoever has it may say that it is not to be tried again.
    const isGivenUp = state === 'failed' && error?.retryable === false && watch.everHadBy(work.task ?? '')
    if (state !== 'completed' && !isCancelled && !isGivenUp)
      sim.violate('CL-19', `${text} is ${state}: ${error?.code} ${error?.message}`, work.machine)
    this.#current = undefined
    return 'the next task is to be done'
  }

  #checkTables(): void {
    const { sim, machines } = this.#parts
    for (const machine of machines) {
      const program = sim.programOf(machine)
      if (program === undefined) continue
      const crowded = crowdedTables(program.claims, sim.machines.length)
      if (crowded.length > 0) sim.violate('CL-7', `tables beyond their bounds: ${crowded.join(', ')}`, machine)
    }
  }
}
