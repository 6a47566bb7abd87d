import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import { unreadable } from './secret-file.ts'

/**
 * A directory of data, and what is missing above it, for this user alone.
 *
 * @throws SwarmError DATA_DIRECTORY_UNREADABLE
 */
export function makeDataDirectory(path: string): void {
  try {
    makeDirectory(path)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/**
 * Makes a directory and what is missing above it, for this user alone. One level after the other: Node's own recursive
 * mkdir never returns, nor hears a signal, where the system says that nothing is there about a directory that cannot be
 * made, as below /proc.
 *
 * @throws what the system says
 */
export function makeDirectory(path: string): void {
  const missing: string[] = []
  for (let at = resolve(path); !fs.existsSync(at) && at !== dirname(at); at = dirname(at)) missing.push(at)
  for (const each of missing.reverse()) makeOne(each)
  if (!fs.statSync(path).isDirectory()) throw new Error('it is there and is not a directory')
}

/** Another process may have been faster. */
function makeOne(path: string): void {
  try {
    fs.mkdirSync(path, { mode: 0o700 })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  }
}
