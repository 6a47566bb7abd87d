/** How bytes cross the socket (spec/interfaces.md): `{"$bytes": "base64…"}`, when they are the whole payload. */
interface WireBytes {
  readonly $bytes: string
}

/** A program's value as the socket carries it. */
export function toPayload(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value
  return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
}

/** What the socket carried, as a program has it. What is no base64 is a value like any other: decoded, most of it would be lost. */
export function fromPayload(value: unknown): unknown {
  if (!isWireBytes(value)) return value
  const text = value.$bytes.replaceAll(/\s/g, '')
  return isBase64(text) ? new Uint8Array(Buffer.from(text, 'base64')) : value
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
}

function isWireBytes(value: unknown): value is WireBytes {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return false
  return typeof (value as Partial<WireBytes>).$bytes === 'string'
}
