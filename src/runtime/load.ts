import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks'
import type { Clock } from './clock.ts'

/** How busy this process is, over the time since the last sample. */
export interface LoadSample {
  /** Share of one core that this process used, 0 upwards (threads may push it above 1). */
  readonly cpuShare: number
  readonly rssBytes: number
  /** 99th percentile of how late timers fired. */
  readonly eventLoopLagMs: number
}

/** The resolution of the lag histogram: coarse, because every sample wakes the process. */
const LAG_RESOLUTION_MS = 100

/** Samples the process's own load; cheap enough for once a second, idle cost included. */
export class LoadMeter {
  readonly #clock: Clock
  readonly #histogram: IntervalHistogram
  #cpu = process.cpuUsage()
  #at: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#at = clock.now()
    this.#histogram = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
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
