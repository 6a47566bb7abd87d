import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openTerminal } from './cli/terminal.ts'
import { Show } from './demo/show.ts'
import { readTrace } from './demo/trace.ts'
import { endProcess, isRunning } from './processes.ts'

/**
 * `npm run demo`: a swarm of separate processes at real work, while some of them are killed; gone without a trace
 * afterwards. Usage: npm run demo -- [--requests N] [--speed X]
 */

/** An hour of the trace in a minute. */
const SPEED_DEFAULT = 60

/** How long a process that is told to end may take before it is made to. */
const GRACE_MS = 5_000

const PROGRAM = fileURLToPath(new URL('./bin.ts', import.meta.url))

async function main(): Promise<number> {
  const played = playedPart()
  if (played === undefined) return 2
  const directory = await mkdtemp(join(tmpdir(), 'swarm-demo-'))
  const pids: number[] = []
  let interrupted = false
  const cleanUp = async () => {
    // More may start while the first are ending.
    while (pids.some(isRunning)) await Promise.all(pids.map((pid) => endProcess(pid, GRACE_MS)))
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted = true
      process.stderr.write('\ninterrupted: ending the processes\n')
      void cleanUp().finally(() => process.exit(1))
    })
  }
  const onSpawned = (pid: number) => {
    pids.push(pid)
    if (interrupted) throw new Error('it was interrupted')
  }
  try {
    return await new Show({ terminal: openTerminal(false), directory, program: PROGRAM, onSpawned, ...played }).run()
  } catch (cause) {
    process.stderr.write(`the demonstration failed: ${cause instanceof Error ? cause.message : String(cause)}\n`)
    return 1
  } finally {
    await cleanUp()
  }
}

/** What was asked for; says what is wrong with it. */
function playedPart(): { readonly requestCount: number; readonly speed: number } | undefined {
  try {
    const { values } = parseArgs({ options: { requests: { type: 'string' }, speed: { type: 'string' } } })
    const requestCount = Number(values.requests ?? readTrace().length)
    const speed = Number(values.speed ?? SPEED_DEFAULT)
    if (Number.isInteger(requestCount) && requestCount > 0 && speed > 0) return { requestCount, speed }
    process.stderr.write('--requests takes a whole number above 0, --speed a number above 0\n')
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`)
  }
  return undefined
}

process.exitCode = await main()
