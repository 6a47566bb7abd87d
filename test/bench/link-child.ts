import { startLinkNode } from '../e2e/link-node.ts'
import { BARE_ECHO, BARE_SINK, BENCH_KINDS, PAYLOAD_BYTES } from './link-kinds.ts'

/**
 * The far process of the link bench: echoes requests and counts what is only sent, over links and over bare streams.
 * Told to count to n by the first four bytes of a `bench.expect`; answers when it has.
 */
let expected = 0
let counted = 0

const node = await startLinkNode({
  kinds: BENCH_KINDS,
  handler: {
    onOpen: () => {},
    onFailed: (_peer, reason) => console.error(reason),
    onMessage: (peer, kind, body) => {
      if (kind === 'bench.request') node.links.send(peer, 'bench.reply', body)
      else if (kind === 'bench.expect') {
        expected = new DataView(body.buffer, body.byteOffset).getUint32(0)
        counted = 0
      } else if (kind === 'bench.count') {
        counted += 1
        if (counted === expected) node.links.send(peer, 'bench.reply', body.slice())
      }
    },
    onRoom: () => {},
    onGap: (_peer, lane) => console.error(`gap on ${lane}`),
    onPenalty: (_peer, points, reason) => console.error(`${points} points: ${reason}`),
  },
})

await node.libp2p.handle(BARE_ECHO, (stream) => {
  stream.addEventListener('message', ({ data }) => {
    stream.send(data)
  })
})

await node.libp2p.handle(BARE_SINK, (stream) => {
  let left = -1
  stream.addEventListener('message', ({ data }) => {
    let bytes = data
    if (left < 0) {
      const head = data.subarray(0, 4)
      left = new DataView(head.buffer, head.byteOffset).getUint32(0) * PAYLOAD_BYTES
      bytes = data.subarray(4)
    }
    left -= bytes.byteLength
    if (left === 0) {
      stream.send(new Uint8Array(1))
      left = -1
    }
  })
})

process.on('message', () => void node.stop().then(() => process.exit(0)))
process.on('disconnect', () => process.exit(0))
process.send?.({ address: node.address, id: node.id })
