import { type BullMq, QUEUE, redisAt } from './bullmq-types.ts'
import { load } from './packages.ts'

/** `bullmq-worker.ts PACKAGES SOCKET CONCURRENCY`: gives every job back as its own result. */
const [, , folder = '', socket = '', concurrency = ''] = process.argv
const { Worker } = load<BullMq>(folder, 'bullmq')
const worker = new Worker(QUEUE, async (job) => job.data, {
  connection: redisAt(socket),
  concurrency: Number(concurrency),
})
worker.on('error', () => undefined)
await worker.waitUntilReady()
process.send?.('ready')
