import { accessSync, constants, statSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import {
  type AgentSpec,
  type Attachment,
  type ConnectOptions,
  connect,
  type JsonText,
  type RunContext,
  SwarmError,
  TaskError,
  type TaskHandler,
} from '../../src/index.ts'
import { runCommand } from './command-process.ts'
import { inputFor, payloadOf } from './text-payload.ts'

/** What interrupts it; the last two come from a terminal that was closed or lost, and from its keys. */
const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** How long commands that run may go on after it. */
const DETACH_TIMEOUT_MS = 60_000

/** What happens to a command agent, for people and scripts. */
export type CommandAgentEvent =
  | { readonly kind: 'attached'; readonly agent: string; readonly node: string }
  | { readonly kind: 'lost'; readonly message: string }
  | { readonly kind: 'draining'; readonly deadlineMs: number }
  | { readonly kind: 'detaching'; readonly running: number }
  | { readonly kind: 'detached' }
  | {
      readonly kind: 'ended'
      readonly task: string
      readonly attempt: number
      readonly skill: string
      readonly ms: number
      /** Why it failed. */
      readonly error?: { readonly code: string; readonly message: string; readonly retryable: boolean }
    }

export interface CommandAgentOptions {
  readonly connection: ConnectOptions
  readonly spec: Omit<AgentSpec, 'name'> & { readonly name?: string | undefined }
  readonly command: string
  readonly args: readonly string[]
  /** Texts go to the command as they are, and what it writes is text. */
  readonly isText: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  onEvent(event: CommandAgentEvent): void
  onError(bytes: Uint8Array): void
}

/**
 * Attaches a command as an agent until it is interrupted: one of {@link INTERRUPTS} detaches it and lets what runs end;
 * another one ends that too.
 *
 * @throws SwarmError BAD_USAGE when there is no such command; NO_DAEMON; what the daemon refuses
 */
export async function runCommandAgent(options: CommandAgentOptions): Promise<void> {
  const { command, connection, spec, env, onEvent } = options
  assertRunnable(command, env)
  const swarm = await connect({ ...connection, exactPayloads: true })
  try {
    const attachment = await swarm.attach({ name: basename(command), ...defined(spec) }, handlerOf(options), {
      onAttached: (agent) => onEvent({ kind: 'attached', agent, node: swarm.hello.node }),
      onLost: ({ message }) => onEvent({ kind: 'lost', message }),
      onDrain: (deadlineMs) => onEvent({ kind: 'draining', deadlineMs }),
    })
    await untilInterrupted(attachment, onEvent)
  } finally {
    swarm.close()
  }
}

async function untilInterrupted(attachment: Attachment, onEvent: CommandAgentOptions['onEvent']): Promise<void> {
  const interrupted = Promise.withResolvers<void>()
  const again = Promise.withResolvers<void>()
  let count = 0
  const onSignal = () => {
    count += 1
    if (count === 1) interrupted.resolve()
    else again.resolve()
  }
  for (const signal of INTERRUPTS) process.on(signal, onSignal)
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([attachment.ended, interrupted.promise])
    onEvent({ kind: 'detaching', running: attachment.runningCount })
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DETACH_TIMEOUT_MS)
    })
    await Promise.race([attachment.detach(), again.promise, patience])
    onEvent({ kind: 'detached' })
  } finally {
    clearTimeout(timer)
    for (const signal of INTERRUPTS) process.off(signal, onSignal)
  }
}

function handlerOf(options: CommandAgentOptions): TaskHandler {
  const { command, args, env, isText, connection, onError } = options
  const run = async (task: Parameters<TaskHandler>[0], { signal }: RunContext) => {
    // The connection is exact.
    const input = inputFor(task.input as JsonText, { isText })
    const written = await runCommand({
      command,
      args,
      env: { ...env, ...environmentOf(task, Date.now()), SWARM_NODE_SOCKET: connection.socket },
      input,
      signal,
      onError,
    })
    return payloadOf(written, { isText })
  }
  return async (task, context) => {
    const startedAt = performance.now()
    const about = { kind: 'ended', task: task.task, attempt: task.attempt, skill: task.skill } as const
    try {
      const output = await run(task, context)
      options.onEvent({ ...about, ms: Math.round(performance.now() - startedAt) })
      return output
    } catch (cause) {
      const { code, message, retryable } = cause instanceof TaskError ? cause : new TaskError(String(cause))
      options.onEvent({ ...about, ms: Math.round(performance.now() - startedAt), error: { code, message, retryable } })
      throw cause
    }
  }
}

/** What a command learns of its task (spec/interfaces.md); without a deadline, `SWARM_DEADLINE` is not set. */
export function environmentOf(
  { task, skill, attempt, deadlineMs, runTimeoutMs }: Parameters<TaskHandler>[0],
  wallNowMs: number,
): Readonly<Record<string, string | undefined>> {
  const leftMs = Math.min(deadlineMs ?? Number.POSITIVE_INFINITY, runTimeoutMs ?? Number.POSITIVE_INFINITY)
  return {
    SWARM_TASK_ID: task,
    SWARM_SKILL: skill,
    SWARM_ATTEMPT: String(attempt),
    SWARM_DEADLINE: Number.isFinite(leftMs) ? new Date(wallNowMs + leftMs).toISOString() : undefined,
  }
}

/** Now is better than with the first task. */
function assertRunnable(command: string, env: CommandAgentOptions['env']): void {
  const places = command.includes('/') ? [''] : (env.PATH ?? '').split(delimiter)
  if (places.some((place) => isExecutable(join(place, command)))) return
  const where = command.includes('/') ? '' : ' on PATH'
  throw new SwarmError('BAD_USAGE', `there is no command ${command}${where}, or it may not be executed`)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}
