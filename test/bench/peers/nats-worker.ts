import { CONSUMER, type Nats, RESULTS, STREAM, TASKS } from './nats-types.ts'
import { load } from './packages.ts'

/** `nats-worker.ts PACKAGES PORT PENDING`: gives every task back as its own result. */
const [, , folder = '', port = '', pending = ''] = process.argv
const connection = await load<Nats>(folder, 'nats').connect({ port: Number(port) })
const consumer = await connection.jetstream().consumers.get(STREAM, CONSUMER)
const messages = await consumer.consume({ max_messages: Number(pending) })
await connection.flush()
process.send?.('ready')
for await (const message of messages) {
  connection.publish(RESULTS + message.subject.slice(TASKS.length), message.data)
  message.ack()
}
