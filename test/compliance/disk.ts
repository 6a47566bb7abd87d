import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DiskFault, DiskOp, DiskPort } from '../../src/wire/index.ts'

/** One disk and how to make its time pass. */
export interface DiskUnderTest {
  readonly disk: DiskPort
  /** Resolves when `settled` says so; for a simulated disk virtual time passes meanwhile. */
  waitFor(settled: () => boolean): Promise<void>
  close(): Promise<void>
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** What every disk must do, real or simulated: the log relies on it (src/wire/disk-port.ts). */
export function diskCompliance(name: string, make: () => Promise<DiskUnderTest>): void {
  describe(`disk: ${name}`, () => {
    let under: DiskUnderTest
    beforeEach(async () => {
      under = await make()
    })
    afterEach(() => under.close())

    async function run(op: DiskOp): Promise<DiskFault | undefined> {
      const outcome: { fault?: DiskFault | undefined }[] = []
      under.disk.submit(op, (fault) => outcome.push({ fault }))
      expect(outcome, 'done was called from inside submit').toEqual([])
      await under.waitFor(() => outcome.length > 0)
      expect(outcome.length).toBe(1)
      return outcome[0]?.fault
    }

    const content = (file: string): number[] => {
      const read = under.disk.read(file)
      if (!read.ok) throw new Error(read.error.message)
      return [...read.value]
    }

    it('creates a file of zeros, and replaces one of that name', async () => {
      expect(await run({ kind: 'create', file: 'a', bytes: 5 })).toBeUndefined()
      expect(content('a')).toEqual([0, 0, 0, 0, 0])
      await run({ kind: 'write', file: 'a', offset: 0, bytes: bytes(1, 2), sync: false })
      expect(await run({ kind: 'create', file: 'a', bytes: 1 })).toBeUndefined()
      expect(content('a')).toEqual([0])
    })

    it.each([false, true])('writes in the middle and past the end (sync %s)', async (sync) => {
      await run({ kind: 'create', file: 'a', bytes: 3 })
      expect(await run({ kind: 'write', file: 'a', offset: 1, bytes: bytes(7), sync })).toBeUndefined()
      expect(await run({ kind: 'write', file: 'a', offset: 4, bytes: bytes(9), sync })).toBeUndefined()
      expect(content('a')).toEqual([0, 7, 0, 0, 9])
    })

    it('syncs a file and the directory', async () => {
      await run({ kind: 'create', file: 'a', bytes: 3 })
      expect(await run({ kind: 'sync', file: 'a' })).toBeUndefined()
      expect(await run({ kind: 'sync-directory' })).toBeUndefined()
    })

    it('renames over an existing file, and goes on with the content that moved', async () => {
      await run({ kind: 'create', file: 'a', bytes: 1 })
      await run({ kind: 'create', file: 'b', bytes: 2 })
      await run({ kind: 'write', file: 'b', offset: 0, bytes: bytes(5), sync: true })
      expect(await run({ kind: 'rename', from: 'b', to: 'a' })).toBeUndefined()
      expect(await run({ kind: 'write', file: 'a', offset: 1, bytes: bytes(6), sync: true })).toBeUndefined()
      expect(content('a')).toEqual([5, 6])
      expect(under.disk.list()).toEqual({ ok: true, value: [{ file: 'a', bytes: 2 }] })
    })

    it('removes', async () => {
      await run({ kind: 'create', file: 'a', bytes: 1 })
      expect(await run({ kind: 'remove', file: 'a' })).toBeUndefined()
      expect(under.disk.list()).toEqual({ ok: true, value: [] })
    })

    it('lists in order of name', async () => {
      for (const file of ['b', 'c', 'a']) await run({ kind: 'create', file, bytes: 1 })
      const listed = under.disk.list()
      expect(listed.ok && listed.value.map((entry) => entry.file)).toEqual(['a', 'b', 'c'])
    })

    it('says what is missing as a fault, never as a throw', async () => {
      const missing: DiskOp[] = [
        { kind: 'write', file: 'x', offset: 0, bytes: bytes(1), sync: true },
        { kind: 'write', file: 'x', offset: 0, bytes: bytes(1), sync: false },
        { kind: 'sync', file: 'x' },
        { kind: 'rename', from: 'x', to: 'y' },
        { kind: 'remove', file: 'x' },
      ]
      for (const op of missing) expect((await run(op))?.kind, op.kind).toBe('failed')
      expect(under.disk.read('x').ok).toBe(false)
    })

    it('does operations that are in flight together all, each once', async () => {
      await run({ kind: 'create', file: 'a', bytes: 64 })
      let done = 0
      for (let offset = 0; offset < 64; offset++) {
        under.disk.submit(
          { kind: 'write', file: 'a', offset, bytes: bytes(offset), sync: offset % 8 === 0 },
          (fault) => {
            expect(fault).toBeUndefined()
            done += 1
          },
        )
      }
      await under.waitFor(() => done === 64)
      expect(content('a')).toEqual(Array.from({ length: 64 }, (_, offset) => offset))
    })

    it('calls once after the turn, not within it', async () => {
      let calls = 0
      under.disk.afterTurn(() => {
        calls += 1
      })
      expect(calls).toBe(0)
      await under.waitFor(() => calls > 0)
      expect(calls).toBe(1)
    })
  })
}
