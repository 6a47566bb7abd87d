import { err, ok, type Result } from '../kernel/index.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { type MessageKind, messageKindOf, rulesOf } from './message-kinds.ts'

/** One message as it stands in a frame: its kind and its body, still encoded. */
export interface RawMessage {
  readonly kind: MessageKind
  readonly body: Uint8Array
}

/** Kind number and length-prefixed body. */
export function writeMessage(writer: ByteWriter, kind: MessageKind, body: Uint8Array): void {
  writer.varint(rulesOf(kind).code)
  writer.varint(body.length)
  writer.raw(body)
}

/** Reads one message; the body is a view into the frame. Unknown kinds and oversized bodies are faults of the reader. */
export function readMessage(reader: ByteReader): RawMessage | undefined {
  const kind = messageKindOf(reader.varint())
  if (reader.failed) return undefined
  if (kind === undefined) {
    reader.fail('an unknown message kind')
    return undefined
  }
  const length = reader.varint()
  if (length > rulesOf(kind).bytesMax) reader.fail(`a ${kind} is longer than it may be`)
  const body = reader.raw(reader.failed ? 0 : length)
  return reader.failed ? undefined : { kind, body }
}

/** Bytes of a message that travels alone (gossip). */
export function encodeMessage(kind: MessageKind, body: Uint8Array): Uint8Array {
  const writer = new ByteWriter(body.length + 8)
  writeMessage(writer, kind, body)
  return writer.finish()
}

export function decodeMessage(bytes: Uint8Array): Result<RawMessage> {
  const reader = new ByteReader(bytes)
  const message = readMessage(reader)
  if (!reader.failed && reader.remaining > 0) reader.fail('bytes are left over')
  return message === undefined || reader.fault !== undefined ? err(reader.fault ?? 'no message') : ok(message)
}
