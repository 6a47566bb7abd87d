import { SwarmError } from '../../src/index.ts'

/**
 * What people and commands write as a payload: JSON if it parses, else text without one newline at its end, else (not
 * UTF-8) bytes.
 */
export function payloadOf(written: Uint8Array, { isText = false } = {}): unknown {
  const text = textOf(written)
  if (text === undefined) return written
  if (isText) return chomped(text)
  try {
    return JSON.parse(text)
  } catch {
    return chomped(text)
  }
}

/**
 * The same of what a person typed, where what was meant as JSON and is not must not pass for a text.
 *
 * @throws SwarmError BAD_USAGE
 */
export function typedPayloadOf(written: Uint8Array, { isText = false } = {}): unknown {
  const payload = payloadOf(written, { isText })
  if (isText || typeof payload !== 'string' || !/^\s*[{["]/.test(payload) || isJson(written)) return payload
  const message = `the input looks like JSON and is not: ${jsonProblem(payload)}; with --text it goes as a text`
  throw new SwarmError('BAD_USAGE', message)
}

/** A payload for the standard input of a command: JSON on a line, or with `isText` texts and bytes as they are. */
export function inputFor(payload: unknown, { isText = false } = {}): Uint8Array | string {
  if (isText && (typeof payload === 'string' || payload instanceof Uint8Array)) return payload
  return `${JSON.stringify(jsonable(payload))}\n`
}

/** A payload for a person, or for the next command in a pipe. */
export function outputText(payload: unknown): Uint8Array | string {
  return typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload)
}

/** As JSON documents have it. */
export function jsonable(payload: unknown): unknown {
  return payload instanceof Uint8Array ? { $bytes: Buffer.from(payload).toString('base64') } : payload
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function chomped(text: string): string {
  return text.replace(/\r?\n$/, '')
}

function isJson(written: Uint8Array): boolean {
  return jsonProblem(new TextDecoder().decode(written)) === undefined
}

function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}
