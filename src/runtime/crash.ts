import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InvariantError } from '../kernel/index.ts'
import type { Clock } from './clock.ts'

/** The exit code of a process that found itself to be wrong. */
export const EXIT_INVARIANT = 70

/**
 * Writes what is known about a broken invariant, synchronously: there may be no next turn of the loop.
 *
 * @returns the file's path, or undefined when even that could not be written.
 */
export function writeCrashReport(
  directory: string,
  clock: Clock,
  cause: unknown,
  state: () => unknown,
): string | undefined {
  const path = join(directory, `crash-${new Date(clock.wallNow()).toISOString().replaceAll(':', '-')}.json`)
  const report = {
    at: new Date(clock.wallNow()).toISOString(),
    message: cause instanceof Error ? cause.message : String(cause),
    details: cause instanceof InvariantError ? cause.details : undefined,
    stack: cause instanceof Error ? cause.stack : undefined,
    state: stateOrReason(state),
  }
  try {
    writeFileSync(path, `${JSON.stringify(report, jsonSafe, 2)}\n`, { mode: 0o600 })
    return path
  } catch {
    return undefined
  }
}

/** The state is broken by definition, so reading it may fail too. */
function stateOrReason(state: () => unknown): unknown {
  try {
    return state()
  } catch (cause) {
    return `the state could not be read: ${String(cause)}`
  }
}

function jsonSafe(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return [...value]
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return typeof value === 'bigint' ? String(value) : value
}
