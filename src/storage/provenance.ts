import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { syncDirectory, unreadable } from './secret-file.ts'

/**
 * Where the files of a store come from. `own`: this program wrote them where they are; `copy`: somebody put them there, from
 * a backup or another place, and who knows of when; `unmarked`: there is no telling, for it is new, or from before marks.
 */
export type Provenance = 'unmarked' | 'own' | 'copy'

const MARK = 'provenance'

/**
 * S-13: the mark in a store names itself: the number and the moment of birth of its own file, which no copy shares.
 *
 * @throws SwarmError DATA_DIRECTORY_UNREADABLE
 */
export function provenanceOf(storePath: string): Provenance {
  const path = join(storePath, MARK)
  try {
    if (!fs.existsSync(path)) return 'unmarked'
    return fs.readFileSync(path, 'utf8') === nameOf(path) ? 'own' : 'copy'
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** From now on the store is this place's own; durable when it returns. */
export function claimStore(storePath: string): void {
  const path = join(storePath, MARK)
  const draft = `${path}.new`
  try {
    fs.rmSync(draft, { force: true })
    const file = fs.openSync(draft, 'wx', 0o600)
    try {
      fs.writeFileSync(file, nameOf(draft))
      fs.fsyncSync(file)
    } finally {
      fs.closeSync(file)
    }
    // Keeps number and birth.
    fs.renameSync(draft, path)
    syncDirectory(dirname(path))
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** What no other file is called, not even one with the same bytes, owner and times. */
function nameOf(path: string): string {
  const { ino, birthtimeNs } = fs.statSync(path, { bigint: true })
  return `${ino} ${birthtimeNs}\n`
}
