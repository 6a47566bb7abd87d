import { SwarmError } from '../src/index.ts'
import { LOG_LEVELS, type LogLevel } from './log.ts'
import type { StartOptions } from './start-options.ts'

/** What the daemon goes by. */
export interface Settings {
  readonly start: StartOptions
  readonly http: string | undefined
  /** Demanded on the socket when it is shared. */
  readonly token: string | undefined
  readonly logLevel: LogLevel
  readonly logModules: Readonly<Record<string, LogLevel>>
  /** Standard error when there is none. */
  readonly logFile: string | undefined
}

/** @throws SwarmError BAD_CONFIGURATION with every problem */
export async function resolveSettings(
  start: StartOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Settings> {
  const level = env.SWARM_NODE_LOG_LEVEL ?? 'info'
  if (!isLevel(level)) {
    const message = `SWARM_NODE_LOG_LEVEL is ${JSON.stringify(level)}; it is one of ${LOG_LEVELS.join(', ')}`
    throw new SwarmError('BAD_CONFIGURATION', message)
  }
  return { start, http: start.http, token: env.SWARM_NODE_TOKEN, logLevel: level, logModules: {}, logFile: undefined }
}

function isLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text)
}
