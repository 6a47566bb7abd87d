/** A whole daemon process around a node that holds still: `node fake-daemon.ts SOCKET [HTTP]`. */
import { Daemon } from '../../node/daemon.ts'
import { openLog } from '../../node/log.ts'
import { FakeNode } from './fake-node.ts'

const [, , socket = '', http] = process.argv
const node = new FakeNode()
const daemon = await Daemon.start({
  access: 'owner',
  stopDrainMs: 1_000,
  connectionsMax: 64,
  socket,
  http,
  log: openLog({ level: 'info', to: 'stderr' }),
  open: async () => node,
  fatal: (cause) => {
    process.stderr.write(`${String(cause)}\n`)
    process.exit(70)
  },
})
process.on('SIGTERM', () => daemon.requestStop('SIGTERM'))
process.stdout.write(`${JSON.stringify(daemon.status())}\n`)
const problems = await daemon.ended
process.stdout.write(`${JSON.stringify({ closed: node.closed, problems })}\n`)
