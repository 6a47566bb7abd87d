import fs from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NodeDisk } from '../../../src/storage/index.ts'
import type { DiskFault, DiskOp } from '../../../src/wire/index.ts'

const { open } = fs

describe('S-14 a process that can open no more files', () => {
  let directory: string
  let disk: NodeDisk
  /** So many openings from now on fail. */
  let refusals: number
  let tries: number

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'swarm-disk-'))
    disk = new NodeDisk(directory)
    refusals = 0
    tries = 0
    fs.open = ((...args: Parameters<typeof open>) => {
      tries += 1
      if (refusals-- <= 0) return open(...args)
      const done = args.at(-1) as unknown as (error: NodeJS.ErrnoException) => void
      queueMicrotask(() => done(Object.assign(new Error('EMFILE: too many open files, open'), { code: 'EMFILE' })))
    }) as typeof open
    syncBuiltinESMExports()
    vi.useFakeTimers({ toFake: ['setTimeout'] })
  })

  afterEach(async () => {
    vi.useRealTimers()
    fs.open = open
    syncBuiltinESMExports()
    await disk.close()
    await rm(directory, { recursive: true })
  })

  const submit = (op: DiskOp): Promise<DiskFault | undefined> => new Promise((done) => disk.submit(op, done))

  /** As {@link submit}, with the time that it waits for passed over. */
  async function outcome(op: DiskOp): Promise<DiskFault | undefined> {
    const submitted = submit(op)
    await vi.advanceTimersByTimeAsync(60_000)
    return submitted
  }

  it('goes on once it can: whatever it was about to open', async () => {
    refusals = 3
    expect(await outcome({ kind: 'create', file: 'a', bytes: 3 })).toBeUndefined()
    refusals = 3
    expect(
      await outcome({ kind: 'write', file: 'a', offset: 0, bytes: Buffer.from('abc'), sync: true }),
    ).toBeUndefined()
    refusals = 3
    expect(await outcome({ kind: 'sync-directory' })).toBeUndefined()
    expect(tries).toBe(12)
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('abc')
  })

  it('fails after half a minute, and says what to do', async () => {
    refusals = Infinity
    const fault = await outcome({ kind: 'create', file: 'a', bytes: 3 })
    expect(fault?.kind).toBe('failed')
    expect(fault?.message).toBe(
      'create: EMFILE: too many open files, open (allow more with ulimit -n, or LimitNOFILE in a unit file)',
    )
    expect(tries).toBe(300)
  })

  it('does not wait for what no time mends', async () => {
    const fault = await submit({ kind: 'write', file: 'none', offset: 0, bytes: Buffer.from('abc'), sync: true })
    expect(fault?.kind).toBe('failed')
    expect(tries).toBe(1)
  })
})
