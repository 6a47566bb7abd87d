import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'

/** A directory for one test, removed after it. Short, because socket paths have a limit. */
export function scratchDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'sn-'))
  leftovers.push(path)
  return path
}

const leftovers: string[] = []

afterEach(() => {
  for (const path of leftovers.splice(0)) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
})
