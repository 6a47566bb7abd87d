import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 20

/**
 * Waits until `look` gives something other than undefined or false, and returns it.
 *
 * @throws Error with what was waited for, once `boundMs` has passed
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  boundMs = 10_000,
): Promise<T> {
  const until = performance.now() + boundMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (performance.now() > until) throw new Error(`waited ${boundMs} ms in vain: ${what}`)
    await delay(POLL_MS)
  }
}
