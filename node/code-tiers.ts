/*
 * V8 optimises what is called often, in threads of its own. A start calls thousands of functions a few hundred times each
 * and then hardly ever again: of the processor time until thirty daemons on one machine were together, a fifth went into
 * code that was not worth it, and into collecting garbage in parallel on cores that were all busy.
 */

/** Calls after which a function is compiled by Maglev, where that is late: busy ones come to it within seconds. */
const LATE_CALLS = 5_000
/** What V8 does by itself. */
const USUAL_CALLS = 400

/** So long do the others start for that are started with one of many. After that, what it does all the time is worth it. */
const OTHERS_START_MS = 30_000

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

/** Once it has started: at once in a process that has its machine to itself, else when the others have started, too. */
export function optimiseAsUsual(): void {
  const isOneOfMany = process.execArgv.includes(ONE_GC_THREAD)
  setTimeout(() => optimiseAfter(USUAL_CALLS), isOneOfMany ? OTHERS_START_MS : 0).unref()
}

function optimiseAfter(calls: number): void {
  process.getBuiltinModule('node:v8').setFlagsFromString(`--invocation-count-for-maglev=${calls}`)
}
