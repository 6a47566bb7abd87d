import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type ConnectOptions, connect, SwarmError } from '../../src/index.ts'
import { scratchDirectory } from './scratch.ts'
import { ScriptedDaemon } from './scripted-daemon.ts'

/** What is to be ended after a test, the last first. */
export const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A client of a daemon that says what the test wants. */
export async function open(options: ConnectOptions = {}) {
  const daemon = await new ScriptedDaemon(join(scratchDirectory(), 's')).start()
  ends.push(() => daemon.stop())
  const swarm = await connect({ socket: daemon.path, ...options })
  ends.push(() => swarm.close())
  return { daemon, swarm }
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const cause = await promise.then(
    () => 'no error',
    (error: unknown) => error,
  )
  return cause instanceof SwarmError ? cause.code : String(cause)
}

/** A promise that the test settles. */
export function gate<T = void>() {
  return Promise.withResolvers<T>()
}
