import type { WriteStream } from 'node:tty'
import pc from 'picocolors'
import { visibleDocument, visibleLayout, visibleText } from '../visible-text.ts'
import { createLine, createMeter, type Line, type Meter } from './meter.ts'

export type Colours = ReturnType<typeof pc.createColors>

const ROWS_DEFAULT = 30

/**
 * Where a command writes (spec/interfaces.md, "Command line"): with `--json` standard output carries JSON and nothing
 * else; words for people go to standard error. Without it, results go to standard output as text.
 */
export interface Terminal {
  readonly json: boolean
  readonly colours: Colours
  /** Without end when nobody looks: nothing is cut for a program. */
  readonly columns: number
  readonly rows: number
  /** Whether a person sees what is said; if not, only what matters to a log is said. */
  readonly isWatched: boolean
  /** Whether results are drawn on a screen that can be drawn anew. */
  readonly isScreen: boolean
  /**
   * The command's result: one JSON document, or its text, made of the document as it may be shown: what others said in
   * it cannot control the terminal or tear a line. Of a stream: one line of either. `write` is for documents with payloads
   * in them, which JSON.stringify would change (I-12).
   */
  result<T>(document: T, text: (shown: T) => string, write?: (document: T) => string): void
  /** A payload that was asked for, in place of a text: as it is for a program, harmless on a terminal. */
  payload<T>(document: T, payload: string | Uint8Array, write?: (document: T) => string): void
  /** A word to the person at the screen; never part of the result. What others said in it goes through `visibleText`. */
  say(text: string): void
  /** Progress of long work: a bar on a terminal, nothing elsewhere. */
  meter(label: string, total: number): Meter
  /** A line that is written anew in its place: on a terminal, nothing elsewhere. */
  line(): Line
}

export function openTerminal(json: boolean, env: Readonly<Record<string, string | undefined>> = process.env): Terminal {
  const colours = pc.createColors(wantsColours(process.stdout, env))
  return {
    json,
    colours,
    columns: process.stdout.columns ?? Number.POSITIVE_INFINITY,
    rows: process.stdout.rows ?? ROWS_DEFAULT,
    isWatched: process.stderr.isTTY === true,
    isScreen: process.stdout.isTTY === true && env.TERM !== 'dumb',
    result: (document, text, write = JSON.stringify) => {
      const shown = json ? write(document) : visibleLayout(text(visibleDocument(document)), colours.isColorSupported)
      process.stdout.write(`${shown}\n`)
    },
    payload: (document, payload, write = JSON.stringify) => {
      const shown = json ? write(document) : shownPayload(payload, process.stdout.isTTY === true)
      process.stdout.write(typeof shown === 'string' ? `${shown}\n` : shown)
    },
    say: (text) => {
      process.stderr.write(`${visibleLayout(text, colours.isColorSupported)}\n`)
    },
    line: () => createLine(process.stderr, wantsColours(process.stderr, env)),
    meter: (label, total) => createMeter(process.stderr, label, total, wantsColours(process.stderr, env)),
  }
}

/** What a program reads it gets byte by byte; a person sees what is in it. */
export function shownPayload(payload: string | Uint8Array, isTerminal: boolean): string | Uint8Array {
  if (!isTerminal) return payload
  return visibleText(typeof payload === 'string' ? payload : new TextDecoder().decode(payload), '\n\t')
}

/** Colours only on a terminal that can show them, and never against `NO_COLOR` (no-color.org). */
export function wantsColours(stream: Partial<WriteStream>, env: Readonly<Record<string, string | undefined>>): boolean {
  return stream.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
}
