import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { bundle } from '../../node/bundle.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The command line as it is shipped, of the sources as they are now. */
    program: string
  }
}

/**
 * Bundles the command line as `npm run build` does, once per run, for all tests that start it: that is what people run,
 * and a process of it starts in a third of the time that the sources take.
 */
export async function setup(project: TestProject): Promise<() => void> {
  const directory = mkdtempSync(join(tmpdir(), 'swarm-node-bundle-'))
  await bundle(directory)
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}\n')
  project.provide('program', join(directory, 'bin.js'))
  return () => rmSync(directory, { recursive: true })
}
