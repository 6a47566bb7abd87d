import type { Random } from '../../src/kernel/index.ts'

/** Bytes and numbers at which decoders change their mind. */
const EDGE_BYTES = [0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xc0, 0xed, 0xfe, 0xff]
const EDGE_LENGTHS = [
  [0x00],
  [0x80, 0x00],
  [0x80, 0x01],
  [0xff, 0x7f],
  [0x80, 0x80, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x00, 0x00, 0x00, 0x00],
  [0x7f, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x7f, 0xf8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01],
]

type Mutation = (random: Random, input: Uint8Array, other: Uint8Array) => Uint8Array

const flipBits: Mutation = (random, input) => {
  const mutated = input.slice()
  const flips = 1 + random.below(8)
  for (let i = 0; i < flips && mutated.length > 0; i++) {
    const at = random.below(mutated.length)
    mutated[at] = (mutated[at] ?? 0) ^ (1 << random.below(8))
  }
  return mutated
}

const setEdgeByte: Mutation = (random, input) =>
  input.length === 0 ? input : input.with(random.below(input.length), random.pick(EDGE_BYTES))

const truncate: Mutation = (random, input) => input.slice(0, random.below(input.length + 1))

const extend: Mutation = (random, input) => join(input, randomBytes(random, 1 + random.below(32)))

/** The attack on lengths: some bytes make place for a number that promises more than there is, or is spelled long. */
const plantLength: Mutation = (random, input) => {
  const at = random.below(input.length + 1)
  const dropped = random.below(Math.min(9, input.length - at + 1))
  return join(input.subarray(0, at), Uint8Array.from(random.pick(EDGE_LENGTHS)), input.subarray(at + dropped))
}

const repeatChunk: Mutation = (random, input) => {
  const [from, to] = range(random, input.length)
  const copies = 1 + random.below(4)
  const chunk = input.subarray(from, to)
  return join(input.subarray(0, to), ...Array.from({ length: copies }, () => chunk), input.subarray(to))
}

const removeChunk: Mutation = (random, input) => {
  const [from, to] = range(random, input.length)
  return join(input.subarray(0, from), input.subarray(to))
}

const splice: Mutation = (random, input, other) => {
  const [from, to] = range(random, other.length)
  const at = random.below(input.length + 1)
  const dropped = random.chance(0.5) ? to - from : 0
  return join(input.subarray(0, at), other.subarray(from, to), input.subarray(at + dropped))
}

const crossOver: Mutation = (random, input, other) =>
  join(input.subarray(0, random.below(input.length + 1)), other.subarray(random.below(other.length + 1)))

const noise: Mutation = (random) => randomBytes(random, random.below(64))

const MUTATIONS: readonly Mutation[] = [
  flipBits,
  setEdgeByte,
  truncate,
  extend,
  plantLength,
  plantLength,
  repeatChunk,
  removeChunk,
  splice,
  crossOver,
  noise,
]

/** One to four mutations, one upon the other. `other` is a second valid encoding, of this target or of another. */
export function mutate(random: Random, input: Uint8Array, other: Uint8Array, bytesMax: number): Uint8Array {
  let mutated = input
  const rounds = 1 + random.below(4)
  for (let i = 0; i < rounds; i++) mutated = random.pick(MUTATIONS)(random, mutated, other)
  return mutated.slice(0, bytesMax)
}

function range(random: Random, length: number): readonly [number, number] {
  const from = random.below(length + 1)
  return [from, from + random.below(Math.min(64, length - from) + 1)]
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256))
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
