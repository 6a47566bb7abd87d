import * as fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Latency, latencyOf } from '../figures.ts'

const BLOCK_BYTES = 4_096
const BLOCKS_COUNT = 256

/** The floor of whatever promises to be on disk: one block over another, written and synced at that pace. */
export async function bareSyncs(directory: string, perSecond: number, seconds: number): Promise<Latency> {
  fs.mkdirSync(directory, { recursive: true })
  const file = fs.openSync(join(directory, 'floor'), 'w')
  fs.writeSync(file, Buffer.alloc(BLOCK_BYTES * BLOCKS_COUNT))
  fs.fdatasyncSync(file)
  const block = Buffer.alloc(BLOCK_BYTES, 1)
  const times: number[] = []
  for (let i = 0; i < perSecond * seconds; i++) {
    await delay(1000 / perSecond)
    const startedAt = performance.now()
    fs.writeSync(file, block, 0, BLOCK_BYTES, (i % BLOCKS_COUNT) * BLOCK_BYTES)
    fs.fdatasyncSync(file)
    times.push(performance.now() - startedAt)
  }
  fs.closeSync(file)
  return latencyOf(times)
}
