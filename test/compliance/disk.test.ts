import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type Millis, Random } from '../../src/kernel/index.ts'
import { SimDisk } from '../../src/sim/disk.ts'
import { EventQueue } from '../../src/sim/event-queue.ts'
import { NodeDisk } from '../../src/storage/index.ts'
import { diskCompliance } from './disk.ts'

diskCompliance('node:fs', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'swarm-node-disk-'))
  const disk = new NodeDisk(directory)
  return {
    disk,
    waitFor: async (settled) => {
      while (!settled()) await setImmediate()
    },
    close: async () => {
      await disk.close()
      rmSync(directory, { recursive: true })
    },
  }
})

diskCompliance('simulated', async () => {
  const queue = new EventQueue()
  return {
    disk: new SimDisk(queue, new Random('compliance')),
    waitFor: async (settled) => queue.run((queue.now + 1000) as Millis, settled),
    close: async () => undefined,
  }
})
