import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { assertPathFits, makeDirectory, SwarmError } from '../src/index.ts'

/** A local connect is answered at once or never. */
const PROBE_TIMEOUT_MS = 2_000

/**
 * Makes the way free for a socket at this path: its directory exists (0700 when made here) and no stale socket is in
 * the way. A socket is removed only if nobody answers on it; any other file is left alone.
 *
 * @throws SwarmError BAD_USAGE (path too long, not a socket), ADDRESS_IN_USE, DATA_DIRECTORY_UNREADABLE
 */
export async function clearSocketPath(path: string): Promise<void> {
  assertPathFits(path)
  try {
    makeDirectory(dirname(path))
    const there = await lstat(path).catch(nothingThere)
    if (there === undefined) return
    if (!there.isSocket()) {
      throw new SwarmError('BAD_USAGE', `${path} is there and is not a socket; choose another with --socket`)
    }
    if (await answers(path)) {
      throw new SwarmError('ADDRESS_IN_USE', `another daemon answers on ${path}; stop it first: swarm-node stop`)
    }
    await unlink(path).catch(nothingThere)
  } catch (cause) {
    if (cause instanceof SwarmError) throw cause
    const message = `the socket ${path} cannot be made (${reasonOf(cause)}); check the directory, or use --socket`
    throw new SwarmError('DATA_DIRECTORY_UNREADABLE', message, { cause })
  }
}

/** Whether a process accepts connections there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const finish = (settle: () => void) => {
      socket.destroy()
      settle()
    }
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(() => resolve(true)))
    socket.once('connect', () => finish(() => resolve(true)))
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      const nobody = cause.code === 'ECONNREFUSED' || cause.code === 'ENOENT'
      // EAGAIN: its queue of connections is full, so somebody is there.
      const busy = cause.code === 'EAGAIN'
      finish(() => (nobody || busy ? resolve(busy) : reject(cause)))
    })
  })
}

function nothingThere(cause: unknown): undefined {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
  throw cause
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
