/** 32 well mixed bits of a text (FNV-1a, then MurmurHash3's finaliser). Not against forgers: it only spreads. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash)
}

/** Mixes a whole number up to 2^53 into a hash. */
export function hashNumber(hash: number, value: number): number {
  return mix(mix(hash ^ (value >>> 0)) + Math.floor(value / 4294967296))
}

function mix(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
