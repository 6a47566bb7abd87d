import { dirname } from 'node:path'
import pc from 'picocolors'
import { type DestinationStream, type Level, type Logger as PinoLogger, pino } from 'pino'
import { makeDirectory, SwarmError } from '../src/index.ts'
import { LineSink } from './line-sink.ts'
import { visibleText } from './visible-text.ts'

export type Logger = PinoLogger

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogOptions {
  readonly level: LogLevel
  /** Levels that differ for single modules, by the module's name. */
  readonly modules?: Readonly<Record<string, LogLevel>> | undefined
  /** Where lines go: a file's path, or standard error. */
  readonly to: { readonly file: string } | 'stderr'
  /** On standard error: lines for people instead of JSON. */
  readonly pretty?: boolean | undefined
  readonly colours?: boolean | undefined
}

/** One logger per module, all writing to one place; lines of a module below its level are not even made. */
export interface Log {
  module(name: string): Logger
}

/** @throws SwarmError BAD_CONFIGURATION when the file cannot be opened */
export function openLog(options: LogOptions): Log {
  const root = pino({ base: null, level: 'trace', timestamp: pino.stdTimeFunctions.isoTime }, openSink(options))
  const modules = new Map<string, Logger>()
  return {
    module(name) {
      const known = modules.get(name)
      if (known !== undefined) return known
      const made = root.child({ module: name }, { level: options.modules?.[name] ?? options.level })
      modules.set(name, made)
      return made
    },
  }
}

const STDERR = 2

function openSink(options: LogOptions): DestinationStream {
  if (options.to !== 'stderr') return openFile(options.to.file)
  const sink = new LineSink(STDERR)
  if (options.pretty !== true) return sink
  const colours = pc.createColors(options.colours === true)
  return { write: (line) => sink.write(prettyLine(line, colours)) }
}

/** @throws SwarmError BAD_CONFIGURATION */
function openFile(file: string): LineSink {
  try {
    makeDirectory(dirname(file))
    return LineSink.toFile(file)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new SwarmError('BAD_CONFIGURATION', `log.file: ${file} cannot be written: ${why}`, { cause })
  }
}

/** One JSON line as a person reads it: time, level, module, message, and what else it carries. */
export function prettyLine(line: string, colours: ReturnType<typeof pc.createColors>): string {
  const { time, level, module, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>
  const label = pino.levels.labels[Number(level)] ?? 'info'
  const fields = Object.entries(rest).map(
    ([key, value]) => `${key}=${visibleText(typeof value === 'string' ? value : JSON.stringify(value))}`,
  )
  const clock = String(time).slice(11, 23)
  const words = [
    colours.dim(clock),
    paint(label as Level, colours)(label.toUpperCase().padEnd(5)),
    colours.cyan(String(module ?? '')),
    visibleText(String(msg ?? '')),
    colours.dim(fields.join(' ')),
  ]
  const stack =
    typeof err === 'object' && err !== null && 'stack' in err ? `\n${visibleText(String(err.stack), '\n')}` : ''
  return `${words.filter((word) => word !== '').join(' ')}${stack}\n`
}

function paint(level: Level, colours: ReturnType<typeof pc.createColors>): (text: string) => string {
  if (level === 'error' || level === 'fatal') return colours.red
  if (level === 'warn') return colours.yellow
  return level === 'info' ? colours.green : colours.dim
}
