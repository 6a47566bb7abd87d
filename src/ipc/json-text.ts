import { cutMember } from './cut.ts'
import { JsonScan } from './json-scan.ts'

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** Short payloads share buffers of this size: one of its own costs more than a payload of some hundred bytes. */
const SLAB_BYTES = 8 * 1024
const SHARED_CHARS_MAX = 512
let slab = new Uint8Array(SLAB_BYTES)
let slabUsed = 0

/** UTF-8 of a text, for keeping. */
function bytesOf(json: string): Uint8Array {
  if (json.length > SHARED_CHARS_MAX) return utf8.encode(json)
  if (slabUsed + 3 * json.length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES)
    slabUsed = 0
  }
  const { written } = utf8.encodeInto(json, slab.subarray(slabUsed))
  slabUsed += written
  return slab.subarray(slabUsed - written, slabUsed)
}

/**
 * A JSON value as the text it is: what tasks carry. It crosses the daemon as these bytes and is put into a message as it
 * is, without being read or written again (I-12).
 */
export class JsonText {
  /** UTF-8 of one valid JSON value. */
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Of a value that JSON can say; what is undefined is `null`. */
  static of(value: unknown): JsonText {
    return new JsonText(bytesOf(JSON.stringify(value ?? null)))
  }

  /** The member `line[first][second]` of a valid line as it stands there; `null` when there is none. */
  static cut(line: string, first: string, second: string): JsonText {
    return new JsonText(bytesOf(cutMember(line, first, second) ?? 'null'))
  }

  get text(): string {
    return text.decode(this.bytes)
  }

  /** The value itself, for whoever stringifies what holds it; its text, if stringifying it might take too much stack. */
  toJSON(): unknown {
    const json = this.text
    return isDeep(json) ? json : JSON.parse(json)
  }
}

/** Far more than anybody nests, and far less than what `JSON.stringify` can take. */
const DEPTH_MAX = 500

/** Whether more is open at once than `DEPTH_MAX`; brackets within texts may count too. */
function isDeep(json: string): boolean {
  let depth = 0
  for (let i = 0; i < json.length; i++) {
    const letter = json[i]
    if (letter === '[' || letter === '{') depth += 1
    else if (letter === ']' || letter === '}') depth -= 1
    if (depth > DEPTH_MAX) return true
  }
  return false
}

const strict = new TextDecoder('utf-8', { fatal: true })

/** Whether bytes are one JSON value that can be put into a line as it is: what a peer sends as a payload need not be. */
export function isJsonText(bytes: Uint8Array): boolean {
  if (!new JsonScan(bytes).isOneValue()) return false
  try {
    strict.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** Where messages carry payloads. */
type Carrier = Readonly<{ input?: unknown; output?: unknown; partial?: unknown }>

/** As `JSON.stringify` has it, but a payload, alone or at the top (`input`, `output`, `partial`), is put in as it is. */
export function stringify(value: unknown): string {
  if (value instanceof JsonText) return value.text
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const { input, output, partial } = value as Carrier
  if (output instanceof JsonText) return spliced({ ...value, output: undefined }, 'output', output)
  if (input instanceof JsonText) return spliced({ ...value, input: undefined }, 'input', input)
  if (partial instanceof JsonText) return spliced({ ...value, partial: undefined }, 'partial', partial)
  return JSON.stringify(value)
}

function spliced(rest: object, name: string, payload: JsonText): string {
  const head = JSON.stringify(rest).slice(0, -1)
  return `${head}${head === '{' ? '' : ','}"${name}":${payload.text}}`
}
