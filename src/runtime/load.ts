import type { LoadSample } from '../swarm/index.ts'
import type { Clock } from './clock.ts'

/**
 * Samples the process's own load. Lag is the worst lateness of timers that were needed anyway: a meter with a timer of
 * its own would wake an idle process more often than all protocols together.
 */
export class LoadMeter {
  readonly #clock: Clock
  #cpu = process.cpuUsage()
  #at: number
  #lateMsMax = 0
  #rssBytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#at = clock.now()
  }

  /** A timer fired this much after its time. */
  late(lateMs: number): void {
    if (lateMs > this.#lateMsMax) this.#lateMsMax = lateMs
  }

  /** Over the time since the last sample. */
  sample(): LoadSample {
    const now = this.#clock.now()
    const cpu = process.cpuUsage()
    const usedMs = (cpu.user - this.#cpu.user + cpu.system - this.#cpu.system) / 1000
    const sample = {
      cpuShare: usedMs / Math.max(1, now - this.#at),
      rssBytes: this.#rss(),
      eventLoopLagMs: this.#lateMsMax,
    }
    this.#cpu = cpu
    this.#at = now
    this.#lateMsMax = 0
    return sample
  }

  /** As it was last known, where the system opens no more files: it says this by way of one. */
  #rss(): number {
    try {
      this.#rssBytes = process.memoryUsage.rss()
    } catch {
      // A host without a free descriptor has other worries; the next sample may find one.
    }
    return this.#rssBytes
  }
}
