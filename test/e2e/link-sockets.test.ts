import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, PrivateKey, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import type { NodeId } from '../../src/kernel/index.ts'
import { linkProtocol } from '../../src/net/link-driver.ts'
import type { Lane } from '../../src/wire/index.ts'
import { SMALL_PARAMS, TEST_KINDS, type TestKind } from '../property/link-world.ts'
import { type LinkNode, type LinkNodeInit, startLinkNode } from './link-node.ts'

/** Links over real TCP, Noise and Yamux on loopback. Every wait is for something seen, and bounded. */

interface Member extends LinkNode<TestKind> {
  readonly got: { readonly kind: TestKind; readonly number: number }[]
  readonly opens: NodeId[]
  readonly gaps: Lane[]
  readonly rooms: Lane[]
  readonly penalties: { readonly points: number; readonly reason: string }[]
  onMessage: (kind: TestKind, number: number) => void
}

const members: LinkNode<TestKind>[] = []

afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.stop()))
})

async function member(options: Partial<LinkNodeInit<TestKind>> = {}): Promise<Member> {
  const seen = {
    got: [] as { kind: TestKind; number: number }[],
    opens: [] as NodeId[],
    gaps: [] as Lane[],
    rooms: [] as Lane[],
    penalties: [] as { points: number; reason: string }[],
    onMessage: (_kind: TestKind, _number: number) => {},
  }
  const node = await startLinkNode<TestKind>({
    kinds: TEST_KINDS,
    handler: {
      onOpen: (peer) => seen.opens.push(peer),
      onFailed: (_peer, reason) => expect.unreachable(reason),
      onMessage: (_peer, kind, body) => {
        const number = new DataView(body.buffer, body.byteOffset).getUint32(0)
        seen.got.push({ kind, number })
        seen.onMessage(kind, number)
      },
      onRoom: (_peer, lane) => seen.rooms.push(lane),
      onGap: (_peer, lane) => seen.gaps.push(lane),
      onPenalty: (_peer, points, reason) => seen.penalties.push({ points, reason }),
    },
    ...options,
  })
  members.push(node)
  return Object.assign(seen, node)
}

async function until(what: string, holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 10_000, interval: 2, message: what }).toBe(true)
}

async function connect(a: Member, b: Member): Promise<Connection> {
  const connection = await a.libp2p.dial(multiaddr(b.address))
  await until('both ends are open', () => a.links.isOpen(b.id) && b.links.isOpen(a.id))
  return connection
}

function body(number: number, bytes = 4): Uint8Array {
  const content = new Uint8Array(bytes)
  new DataView(content.buffer).setUint32(0, number)
  return content
}

const numbers = (member: Member, kind: TestKind) =>
  member.got.filter((each) => each.kind === kind).map((each) => each.number)
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

function laneStream(node: Member, peer: NodeId, lane: Lane): Stream | undefined {
  return node.libp2p
    .getConnections()
    .filter((connection) => connection.remotePeer.toString() === peer)
    .flatMap((connection) => connection.streams)
    .find((stream) => stream.protocol === linkProtocol('test', lane))
}

test('N-2, N-4 torn connections lose nothing: the next one resumes', async () => {
  const [a, b] = [await member(), await member()]
  let next = 0
  for (const target of [2000, 4000, 6000]) {
    const connection = await connect(a, b)
    // Torn by the first message of the second half, while others are in buffers and sockets.
    b.onMessage = (_kind, number) => {
      if (number === target - 1000 && target < 6000) connection.abort(new Error('torn by the test'))
    }
    for (; next < target; next++) expect(a.links.send(b.id, 'work.resumed', body(next, 200))).toBe('queued')
    if (target === 6000) break
    await until('both have noticed', () => !a.links.isOpen(b.id) && !b.links.isOpen(a.id))
    expect(a.links.send(b.id, 'work.resumed', body(0))).toBe('no-link')
  }
  await until('all have arrived', () => b.got.length >= 6000)
  expect(numbers(b, 'work.resumed')).toEqual(upTo(6000))
  expect([...a.gaps, ...b.gaps]).toEqual([])
})

test('N-4 a lane whose stream is reset opens another and resumes, while the connection lives', async () => {
  const [a, b] = [await member(), await member()]
  const connection = await connect(a, b)
  for (const [round, breaker] of [a, b, a].entries()) {
    const other = breaker === a ? b : a
    laneStream(breaker, other.id, 'work')?.abort(new Error('reset by the test'))
    for (let i = 0; i < 100; i++) a.links.send(b.id, 'work.resumed', body(round * 100 + i))
    await until('all have arrived', () => b.got.length >= (round + 1) * 100)
  }
  expect(numbers(b, 'work.resumed')).toEqual(upTo(300))
  expect([...a.gaps, ...b.gaps, ...a.penalties, ...b.penalties]).toEqual([])
  expect(connection.status).toBe('open')
  // Reported once per attachment, whatever the streams do.
  expect([a.opens, b.opens]).toEqual([[b.id], [a.id]])
})

test('N-3 a peer that comes back as another process is a gap on every lane, told before it is open', async () => {
  const privateKey: PrivateKey = await generateKeyPair('Ed25519')
  const [a, b] = [await member(), await member({ privateKey })]
  await connect(a, b)
  a.links.send(b.id, 'work.resumed', body(0))
  await until('it has arrived', () => b.got.length === 1)
  await b.stop()
  await until('the loss is noticed', () => !a.links.isOpen(b.id))
  const b2 = await member({ privateKey })
  expect(b2.id).toBe(b.id)
  await connect(a, b2)
  expect(a.gaps.toSorted()).toEqual(['bulk', 'control', 'work'])
  expect(b2.gaps).toEqual([])
  a.links.send(b.id, 'work.resumed', body(1))
  await until('the new one is heard', () => b2.got.length === 1)
  expect(numbers(b2, 'work.resumed')).toEqual([1])
})

test('N-6 a full queue is refused at once, and room is reported when it has drained', async () => {
  const [a, b] = [await member({ params: SMALL_PARAMS }), await member()]
  await connect(a, b)
  const room = SMALL_PARAMS.work.queueMessagesMax
  for (let i = 0; i < room; i++) expect(a.links.send(b.id, 'work.resumed', body(i))).toBe('queued')
  expect(a.links.send(b.id, 'work.resumed', body(room))).toBe('full')
  expect(a.links.send(b.id, 'work.momentary', body(room))).toBe('full')
  expect(a.links.send(b.id, 'control.resumed', body(0))).toBe('queued')
  await until('room is reported', () => a.rooms.length > 0)
  expect(a.rooms).toEqual(['work'])
  expect(a.links.send(b.id, 'work.resumed', body(room))).toBe('queued')
  await until('all have arrived', () => numbers(b, 'work.resumed').length > room)
  expect(numbers(b, 'work.resumed')).toEqual(upTo(room + 1))
  expect(a.links.stats(b.id)?.work).toMatchObject({ refusedCount: 1, droppedCount: 1 })
})

test('N-11 control overtakes all of a saturated bulk lane that is not on its way yet', async () => {
  const [a, b] = [await member(), await member()]
  await connect(a, b)
  const bulk = 60
  for (let i = 0; i < 10; i++) a.links.send(b.id, 'bulk.resumed', body(i, 60_000))
  let onItsWay = -1
  let next = 10
  // Kept saturated: whenever one arrives another is queued; control is sent from the middle of it.
  b.onMessage = (kind, number) => {
    if (kind !== 'bulk.resumed') return
    if (next < bulk) a.links.send(b.id, 'bulk.resumed', body(next++, 60_000))
    if (number !== 20) return
    const stats = a.links.stats(b.id)?.bulk
    expect(stats?.queuedMessages).toBeGreaterThan(0)
    onItsWay = stats?.sentMessages ?? -1
    expect(a.links.send(b.id, 'control.resumed', body(0))).toBe('queued')
  }
  await until('all have arrived', () => b.got.length === bulk + 1)
  const before = b.got.findIndex(({ kind }) => kind === 'control.resumed')
  expect(before).toBeGreaterThan(20)
  expect(before).toBeLessThanOrEqual(onItsWay)
  expect(onItsWay).toBeLessThan(bulk)
  expect(numbers(b, 'bulk.resumed')).toEqual(upTo(bulk))
})

test('both sides may dial at once: the smaller id opens one stream per lane', async () => {
  const [a, b] = [await member(), await member()]
  await Promise.all([a.libp2p.dial(multiaddr(b.address)), b.libp2p.dial(multiaddr(a.address))])
  await until('both ends are open', () => a.links.isOpen(b.id) && b.links.isOpen(a.id))
  const [first, second] = a.id < b.id ? [a, b] : [b, a]
  for (const lane of ['control', 'work', 'bulk'] as const) {
    expect(laneStream(first, second.id, lane)?.direction).toBe('outbound')
    expect(laneStream(second, first.id, lane)?.direction).toBe('inbound')
  }
  a.links.send(b.id, 'work.resumed', body(1))
  b.links.send(a.id, 'work.resumed', body(2))
  await until('both have heard', () => a.got.length === 1 && b.got.length === 1)
})

test('streams that come before their peer is attached are kept and used', async () => {
  const [a, b] = [await member({ attach: false }), await member({ attach: false })]
  await a.libp2p.dial(multiaddr(b.address))
  const [first, second] = a.id < b.id ? [a, b] : [b, a]
  first.links.attach(second.id)
  await until('they are there', () => laneStream(second, first.id, 'bulk') !== undefined)
  expect(second.links.isOpen(first.id)).toBe(false)
  second.links.attach(first.id)
  await until('both ends are open', () => a.links.isOpen(b.id) && b.links.isOpen(a.id))
  expect(first.opens).toEqual([second.id])
})

test('N-9 a frame beyond its bound is a violation, and nothing of it is read', async () => {
  const [a, b] = [await member(), await member()]
  await connect(a, b)
  const prefix = new Uint8Array(1000).fill(0xff)
  laneStream(a, b.id, 'bulk')?.send(prefix)
  await until('it is noticed', () => b.penalties.length > 0)
  expect(b.penalties).toEqual([{ points: 100, reason: expect.stringContaining('a frame of 4294967295 bytes') }])
  // The host would disconnect now; the other lanes have not suffered.
  a.links.send(b.id, 'work.resumed', body(5))
  await until('work goes on', () => numbers(b, 'work.resumed').length === 1)
})
