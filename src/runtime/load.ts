import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { LoadSample } from '../swarm/index.ts'
import type { Clock } from './clock.ts'

/** The resolution of the lag histogram: coarse, because every sample wakes the process. */
const LAG_RESOLUTION_MS = 100

/** Samples the process's own load; cheap enough for once a second, idle cost included. */
export class LoadMeter {
  readonly #clock: Clock
  readonly #histogram = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  #cpu = process.cpuUsage()
  #at: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#at = clock.now()
    this.#histogram.enable()
  }

  sample(): LoadSample {
    const now = this.#clock.now()
    const used = process.cpuUsage(this.#cpu)
    const elapsedMs = Math.max(1, now - this.#at)
    this.#cpu = process.cpuUsage()
    this.#at = now
    // The histogram measures from one expected firing to the next, so the resolution itself is not lag.
    const lagMs = Math.max(0, this.#histogram.percentile(99) / 1e6 - LAG_RESOLUTION_MS)
    this.#histogram.reset()
    return {
      cpuShare: (used.user + used.system) / 1000 / elapsedMs,
      rssBytes: process.memoryUsage.rss(),
      eventLoopLagMs: Number.isFinite(lagMs) ? lagMs : 0,
    }
  }

  stop(): void {
    this.#histogram.disable()
  }
}
