import { setFlagsFromString } from 'node:v8'

/*
 * V8 optimises what is called often, in threads of its own. A start calls thousands of functions a few hundred times each
 * and then hardly ever again: of the processor time until thirty daemons on one machine were together, a fifth went into
 * code that was not worth it, and into collecting garbage in parallel on cores that were all busy.
 */

/** Calls after which a function is compiled by Maglev, where that is late: busy ones come to it within seconds. */
const LATE_CALLS = 5_000
/** What V8 does by itself. */
const USUAL_CALLS = 400

const ONE_GC_THREAD = '--single-threaded-gc'

/**
 * How a daemon is run that is one of many on its machine. The young generation is small: one that does little would hold
 * 10 to 20 MB of garbage in it. One that works hard would lose a third of its tasks per second to the collector. It does
 * not begin smaller, though: what a start makes lives on, and each time that it is full all of that is copied (a tenth of
 * a start).
 */
export const FRUGAL_FLAGS = ['--max-semi-space-size=4', '--min-semi-space-size=4', ONE_GC_THREAD]

/** Before any code is loaded: V8 refuses code that was compiled under other flags than it has then. */
export function optimiseLate(): void {
  optimiseAfter(LATE_CALLS)
}

/** For a process that has its machine to itself, once it has started. */
export function optimiseAsUsual(): void {
  if (!process.execArgv.includes(ONE_GC_THREAD)) optimiseAfter(USUAL_CALLS)
}

function optimiseAfter(calls: number): void {
  setFlagsFromString(`--invocation-count-for-maglev=${calls}`)
}
