/**
 * Appends numbered records for as long as it lives and prints how far they are durable; compacts now and then. Killed by
 * `storage-kill.test.ts`. Arguments: the store's directory, a number that tells this life from others.
 */
import { setImmediate } from 'node:timers/promises'
import { openNodeLog } from '../../src/storage/index.ts'

const [directory = '', life = '0'] = process.argv.slice(2)
const { log } = await openNodeLog(directory)
let failure: unknown
log.attach({
  onDurable: (upTo) => process.stdout.write(`${upTo}\n`),
  onFailed: (cause) => {
    failure = cause
  },
})
while (failure === undefined) {
  for (let i = 0; i < 100; i++) log.append(Buffer.from(`${log.lastIndex + 1} ${life} ${'x'.repeat(200)}`))
  if (log.bytesSinceCompaction > 1_500_000) log.compact([Buffer.from(`up to ${log.lastIndex}`)])
  await setImmediate()
  while (log.refusal() !== undefined && failure === undefined) await setImmediate()
}
throw failure
