import { fromPayload, JsonText, SwarmError } from '../../src/index.ts'

/*
 * What is JSON is looked at, and passed on as it is written: no number, order or repetition of keys is touched (I-12).
 */

/** JSON, a text, or bytes. */
type Payload = JsonText | string | Uint8Array

/**
 * What people and commands write as a payload: JSON if it parses, else text without one newline at its end, else (not
 * UTF-8) bytes.
 */
export function payloadOf(written: Uint8Array, { isText = false } = {}): Payload {
  const text = textOf(written)
  if (text === undefined) return written
  return isText || jsonProblem(text) !== undefined ? chomped(text) : new JsonText(Buffer.from(onOneLine(text)))
}

/**
 * The same of what a person typed, where what was meant as JSON and is not must not pass for a text.
 *
 * @throws SwarmError BAD_USAGE
 */
export function typedPayloadOf(written: Uint8Array, { isText = false } = {}): Payload {
  const payload = payloadOf(written, { isText })
  if (isText || typeof payload !== 'string' || !/^\s*[{["]/.test(payload)) return payload
  const message = `the input looks like JSON and is not: ${jsonProblem(payload)}; with --text it goes as a text`
  throw new SwarmError('BAD_USAGE', message)
}

/** A payload for the standard input of a command: JSON on a line, or with `isText` texts and bytes as they are. */
export function inputFor(payload: JsonText, { isText = false } = {}): Uint8Array | string {
  return (isText ? plainOf(payload) : undefined) ?? `${payload.text}\n`
}

/** A payload for a person, or for the next command in a pipe. */
export function outputText(payload: JsonText): Uint8Array | string {
  return plainOf(payload) ?? payload.text
}

/** What needs no JSON: a text or bytes. */
function plainOf(payload: JsonText): Uint8Array | string | undefined {
  const value = fromPayload(JSON.parse(payload.text))
  return typeof value === 'string' || value instanceof Uint8Array ? value : undefined
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

/** The same JSON: in a string a line never breaks, so that what does is blank. */
function onOneLine(json: string): string {
  return json.trim().replace(/[\r\n][ \t\r\n]*/g, '')
}

function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}
