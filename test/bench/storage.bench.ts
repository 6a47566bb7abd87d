import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type NodeLog, openNodeLog } from '../../src/storage/index.ts'

/**
 * Durable records/s of the log against a bare write and fdatasync, alternating in one run.
 * Argument: a directory on the disk to measure (the default is the system's temporary directory).
 */

const RECORD_BYTES = 200
const GROUPS = [1, 10, 100, 1000] as const
/** Rounds alternate between the subjects, so that a slow moment of the disk hits all; the median round counts. */
const ROUNDS_COUNT = 7
const ROUND_MS = 250
/** As large as the log's segments, so that the preallocated floor starts anew as often as the log rotates. */
const PREALLOCATED_BYTES = 16 * 1024 * 1024

/** Makes one group of records durable. */
type Commit = (records: number) => Promise<void>

interface Subject {
  readonly name: string
  readonly commit: Commit
  readonly close: () => Promise<void> | void
}

async function main(args: readonly string[]): Promise<void> {
  const directory = fs.mkdtempSync(join(args[0] ?? tmpdir(), 'swarm-node-bench-'))
  const subjects = [
    bare('bare, growing file', join(directory, 'growing'), 0),
    bare('bare, preallocated', join(directory, 'preallocated'), PREALLOCATED_BYTES),
    await log('log', join(directory, 'log')),
  ]
  console.log(
    `node ${process.version}, ${process.platform} ${process.arch}, ${RECORD_BYTES}-byte records in ${directory}`,
  )
  console.log(`records/s: median of ${ROUNDS_COUNT} rounds; times: one group committed after the other`)
  try {
    for (const group of GROUPS) await compare(subjects, group)
  } finally {
    for (const subject of subjects) await subject.close()
    fs.rmSync(directory, { recursive: true })
  }
}

async function compare(subjects: readonly Subject[], group: number): Promise<void> {
  console.log(`\n${'group of'.padStart(8)} ${group}`.padEnd(24), 'records/s  of growing   p50 µs   p99 µs')
  const rates = subjects.map((): number[] => [])
  const times = subjects.map((): number[] => [])
  for (let round = 0; round < ROUNDS_COUNT; round++) {
    for (const [i, subject] of subjects.entries()) {
      rates[i]?.push(await roundRate(subject.commit, group, times[i] ?? []))
    }
  }
  const floor = median(rates[0] ?? [])
  for (const [i, subject] of subjects.entries()) {
    const rate = median(rates[i] ?? [])
    const sorted = (times[i] ?? []).sort((a, b) => a - b)
    const at = (share: number): string => ((sorted[Math.floor(sorted.length * share)] ?? 0) * 1000).toFixed(0)
    const figures = [Math.round(rate).toString().padStart(9), `${(rate / floor).toFixed(2)}x`.padStart(11)]
    console.log(`  ${subject.name.padEnd(22)}`, ...figures, at(0.5).padStart(8), at(0.99).padStart(8))
  }
}

async function roundRate(commit: Commit, group: number, times: number[]): Promise<number> {
  const startedAt = performance.now()
  let records = 0
  let now = startedAt
  while (now - startedAt < ROUND_MS) {
    await commit(group)
    const before = now
    now = performance.now()
    times.push(now - before)
    records += group
  }
  return (records * 1000) / (now - startedAt)
}

/** The floor: nothing but the bytes, written and synced. */
function bare(name: string, path: string, preallocatedBytes: number): Subject {
  const file = fs.openSync(path, 'w+')
  const preallocate = (): void => {
    fs.writeSync(file, Buffer.alloc(preallocatedBytes), 0, preallocatedBytes, 0)
    fs.fdatasyncSync(file)
  }
  if (preallocatedBytes > 0) preallocate()
  let offset = 0
  const commit = async (records: number): Promise<void> => {
    const bytes = Buffer.alloc(records * RECORD_BYTES, 1)
    if (preallocatedBytes > 0 && offset + bytes.length > preallocatedBytes) offset = 0
    await new Promise<void>((resolve, reject) => {
      fs.write(file, bytes, 0, bytes.length, offset, (writeError) => {
        if (writeError !== null) reject(writeError)
        else fs.fdatasync(file, (error) => (error === null ? resolve() : reject(error)))
      })
    })
    offset += bytes.length
  }
  return { name, commit, close: () => fs.closeSync(file) }
}

async function log(name: string, path: string): Promise<Subject> {
  fs.mkdirSync(path)
  const opened: NodeLog = await openNodeLog(path)
  let target = 0
  let durable: () => void = () => undefined
  opened.log.attach({
    onDurable: (upTo) => {
      if (upTo >= target) durable()
    },
    onFailed: (cause) => {
      throw cause
    },
  })
  const record = new Uint8Array(RECORD_BYTES).fill(1)
  const commit = (records: number): Promise<void> =>
    new Promise((resolve) => {
      durable = resolve
      for (let i = 0; i < records; i++) target = opened.log.append(record)
      // So that the bench's own disk stays small; the cost of compaction is part of the figure.
      if (opened.log.bytesSinceCompaction > 256 * 1024 * 1024) opened.log.compact([record])
    })
  return { name, commit, close: opened.close }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

if (import.meta.main) await main(process.argv.slice(2))
