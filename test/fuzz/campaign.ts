import { performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { Random } from '../../src/kernel/index.ts'
import { mutate } from './mutate.ts'
import { type FuzzTarget, MEMORY_BYTES_BASE } from './target.ts'

/** F-3. Decoding costs microseconds; this is what no honest machine needs even when it is busy. */
export const INPUT_MS_MAX = 50
/** A one-byte list item can become an object of some dozens of fields; nothing becomes more. */
export const MEMORY_BYTES_PER_BYTE = 1024

/** Runs of a suspicious input, of which the cheapest counts. */
const SUSPICIOUS_RUNS = 5
/** Inputs that were accepted and join the valid ones as a start for others. */
const LEARNT_MAX = 64
const MUTATED_BYTES_MAX = 64 * 1024
/** How often one is taken as it is, starts are mixed across targets, and how long between two reports. */
const UNCHANGED_RATIO = 0.01
const FOREIGN_RATIO = 0.1
const REPORT_EVERY_COUNT = 5000

export interface Finding {
  readonly target: string
  /** Hex. */
  readonly input: string
  readonly what: string
}

export interface CampaignResult {
  readonly inputCount: number
  readonly acceptedCount: number
  readonly targetCount: number
  readonly finding: Finding | undefined
}

export interface CampaignOptions {
  readonly targets: readonly FuzzTarget[]
  readonly inputCount: number
  readonly seed: string
  readonly onProgress?: (inputCount: number) => void
}

interface Corpus {
  readonly target: FuzzTarget
  readonly valid: Uint8Array[]
  readonly random: Random
}

/** Feeds mutated inputs to all targets in turn, weighted, and stops at the first finding. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const unhandled = watchRejections()
  const random = new Random(`fuzz/${options.seed}`)
  const corpora = options.targets.map((target) => ({
    target,
    // Copies, and no Buffers, whose slices would be views: a mutation must not change the sample itself.
    valid: target.samples.map((sample) => new Uint8Array(sample)),
    random: random.fork(target.name),
  }))
  const turns = corpora.flatMap((corpus) => Array.from({ length: corpus.target.weight }, () => corpus))
  let acceptedCount = 0
  let finding: Finding | undefined
  let inputCount = 0
  for (; inputCount < options.inputCount && finding === undefined; inputCount++) {
    const corpus = turns[inputCount % turns.length] as Corpus
    const input = draw(corpus, corpora)
    const judged = judge(corpus.target, input)
    if (judged.accepted) {
      acceptedCount += 1
      if (corpus.valid.length < corpus.target.samples.length + LEARNT_MAX) corpus.valid.push(input)
    }
    if (judged.fault !== undefined) finding = findingOf(corpus.target, input, judged.fault)
    if (inputCount % REPORT_EVERY_COUNT === 0) {
      options.onProgress?.(inputCount)
      // Lets rejections surface close to the input that caused them.
      await new Promise((resolve) => setImmediate(resolve))
      const last = unhandled.seen()
      if (last !== undefined) finding ??= findingOf(corpus.target, input, `an unhandled rejection before it: ${last}`)
    }
  }
  unhandled.stop()
  return { inputCount, acceptedCount, targetCount: corpora.length, finding }
}

function draw(corpus: Corpus, corpora: readonly Corpus[]): Uint8Array {
  const { random, target, valid } = corpus
  const base = random.pick(valid)
  if (random.chance(UNCHANGED_RATIO)) return base
  const others = random.chance(FOREIGN_RATIO) ? random.pick(corpora).target.samples : valid
  return mutate(random, base, random.pick(others), Math.min(target.bytesMax, MUTATED_BYTES_MAX))
}

export interface Judged {
  readonly accepted: boolean
  readonly fault: string | undefined
}

/** F-1 to F-3 for one input. */
export function judge(target: FuzzTarget, input: Uint8Array): Judged {
  const memoryMax = (target.memoryBytesBase ?? MEMORY_BYTES_BASE) + MEMORY_BYTES_PER_BYTE * input.length
  let ms = Number.POSITIVE_INFINITY
  let memory = Number.POSITIVE_INFINITY
  for (let i = 0; i < SUSPICIOUS_RUNS && (ms > INPUT_MS_MAX || memory > memoryMax); i++) {
    const heapBefore = heapBytes()
    const startedAt = performance.now()
    let outcome: Uint8Array | 'accepted' | undefined
    try {
      outcome = target.attempt(input)
    } catch (error) {
      return { accepted: false, fault: `it throws: ${error instanceof Error ? error.stack : String(error)}` }
    }
    ms = Math.min(ms, performance.now() - startedAt)
    memory = Math.min(memory, heapBytes() - heapBefore)
    if (outcome instanceof Uint8Array && !sameBytes(outcome, input)) {
      return { accepted: true, fault: `it accepts what it would write as ${hexOf(outcome)}` }
    }
    if (ms <= INPUT_MS_MAX && memory <= memoryMax) return { accepted: outcome !== undefined, fault: undefined }
  }
  const cost =
    ms > INPUT_MS_MAX ? `${Math.round(ms)} ms (at most ${INPUT_MS_MAX})` : `${memory} bytes (at most ${memoryMax})`
  return { accepted: false, fault: `it costs ${cost}` }
}

function findingOf(target: FuzzTarget, input: Uint8Array, what: string): Finding {
  return { target: target.name, input: hexOf(input), what }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function heapBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}

function watchRejections(): { seen(): string | undefined; stop(): void } {
  let last: string | undefined
  const note = (reason: unknown): void => {
    last = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
  }
  process.on('unhandledRejection', note)
  return { seen: () => last, stop: () => process.off('unhandledRejection', note) }
}
