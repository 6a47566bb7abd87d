import { SwarmError } from '../src/index.ts'
import type { Log } from './log.ts'
import type { OpenedNode } from './node-handle.ts'
import type { Settings } from './settings.ts'

export interface OpenOptions {
  readonly settings: Settings
  readonly log: Log
  /** A broken invariant or a failed disk. Ends the process. */
  fatal(cause: unknown): void
}

/** Opens everything below the servers. @throws SwarmError with a coded reason */
export async function openNode(_options: OpenOptions): Promise<OpenedNode> {
  throw new SwarmError('INTERNAL', 'this build has no node yet; its composition follows')
}
