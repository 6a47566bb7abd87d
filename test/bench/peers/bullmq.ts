import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BullJob, type BullMq, QUEUE, redisAt } from './bullmq-types.ts'
import { installed, load } from './packages.ts'
import { accepts, findProgram, Program } from './program.ts'
import { PAYLOAD, Workers, type WorkSystem } from './work-system.ts'

/** What Redis syncs: every command before it is answered, or what came in each second. */
export type AppendFsync = 'always' | 'everysec'

/** Jobs at once per worker. More than this, and fewer, was slower or the same. */
const CONCURRENCY = 100

/**
 * BullMQ on Redis over a Unix socket. Jobs of one turn of the loop are added in bulk, in one pipeline; results come as
 * events of one stream. Both are faster than job by job, and than waiting for each.
 *
 * @throws MissingPeer
 */
export async function startBullMq(directory: string, appendfsync: AppendFsync): Promise<WorkSystem> {
  const path = findProgram('redis-server', 'redis-server')
  const folder = await installed('bullmq')
  mkdirSync(directory, { recursive: true })
  const socket = join(directory, 'redis.sock')
  const args = ['--port', '0', '--unixsocket', socket, '--dir', directory, '--save', '']
  const durable = ['--appendonly', 'yes', '--appendfsync', appendfsync]
  const redis = await Program.start({
    path,
    args: [...args, ...durable],
    cwd: directory,
    isReady: () => accepts({ path: socket }),
  })
  const workers = await Workers.start(new URL('./bullmq-worker.ts', import.meta.url), [
    folder,
    socket,
    `${CONCURRENCY}`,
  ])
  const { Queue, QueueEvents } = load<BullMq>(folder, 'bullmq')
  const queue = new Queue(QUEUE, { connection: redisAt(socket) })
  const events = new QueueEvents(QUEUE, { connection: redisAt(socket) })
  for (const part of [queue, events]) part.on('error', () => undefined)
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])

  const open = new Map<string, () => void>()
  events.on('completed', ({ jobId }) => {
    const done = open.get(jobId)
    open.delete(jobId)
    done?.()
  })
  let jobs: BullJob[] = []
  let submitted = 0
  const add = (): void => {
    const bulk = jobs
    jobs = []
    queue.addBulk(bulk).catch(fail)
  }
  return {
    name: `BullMQ, ${appendfsync}`,
    submit: (done) => {
      submitted += 1
      const jobId = `j${submitted}`
      open.set(jobId, done)
      if (jobs.length === 0) setImmediate(add)
      jobs.push({ name: 'noop', data: { text: PAYLOAD }, opts: { jobId, removeOnComplete: true } })
    },
    stop: async () => {
      workers.kill()
      await Promise.allSettled([queue.disconnect(), events.disconnect()])
      await redis.stop()
    },
  }
}

function fail(cause: unknown): void {
  throw cause
}
