import { setTimeout as delay } from 'node:timers/promises'
import { SwarmError } from '../kernel/index.ts'
import { BACK_OFF_FIRST_MS, BACK_OFF_MAX_MS } from './params.ts'

/** Tries again and again, ever less often, until it goes well, cannot go well, or has taken too long (AC-2). */
export class Reconnection {
  readonly #giveUpAfterMs: number
  readonly #attempt: () => Promise<void>
  readonly #stop = new AbortController()

  constructor(giveUpAfterMs: number | undefined, attempt: () => Promise<void>) {
    this.#giveUpAfterMs = giveUpAfterMs ?? Number.POSITIVE_INFINITY
    this.#attempt = attempt
  }

  /** @throws SwarmError of the attempt after which no further one is made */
  async run(): Promise<void> {
    const until = performance.now() + this.#giveUpAfterMs
    for (let failureCount = 0; ; failureCount += 1) {
      try {
        await delay(backOffMs(failureCount), undefined, { signal: this.#stop.signal })
      } catch {
        return
      }
      try {
        await this.#attempt()
        return
      } catch (cause) {
        if (!isWorthRepeating(cause) || performance.now() > until) throw cause
      }
    }
  }

  stop(): void {
    this.#stop.abort()
  }
}

/** Half of it is chance, so that the agents of a host do not all come back in the same millisecond. */
export function backOffMs(failureCount: number, chance = Math.random()): number {
  const ceilingMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** failureCount)
  return ceilingMs * (0.5 + chance / 2)
}

/** A daemon that is away, starting, full or ending may be ready next time; one that refuses us will refuse us again. */
function isWorthRepeating(cause: unknown): boolean {
  const passing = ['NO_DAEMON', 'TIMEOUT', 'SHUTTING_DOWN', 'OVERLOADED', 'NOT_ATTACHED']
  return cause instanceof SwarmError && passing.includes(cause.code)
}
