/** A worker process of the benches: `work-child.ts SOCKET SKILL SLOTS` answers every task at once with `null`. */
import { connect } from 'node:net'
import { LineReader, line } from './work-lines.ts'

const [, , path = '', skill = 'noop', slots = '1'] = process.argv
const socket = connect(path)
let out = ''
socket.write(line(1, 'hello', { protocol: 1, client: 'bench-worker/1' }))
socket.write(line(2, 'agent.attach', { name: `w${process.pid}`, skills: [{ name: skill }], slots: Number(slots) }))
const reader = new LineReader((text) => {
  if (text.includes('"method":"task.run"')) {
    const start = text.indexOf('"id":') + 5
    const id = text.slice(start, text.indexOf(',', start))
    if (out === '') setImmediate(flush)
    out += `{"jsonrpc":"2.0","id":${id},"result":{"output":null}}\n`
  } else if (text.startsWith('{"jsonrpc":"2.0","id":2')) process.send?.('attached')
})
socket.on('data', (bytes) => reader.push(bytes))
socket.on('close', () => process.exit(0))

/** Answers of one turn of the loop leave in one write. */
function flush(): void {
  socket.write(out)
  out = ''
}
