/** A text that fits `bytesMax` bytes of UTF-8 and is well formed: what agents and peers say is cut, not refused. */
export function clamp(text: string, bytesMax: number): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed()
  if (whole.length * 3 <= bytesMax) return whole
  let bytes = 0
  for (let i = 0; i < whole.length; i++) {
    const code = whole.charCodeAt(i)
    const isPair = code >= 0xd800 && code < 0xdc00
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : isPair ? 4 : 3
    if (bytes > bytesMax) return whole.slice(0, i)
    if (isPair) i += 1
  }
  return whole
}

/** Length in UTF-8; for checking against a bound. */
export function utf8Length(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const isPair = code >= 0xd800 && code < 0xdc00
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : isPair ? 4 : 3
    if (isPair) i += 1
  }
  return bytes
}
