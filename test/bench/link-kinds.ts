import type { MessageKindRules } from '../../src/wire/index.ts'

export const PAYLOAD_BYTES = 200
export const BARE_ECHO = '/bench/bare-echo/1'
export const BARE_SINK = '/bench/bare-sink/1'

/** Kinds of the bench alone, given to the drivers in place of the production table. Resumed, like real work. */
const work = {
  via: 'link',
  lane: 'work',
  bytesMax: 1024,
  whenFull: 'refuse',
  delivery: 'resumed',
  perSecondMax: 10_000_000,
  penalty: 1,
} as const

export const BENCH_KINDS = {
  'bench.request': { ...work, code: 1 },
  'bench.reply': { ...work, code: 2 },
  'bench.expect': { ...work, code: 3 },
  'bench.count': { ...work, code: 4 },
} as const satisfies Record<string, MessageKindRules>

export type BenchKind = keyof typeof BENCH_KINDS
