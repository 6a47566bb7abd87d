import { expect, it, vi } from 'vitest'
import type { Millis, WallMillis } from '../../src/kernel/index.ts'
import { LoadMeter } from '../../src/runtime/load.ts'

it('a host on which no more files can be opened is measured all the same', () => {
  const meter = new LoadMeter({ now: () => 0 as Millis, wallNow: () => 0 as WallMillis })
  const { rssBytes } = meter.sample()
  expect(rssBytes).toBeGreaterThan(0)
  const rss = vi.spyOn(process.memoryUsage, 'rss').mockImplementation(() => {
    throw Object.assign(new Error('too many open files, uv_resident_set_memory'), { code: 'EMFILE' })
  })
  expect(meter.sample().rssBytes).toBe(rssBytes)
  rss.mockRestore()
})
