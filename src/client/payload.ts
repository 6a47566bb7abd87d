/** How bytes cross the socket (spec/interfaces.md): `{"$bytes": "base64…"}`, when they are the whole payload. */
interface WireBytes {
  readonly $bytes: string
}

/** A program's value as the socket carries it. */
export function toPayload(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value
  return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
}

/** What the socket carried, as a program has it. */
export function fromPayload(value: unknown): unknown {
  return isWireBytes(value) ? new Uint8Array(Buffer.from(value.$bytes, 'base64')) : value
}

function isWireBytes(value: unknown): value is WireBytes {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return false
  return typeof (value as Partial<WireBytes>).$bytes === 'string'
}
