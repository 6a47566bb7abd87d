import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { PENDING_PER_SOURCE_MAX, VISITS_PER_PEER_BURST } from '../../src/net/params.ts'
import { knock, outsider } from './net-outsider.ts'
import { link, type TestNode, text, until, World } from './net-world.ts'

const world = new World()
afterEach(() => world.end())

/** How strangers come: each in its own way of being of no use, and in which share of a thousand. */
const MANNERS: readonly ((socket: Socket) => void)[] = [
  (socket) => socket.write(Buffer.alloc(4096, 0xee)),
  (socket) => socket.write('GET / HTTP/1.1\r\n\r\n'),
  // A length that never comes true.
  (socket) => socket.write(Buffer.from([0xff, 0xff, 0xff, 0x7f])),
  // The beginning of what a libp2p node says, and then nothing.
  (socket) => socket.write('\x13/multistream/1.0.0\n'),
  (socket) => socket.resetAndDestroy(),
  () => undefined,
]

const COUNT = 1_000
const BATCH = 50

test('P-1, P-2: a thousand strangers cost bounded memory and change nothing for members', {
  timeout: 60_000,
}, async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12)])
  await link(a, b)
  const before = process.memoryUsage().rss
  const sockets: Socket[] = []
  let pendingMost = 0
  let messages = 0
  for (let i = 0; i < COUNT; i += BATCH) {
    const batch = await Promise.all(Array.from({ length: BATCH }, (_, j) => visit(a, i + j)))
    sockets.push(...batch)
    pendingMost = Math.max(pendingMost, a.network.stats().admissionsPending)
    b.network.send(a.id, 'membership.ping', text(`message ${messages}`))
    await until('members are heard', () => a.recorder.heard('message', `message ${messages}`), 5_000)
    messages += 1
  }
  expect(pendingMost).toBeGreaterThan(0)
  expect(pendingMost).toBeLessThanOrEqual(PENDING_PER_SOURCE_MAX)
  await until('all strangers are gone', () => sockets.every((socket) => socket.destroyed || socket.readableEnded))
  await until('nothing is pending', () => a.network.stats().admissionsPending === 0)
  const stats = a.network.stats()
  expect(stats).toMatchObject({
    connections: 1,
    links: 1,
    sockets: 1,
    muxersTotal: 1,
    admissionsTotal: 1,
    sourcesKnown: 1,
  })
  // The rest was turned away earlier still, by libp2p's own bound on connections per second and source.
  expect(Object.values(stats.turnedAway).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0)
  expect(a.recorder.downs(b.id)).toEqual([])
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
})

test('P-2: handshakes that hang after Noise hold their places for a bounded time', { timeout: 60_000 }, async () => {
  const node = await world.node(11)
  const visitors = await Promise.all(
    [31, 32, 33, 34].map((number) => outsider(number, () => new Promise<never>(() => undefined))),
  )
  for (const visitor of visitors) void knock(visitor, node)
  await until('all of them wait', () => node.network.stats().admissionsPending === visitors.length)
  await until('none of them waits', () => node.network.stats().admissionsPending === 0)
  expect(node.network.stats()).toMatchObject({
    muxersTotal: 0,
    connections: 0,
    refusedByUs: { TIMEOUT: visitors.length },
  })
  await Promise.all(visitors.map((visitor) => visitor.stop()))
})

test('P-18: a member that comes and goes without end is turned away, and others are not', {
  timeout: 60_000,
}, async () => {
  const [node, restless, calm] = await Promise.all([world.node(11), world.node(12), world.node(13)])
  const isRefused = () => restless.recorder.failures().includes('OVERLOADED')
  for (let i = 0; i < 2 * VISITS_PER_PEER_BURST && !isRefused(); i++) {
    const ups = restless.recorder.ups(node.id)
    restless.network.connect(node.id, node.addresses)
    await until('it is let in, or not', () => restless.recorder.ups(node.id) > ups || isRefused())
    restless.network.disconnect(node.id, 'closed-by-us')
  }
  expect(isRefused()).toBe(true)
  // It counts once its side has ended, too, which is later than that its word has come.
  await until('it is counted', () => node.network.stats().refusedByUs.OVERLOADED === 1)
  await link(calm, node)
})

function visit(node: TestNode, number: number): Promise<Socket> {
  const port = Number(/tcp\/(\d+)/.exec(node.addresses[0] ?? '')?.[1])
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      MANNERS[number % MANNERS.length]?.(socket)
      resolve(socket)
    })
    socket.on('error', () => resolve(socket))
    socket.resume()
  })
}
