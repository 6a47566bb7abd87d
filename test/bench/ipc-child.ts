/** The other process of the bench: `echo SOCKET` answers every line with itself; `daemon SOCKET` is our server on a node that holds still. */
import { createServer } from 'node:net'
import { IpcServer } from '../../node/ipc-server.ts'
import { openLog } from '../../node/log.ts'
import { FakeNode } from '../support/fake-node.ts'

const [, , kind, path = ''] = process.argv

if (kind === 'echo') {
  createServer((socket) => socket.on('data', (bytes) => socket.write(bytes)).on('error', () => {})).listen(path, ready)
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

function ready(): void {
  process.send?.('ready')
}
