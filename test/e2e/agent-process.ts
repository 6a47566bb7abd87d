/**
 * An agent in a process of its own: `node agent-process.ts SOCKET NAME SKILL [HEARTBEAT_MS]` answers every task with its
 * own name, after it has said which it is.
 */
import { connect } from 'node:net'
import { ClientCodec, type RunParams } from '../../src/index.ts'

const [, , socketPath = '', name = '', skill = '', heartbeatMs] = process.argv
const codec = new ClientCodec()
const socket = connect(socketPath)
socket.write(codec.request('hello', { protocol: 1, client: 'agent-process/1' }).bytes)
const promise = heartbeatMs === undefined ? {} : { heartbeatMs: Number(heartbeatMs) }
const attach = codec.request('agent.attach', { name, skills: [{ name: skill }], ...promise })
socket.write(attach.bytes)
socket.on('data', (bytes) => {
  for (const event of codec.receive(bytes)) {
    if (event.kind === 'answer' && event.id === attach.id) process.stdout.write('attached\n')
    if (event.kind !== 'request') continue
    const { task, attempt } = event.params as unknown as RunParams
    socket.write(codec.respond(event.id, { kind: 'completed', output: { by: name, attempt } }))
    process.stdout.write(`answered ${task} ${attempt}\n`)
  }
})
if (heartbeatMs !== undefined) {
  setInterval(() => socket.write(codec.notify('agent.heartbeat', {})), Number(heartbeatMs))
}
socket.on('close', () => process.exit(0))
