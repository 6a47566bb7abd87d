import * as fs from 'node:fs'
import { join } from 'node:path'
import type { WorkSystem } from '../peers/work-system.ts'

const BLOCK_BYTES = 4_096
const BLOCKS_COUNT = 256

/**
 * The floor of whatever promises to be on disk: one block over another, written and synced. Driven as the systems are, each
 * at its time: where the disk stands still for a while, that meets all that come meanwhile.
 */
export function bareSyncs(directory: string): Pick<WorkSystem, 'name' | 'submit' | 'stop'> {
  fs.mkdirSync(directory, { recursive: true })
  const file = fs.openSync(join(directory, 'floor'), 'w')
  fs.writeSync(file, Buffer.alloc(BLOCK_BYTES * BLOCKS_COUNT))
  fs.fdatasyncSync(file)
  const block = Buffer.alloc(BLOCK_BYTES, 1)
  let written = 0
  return {
    name: 'write and fdatasync',
    submit: (done) => {
      written += 1
      fs.write(file, block, 0, BLOCK_BYTES, (written % BLOCKS_COUNT) * BLOCK_BYTES, (failed) => {
        if (failed) throw failed
        fs.fdatasync(file, (cause) => {
          if (cause) throw cause
          done()
        })
      })
    },
    stop: async () => fs.closeSync(file),
  }
}
