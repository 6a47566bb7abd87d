import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/*
 * V8 doubles the space for new objects whenever much of it survives a collection, up to two halves of 64 MiB; so every
 * daemon that is busy for a minute comes to hold 100 MiB more than it has use for, and whoever makes it busy decides when.
 * Halves of 16 MiB are as quick (durable tasks and decisions per second; of 8 MiB, a tenth slower).
 */
const BYTES_MAX = 2 * 16 * 1024 * 1024
const USUAL_GROWTH = 2

/**
 * Keeps the space for new objects within its bound, whatever this process was started with. The size itself can be set only
 * by whoever starts it; how much it grows by, at any time. It grows as usual as long as that keeps it within the bound: V8
 * makes it smaller again when there is little to do.
 */
export function boundYoungGeneration(): void {
  let growth = USUAL_GROWTH
  new PerformanceObserver(() => {
    const wanted = youngBytes() * USUAL_GROWTH <= BYTES_MAX ? USUAL_GROWTH : 1
    if (wanted === growth) return
    growth = wanted
    setFlagsFromString(`--semi-space-growth-factor=${growth}`)
  }).observe({ entryTypes: ['gc'] })
}

/** What V8 has set aside for new objects; for a moment after a collection, some pages more than both halves are. */
export function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0
}
