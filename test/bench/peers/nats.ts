import { mkdirSync } from 'node:fs'
import { CONSUMER, type Nats, RESULTS, STREAM, TASKS } from './nats-types.ts'
import { installed, load } from './packages.ts'
import { accepts, findProgram, freePorts, Program } from './program.ts'
import { PAYLOAD, Workers, type WorkSystem } from './work-system.ts'

/** Tasks that a worker may have before it has worked on them. Faster here than 100 and 1,000. */
const PENDING = 500
const ACKS_PENDING_MAX = 20_000

/**
 * NATS JetStream, one server: a work queue on files, one durable consumer that two workers pull from, results over plain
 * NATS. It syncs every two minutes, as it comes: less than what it is compared with promises.
 *
 * @throws MissingPeer
 */
export async function startJetStream(directory: string): Promise<WorkSystem> {
  const path = findProgram('nats-server', 'nats-server')
  const folder = await installed('nats')
  mkdirSync(directory, { recursive: true })
  const [port = 0] = await freePorts(1)
  const args = ['-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd', directory]
  const server = await Program.start({
    path,
    args,
    cwd: directory,
    isReady: () => accepts({ port, host: '127.0.0.1' }),
  })
  const connection = await load<Nats>(folder, 'nats').connect({ port })
  const manager = await connection.jetstreamManager()
  await manager.streams.add({ name: STREAM, subjects: [`${TASKS}*`], retention: 'workqueue', storage: 'file' })
  const consumer = { durable_name: CONSUMER, ack_policy: 'explicit', max_ack_pending: ACKS_PENDING_MAX }
  await manager.consumers.add(STREAM, consumer)
  const workers = await Workers.start(new URL('./nats-worker.ts', import.meta.url), [folder, `${port}`, `${PENDING}`])

  const open = new Map<string, () => void>()
  connection.subscribe(`${RESULTS}*`, {
    callback: (_, { subject }) => {
      const id = subject.slice(RESULTS.length)
      const done = open.get(id)
      open.delete(id)
      done?.()
    },
  })
  const stream = connection.jetstream()
  const data = new TextEncoder().encode(JSON.stringify({ text: PAYLOAD }))
  let submitted = 0
  return {
    name: 'JetStream, file',
    submit: (done) => {
      submitted += 1
      open.set(`${submitted}`, done)
      stream.publish(`${TASKS}${submitted}`, data).catch((cause) => {
        throw cause
      })
    },
    stop: async () => {
      workers.kill()
      await connection.close().catch(() => undefined)
      await server.stop()
    },
  }
}
