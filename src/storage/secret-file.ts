import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { SwarmError } from '../kernel/index.ts'

/**
 * Reads a file that only its owner may read (S-12). Undefined if there is none.
 *
 * @throws SwarmError DATA_DIRECTORY_UNREADABLE if it cannot be read, or others could read it too
 */
export function readSecretFile(path: string): Uint8Array | undefined {
  try {
    const { mode } = fs.statSync(path)
    if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
      const rights = (mode & 0o777).toString(8)
      const message = `${path} can be read by other users (mode ${rights}). If nobody else has: chmod 600 ${path}`
      throw new SwarmError('DATA_DIRECTORY_UNREADABLE', message, { data: { path } })
    }
    return fs.readFileSync(path)
  } catch (cause) {
    if (cause instanceof SwarmError) throw cause
    if (isMissing(cause)) return undefined
    throw unreadable(path, cause)
  }
}

/**
 * Writes or replaces such a file: after a crash it holds the old bytes or the new ones, and once this returns the new.
 *
 * @throws SwarmError DATA_DIRECTORY_UNREADABLE
 */
export function writeSecretFile(path: string, bytes: Uint8Array): void {
  const draft = `${path}.new`
  try {
    fs.rmSync(draft, { force: true })
    const file = fs.openSync(draft, 'wx', 0o600)
    try {
      fs.writeFileSync(file, bytes)
      fs.fsyncSync(file)
    } finally {
      fs.closeSync(file)
    }
    fs.renameSync(draft, path)
    syncDirectory(dirname(path))
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** Makes the names in a directory durable. Windows has no such call and needs none. */
export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const directory = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(directory)
  } finally {
    fs.closeSync(directory)
  }
}

export function unreadable(path: string, cause: unknown): SwarmError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const message = `${path} cannot be used: ${why}. Give this user the right to it, or choose another with --data.`
  return new SwarmError('DATA_DIRECTORY_UNREADABLE', message, { cause, data: { path } })
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && (cause as NodeJS.ErrnoException).code === 'ENOENT'
}
