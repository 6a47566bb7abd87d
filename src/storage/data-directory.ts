import * as fs from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { SwarmError } from '../kernel/index.ts'
import { makeDirectory } from './make-directory.ts'
import { claimStore, type Provenance, provenanceOf } from './provenance.ts'
import { unreadable } from './secret-file.ts'

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5

/** A directory that belongs to this process until it is released or the process ends, however it ends. */
export interface DataDirectory {
  readonly path: string
  /** The log's own directory. */
  readonly storePath: string
  /** Where what was in it at the opening comes from (S-13). */
  readonly provenance: Provenance
  /** What is in it is this place's own from now on. */
  claim(): void
  release(): void
}

/**
 * Makes the directory if need be, closes it to other users, and takes its lock (S-11, S-12).
 *
 * @throws SwarmError DATA_DIRECTORY_IN_USE naming the holder's pid (`data.pid`), DATA_DIRECTORY_UNREADABLE
 */
export function openDataDirectory(path: string): DataDirectory {
  const storePath = join(path, 'store')
  const pidPath = join(path, 'pid')
  let lock: DatabaseSync | undefined
  try {
    makeDirectory(path)
    makeDirectory(storePath)
    fs.chmodSync(path, 0o700)
    lock = takeLock(join(path, 'lock'))
    if (lock !== undefined) fs.writeFileSync(pidPath, `${process.pid}\n`, { mode: 0o600 })
  } catch (cause) {
    lock?.close()
    throw unreadable(path, cause)
  }
  if (lock === undefined) throw inUse(path, pidPath)
  const held = lock
  const release = (): void => {
    fs.rmSync(pidPath, { force: true })
    held.close()
  }
  return { path, storePath, provenance: provenanceOf(storePath), claim: () => claimStore(storePath), release }
}

/**
 * Undefined if someone else has it. Node has no file locks of its own, SQLite does: a POSIX record lock that the kernel
 * drops with the process, so there is nothing stale to judge. The database itself stays empty.
 */
function takeLock(path: string): DatabaseSync | undefined {
  fs.closeSync(fs.openSync(path, 'a', 0o600))
  const { DatabaseSync } = loadSqlite()
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return database
  } catch (cause) {
    database.close()
    if (((cause as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return undefined
    throw cause
  }
}

/**
 * Loaded by who takes a lock and not by every command, and without Node 22's warning that SQLite is experimental: only the
 * lock is used, and that is SQLite's own and old.
 */
function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}

function inUse(path: string, pidPath: string): SwarmError {
  const pid = readPid(pidPath)
  const holder = pid === undefined ? 'another swarm-node' : `another swarm-node (pid ${pid})`
  const message = `${path} is in use by ${holder}. Stop that one, or give this one a directory of its own with --data.`
  return new SwarmError('DATA_DIRECTORY_IN_USE', message, { data: { path, pid } })
}

/** Undefined in the moment between the holder's lock and its pid. */
function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(fs.readFileSync(path, 'utf8'), 10)
    return Number.isSafeInteger(pid) ? pid : undefined
  } catch {
    return undefined
  }
}
