/** CRC32C (Castagnoli), reflected polynomial, as in RFC 3720 appendix B.4. */
const POLYNOMIAL = 0x82f63b78

/** Table k moves a byte k places further, so that eight bytes take one step ("slicing by 8", Kounavis and Berry). */
const TABLES: readonly Int32Array[] = Array.from({ length: 8 }, () => new Int32Array(256))
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
]

for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  T0[byte] = crc
}
for (let k = 1; k < 8; k++) {
  const [previous, table] = [TABLES[k - 1] as Int32Array, TABLES[k] as Int32Array]
  for (let byte = 0; byte < 256; byte++) table[byte] = at(T0, at(previous, byte) & 0xff) ^ (at(previous, byte) >>> 8)
}

/** Checksum of `bytes[start, end)`, continued from `seed` (an earlier checksum, or 0). Unsigned 32 bits. */
export function crc32c(bytes: Uint8Array, start = 0, end: number = bytes.length, seed = 0): number {
  let crc = ~seed
  let i = start
  for (; i + 8 <= end; i += 8) {
    const low = crc ^ (at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24))
    crc =
      at(T7, low & 0xff) ^
      at(T6, (low >>> 8) & 0xff) ^
      at(T5, (low >>> 16) & 0xff) ^
      at(T4, low >>> 24) ^
      at(T3, at(bytes, i + 4)) ^
      at(T2, at(bytes, i + 5)) ^
      at(T1, at(bytes, i + 6)) ^
      at(T0, at(bytes, i + 7))
  }
  for (; i < end; i++) crc = at(T0, (crc ^ at(bytes, i)) & 0xff) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** An element that is known to exist; inlined by the engine. */
function at(array: Uint8Array | Int32Array, index: number): number {
  return array[index] as number
}
