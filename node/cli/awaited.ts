import { type JsonText, type SwarmClient, stringify, type TaskRecord } from '../../src/index.ts'
import { outputText } from '../agents/text-payload.ts'
import { CLIENT_NAME } from '../version.ts'
import { visibleText } from '../visible-text.ts'
import type { Context } from './command.ts'
import { formatSeconds } from './values.ts'

/** Of a task that ended otherwise than well (spec/interfaces.md, "exit"). */
const EXIT_NOT_COMPLETED = 4

/** As a shell has it for what SIGINT has ended. */
const EXIT_INTERRUPTED = 130

/** A daemon that is restarted is back within it. */
const GIVE_UP_AFTER_MS = 30_000

const TICK_MS = 1_000

/** Runs with a client that outlives a restart of the daemon. */
export async function withSwarm<T>(
  { socket, token, terminal }: Context,
  run: (swarm: SwarmClient) => Promise<T>,
): Promise<T> {
  const { connect } = await import('../../src/index.ts')
  const onConnection = (state: 'lost' | 'connected') => {
    terminal.say(state === 'lost' ? 'the daemon is away; waiting for it to come back' : 'the daemon is back')
  }
  const swarm = await connect({
    socket,
    token,
    client: CLIENT_NAME,
    giveUpAfterMs: GIVE_UP_AFTER_MS,
    exactPayloads: true,
    onConnection,
  })
  try {
    return await run(swarm)
  } finally {
    swarm.close()
  }
}

/**
 * Waits until the task has ended and prints its output; on a terminal, meanwhile, how far it is. Ctrl-C ends the wait.
 *
 * @returns the exit code
 * @throws SwarmError with the task in `data`: TIMEOUT, it goes on; of any other, nobody knows
 */
export async function printOutcome(
  { terminal, sameDaemon }: Context,
  swarm: SwarmClient,
  task: string,
  timeoutMs: number | undefined,
): Promise<number> {
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  process.once('SIGINT', interrupt)
  const stop = terminal.isWatched ? watch(terminal.line(), swarm, task) : () => {}
  const again = `ask again: swarm-node task wait ${task}${sameDaemon}`
  let record: TaskRecord
  try {
    record = await swarm.wait(task, { timeoutMs, signal: interrupted.signal })
  } catch (cause) {
    stop()
    if (interrupted.signal.aborted) {
      terminal.say(`task ${task} goes on; ${again}, or end it: swarm-node task cancel ${task}${sameDaemon}`)
      return EXIT_INTERRUPTED
    }
    const { SwarmError } = await import('../../src/index.ts')
    if (!(cause instanceof SwarmError) || cause.code === 'NOT_FOUND') throw cause
    // The id may be written nowhere else, and is all that leads to the result.
    const message =
      cause.code === 'TIMEOUT'
        ? `task ${task} goes on: it has not ended, or its output not come, within ${timeoutMs} ms; ${again}`
        : `${cause.message}; what became of task ${task} is not known; once a daemon answers, ${again}`
    throw new SwarmError(cause.code, message, { cause, data: { ...cause.data, task } })
  } finally {
    stop()
    process.off('SIGINT', interrupt)
  }
  if (record.state === 'completed') {
    terminal.payload(record, outputText(record.output as JsonText), stringify)
    return 0
  }
  const { code = '', message = 'no reason is known' } = record.error ?? {}
  if (terminal.json) terminal.result(record, () => '')
  terminal.say(`swarm-node: task ${task} is ${record.state}: ${visibleText(message)} [${visibleText(code)}]`)
  return EXIT_NOT_COMPLETED
}

/**
 * Shows what is heard of a task until the returned function is called. Only for the eye: the wait does not wait for it, nor
 * fail with it.
 */
function watch(line: { update(text: string): void; end(): void }, swarm: SwarmClient, task: string): () => void {
  const startedAt = performance.now()
  let state = ''
  let progress = ''
  let isOver = false
  const draw = () => {
    if (isOver) return
    const since = formatSeconds((performance.now() - startedAt) / 1000)
    line.update([task, state, progress, since].filter((part) => part !== '').join(' · '))
  }
  const opening = swarm.events({ kinds: ['task-changed', 'task-progress'], task })
  const follow = async () => {
    const events = await opening
    state = (await swarm.get(task)).state
    draw()
    for await (const event of events) {
      if (event.kind === 'task-changed') state = String(event.state)
      if (event.kind === 'task-progress') progress = progressText(event)
      draw()
    }
  }
  follow().catch(() => {})
  const timer = setInterval(draw, TICK_MS)
  return () => {
    isOver = true
    clearInterval(timer)
    opening.then((events) => events.return()).catch(() => {})
    line.end()
  }
}

function progressText({ fraction, message }: Readonly<Record<string, unknown>>): string {
  const share = typeof fraction === 'number' ? `${Math.round(fraction * 100)}%` : ''
  return [share, typeof message === 'string' ? message : ''].filter((part) => part !== '').join(' ')
}
