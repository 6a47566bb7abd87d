/** The other process of the bench: `echo SOCKET` answers every line of JSON with what it says; `relay SOCKET` writes what a node writes for a task, from its first client to its second; `daemon SOCKET` is our server on a node that holds still. */
import { createServer, type Socket } from 'node:net'
import { IpcServer } from '../../node/ipc-server.ts'
import { openLog } from '../../node/log.ts'
import { FakeNode } from '../support/fake-node.ts'
import { LineReader } from './work-lines.ts'

const [, , kind, path = ''] = process.argv

if (kind === 'echo') {
  createServer((socket) => {
    const reader = new LineReader((text) => socket.write(`${JSON.stringify(JSON.parse(text))}\n`))
    socket.on('data', (bytes) => reader.push(bytes)).on('error', () => {})
  }).listen(path, ready)
} else if (kind === 'relay') {
  relay()
} else {
  await IpcServer.listen({
    path,
    node: new FakeNode(),
    access: 'owner',
    connectionsMax: 20_000,
    log: openLog({ level: 'error', to: 'stderr' }).module('ipc'),
    metrics: async () => ({ metrics: [] }),
    requestStop: () => process.exit(0),
    fatal: (cause) => {
      throw cause
    },
  })
  ready()
}

/** Asked for by the parent: how much memory this process holds. */
process.on('message', () => {
  globalThis.gc?.()
  process.send?.({ rssBytes: process.memoryUsage.rss() })
})

/** Clients come in pairs, the submitter first. */
function relay(): void {
  const order = `${'r'.repeat(380)}\n`
  const taken = `${'t'.repeat(105)}\n`
  const ended = `${'e'.repeat(478)}\n`
  let submitter: Socket | undefined
  createServer((socket) => {
    socket.on('error', () => {})
    if (submitter === undefined) {
      submitter = socket
      return
    }
    const pair = submitter
    submitter = undefined
    pair.on('data', () => {
      socket.write(order)
      setImmediate(() => pair.write(taken))
    })
    socket.on('data', () => setImmediate(() => pair.write(ended)))
  }).listen(path, ready)
}

function ready(): void {
  process.send?.('ready')
}
