import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openNodeLog } from '../../src/storage/index.ts'

const WRITER = fileURLToPath(new URL('./storage-writer.ts', import.meta.url))

/** Lives of the writer, and how many groups each reports before it is killed: enough for rotations and compactions. */
const GROUPS_PER_LIFE = [1, 20, 3, 90, 40]

describe('a log whose process is killed', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'swarm-node-kill-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  /** Runs the writer until it has reported so many groups, kills it, and returns the last index it reported. */
  async function killedAfter(groups: number, life: number): Promise<number> {
    const writer = spawn(process.execPath, [WRITER, directory, String(life)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(writer, 'exit')
    let reported = 0
    let durable = 0
    for await (const line of createInterface({ input: writer.stdout })) {
      durable = Number(line)
      reported += 1
      if (reported === groups) writer.kill('SIGKILL')
    }
    // Its pipe has closed, so it has ended: by us, unless it failed before.
    expect((await exited)[1]).toBe('SIGKILL')
    return durable
  }

  it('S-1: has every record that it reported durable, in order, and nothing else', { timeout: 60_000 }, async () => {
    for (const [life, groups] of GROUPS_PER_LIFE.entries()) {
      const durable = await killedAfter(groups, life)
      const { log, records, close } = await openNodeLog(directory)
      const texts = records.map((record) => new TextDecoder().decode(record))
      const snapshot = /^up to (\d+)$/.exec(texts[0] ?? '')
      const base = Number(snapshot?.[1] ?? 0)
      const numbers = texts.slice(snapshot === null ? 0 : 1).map((text) => Number(text.split(' ')[0]))
      expect(numbers).toEqual(numbers.map((_, i) => base + i + 1))
      expect(log.lastIndex).toBe(base + numbers.length)
      expect(log.lastIndex).toBeGreaterThanOrEqual(durable)
      await close()
    }
  })
})
