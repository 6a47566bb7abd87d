import { SwarmError } from '../kernel/index.ts'
import type { DiskFault } from '../wire/index.ts'

/** What a fault of the disk means for whoever runs the node. */
export function storeFailed(fault: DiskFault): SwarmError {
  if (fault.kind === 'full') {
    return new SwarmError('DISK_FULL', `the disk is full: ${fault.message}. Free space and start the node again.`)
  }
  const advice = 'Check the disk before starting the node again: what was not reported durable may be lost.'
  return new SwarmError('STORE_FAILED', `the disk failed: ${fault.message}. ${advice}`)
}
