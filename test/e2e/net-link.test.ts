import { afterEach, expect, test } from 'vitest'
import { keyPair, link, text, until, World } from './net-world.ts'

const world = new World()
afterEach(() => world.end())

test('P-6: members are linked, say so once on both sides, and talk', async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12)])
  await link(a, b)
  expect(a.network.send(b.id, 'membership.ping', text('from a'))).toBe('queued')
  expect(b.network.send(a.id, 'membership.ping', text('from b'))).toBe('queued')
  await until('both messages', () => b.recorder.heard('message', 'from a') && a.recorder.heard('message', 'from b'))
  expect(a.recorder.ups(b.id)).toBe(1)
  expect(b.recorder.ups(a.id)).toBe(1)
  const up = b.recorder.told.find((event) => event.kind === 'up')
  expect(up).toMatchObject({ peer: { node: a.id, org: 'acme', roles: ['worker', 'custodian'] } })
})

test('P-14: a link makes no event that nobody listens to, down to the socket', async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12)])
  await link(a, b)
  const unheard = new Map<string, number>()
  const { dispatchEvent } = EventTarget.prototype
  EventTarget.prototype.dispatchEvent = function (this: EventTarget & { listenerCount?(type: string): number }, event) {
    // Gossip has a heartbeat of its own.
    if ('send' in this && this.listenerCount?.(event.type) === 0)
      unheard.set(event.type, (unheard.get(event.type) ?? 0) + 1)
    return dispatchEvent.call(this, event)
  }
  try {
    for (const said of ['one', 'two', 'three']) {
      a.network.send(b.id, 'membership.ping', text(said))
      await until('a message', () => b.recorder.heard('message', said))
    }
  } finally {
    EventTarget.prototype.dispatchEvent = dispatchEvent
  }
  expect(Object.fromEntries(unheard)).toEqual({})
})

test('P-5: when both dial at once, one connection and one link remain, and nothing flaps', async () => {
  for (let round = 0; round < 8; round++) {
    const [a, b] = await Promise.all([world.node(20 + round), world.node(40 + round)])
    a.network.connect(b.id, b.addresses)
    b.network.connect(a.id, a.addresses)
    await until('a link', () => a.recorder.isUp(b.id) && b.recorder.isUp(a.id))
    a.network.send(b.id, 'membership.ping', text('settled'))
    await until('a message over it', () => b.recorder.heard('message', 'settled'))
    for (const node of [a, b]) {
      expect(node.recorder.told.filter(({ kind }) => kind === 'up' || kind === 'down')).toHaveLength(1)
      await until('one socket', () => node.network.stats().sockets === 1)
      expect(node.network.stats()).toMatchObject({ connections: 1, links: 1, muxersTotal: 1 })
      expect(node.recorder.failures()).toEqual([])
    }
  }
})

test('P-6, P-7: a peer that is killed is missed at once, and linked again when it is back', async () => {
  const a = await world.node(11)
  const first = await world.child(12)
  a.network.connect(first.id, first.addresses)
  await until('a link', () => a.recorder.isUp(first.id))
  first.process.kill('SIGKILL')
  await until('it is missed', () => !a.recorder.isUp(first.id))
  expect(a.recorder.downs(first.id)).toEqual(['connection-lost'])
  await world.child(12, first.addresses[0])
  await until('a new link', () => a.recorder.isUp(first.id))
})

test('P-5: a later connection of the same node replaces the older one, gossip included', async () => {
  // The larger id dials: were it the smaller, a would first take the dial for a crossing one.
  const [small, large] = keyPair(11).node < keyPair(12).node ? [11, 12] : [12, 11]
  const a = await world.node(large)
  const old = await world.node(small)
  a.network.connect(old.id, old.addresses)
  await until('a link', () => a.recorder.isUp(old.id) && old.recorder.isUp(a.id))
  const fresh = await world.node(small)
  fresh.network.connect(a.id, a.addresses)
  await until('the fresh node has the link', () => fresh.recorder.isUp(a.id))
  await until('the old one has lost it', () => !old.recorder.isUp(a.id))
  await until('one socket', () => a.network.stats().sockets === 1)
  let number = 0
  await until('messages and gossip reach the fresh node', () => {
    a.network.send(fresh.id, 'membership.ping', text('to the fresh one'))
    a.network.publish('directory.digest', text(`hint ${number++}`))
    return (
      fresh.recorder.heard('message', 'to the fresh one') && fresh.recorder.told.some(({ kind }) => kind === 'gossip')
    )
  })
})

test('P-12: a node that stops says goodbye', async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12)])
  await link(a, b)
  await a.network.stop()
  await until('b has noticed', () => b.recorder.downs(a.id).length > 0)
  expect(b.recorder.downs(a.id)).toEqual(['closed-by-peer'])
  expect(a.recorder.downs(b.id)).toEqual(['shutting-down'])
})

test('P-7: a peer that comes back is found again without being asked', async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12)])
  await link(a, b)
  const listen = b.addresses
  await b.network.stop()
  await until('a dial has failed', () => a.recorder.failures().length > 1)
  const again = await world.node(12, { listen })
  await until('a new link', () => a.recorder.isUp(b.id) && again.recorder.isUp(a.id))
  expect(a.recorder.ups(b.id)).toBe(2)
})

test('P-7: nobody is dialled after disconnect, and the peer hears of a close in good order', async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12)])
  await link(a, b)
  a.network.disconnect(b.id, 'closed-by-us')
  await until('both links are down', () => !a.recorder.isUp(b.id) && !b.recorder.isUp(a.id))
  expect(a.recorder.downs(b.id)).toEqual(['closed-by-us'])
  expect(b.recorder.downs(a.id)).toEqual(['closed-by-peer'])
  expect(a.network.stats().peersWanted).toBe(0)
})

test('P-10: revocation ends a live connection at once', async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12)])
  await link(a, b)
  a.network.revoke(b.id)
  await until('both links are down', () => !a.recorder.isUp(b.id) && !b.recorder.isUp(a.id), 2_000)
  expect(a.recorder.downs(b.id)).toEqual(['certificate-revoked'])
})

test('P-10: a certificate that runs out ends its connection, unless it was renewed', async () => {
  const [a, b, c] = await Promise.all([world.node(11), world.node(12), world.node(13)])
  await link(a, b)
  await link(a, c)
  a.network.renewed(c.id, (a.clock.wallNow() + 400 * 86_400_000) as never)
  a.clock.offsetMs = 31 * 86_400_000
  await until('the link to b is down', () => !a.recorder.isUp(b.id), 2_000)
  expect(a.recorder.downs(b.id)).toEqual(['certificate-expired'])
  expect(a.recorder.isUp(c.id)).toBe(true)
})

test('P-9: a peer with too many points is cut off, told why, and not dialled either', async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12)])
  await link(a, b)
  b.network.connect(a.id, a.addresses)
  a.network.penalise(b.id, 60, 'one')
  expect(a.recorder.downs(b.id)).toEqual([])
  a.network.penalise(b.id, 60, 'two')
  await until('the link is down', () => !a.recorder.isUp(b.id))
  expect(a.recorder.downs(b.id)).toEqual(['protocol-violation'])
  await until('b is refused', () => b.recorder.failures().includes('UNAUTHORISED'))
  expect(a.network.stats()).toMatchObject({ peersDenied: 1, connections: 0 })
})

test('P-8: gossip reaches everyone, over nodes in between too', async () => {
  const nodes = await Promise.all([11, 12, 13, 14].map((number) => world.node(number)))
  for (const [i, node] of nodes.entries()) {
    const next = nodes[i + 1]
    if (next !== undefined) await link(node, next)
  }
  // A mesh forms at its own pace; hints are repeated until it has.
  let number = 0
  await until('the last node hears the first', () => {
    nodes[0]?.network.publish('directory.digest', text(`hint ${number++}`))
    return nodes[3]?.recorder.told.some(({ kind }) => kind === 'gossip') ?? false
  })
  const heard = nodes[3]?.recorder.told.find((event) => event.kind === 'gossip')
  expect(heard).toMatchObject({ from: nodes[2]?.id, message: 'directory.digest' })
})

test('P-8: a hint that is too long is not taken, not passed on, and charged', async () => {
  const charged: string[] = []
  const [a, b, c] = await Promise.all([
    world.node(11),
    world.node(12, { onPenalised: (peer) => charged.push(peer) }),
    world.node(13),
  ])
  await link(a, b)
  await link(b, c)
  let number = 0
  await until('b refuses', () => {
    a.network.publish('directory.digest', text(`${number++}${'x'.repeat(17_000)}`))
    return b.network.stats().gossipRefusedTotal > 0
  })
  expect(charged[0]).toBe(a.id)
  expect(b.recorder.told.some(({ kind }) => kind === 'gossip')).toBe(false)
  expect(c.network.stats()).toMatchObject({ gossipInTotal: 0, gossipRefusedTotal: 0 })
})

test('P-8: what a liar gossips in bad form parts it from others, and nobody else', async () => {
  const [liar, b, c, d] = await Promise.all([11, 12, 13, 14].map((number) => world.node(number)))
  if (liar === undefined || b === undefined || c === undefined || d === undefined) throw new Error('four nodes')
  await link(liar, b)
  for (const [one, other] of [
    [b, c],
    [b, d],
    [c, d],
  ] as const)
    await link(one, other)
  let number = 0
  await until('b has had enough', () => {
    liar.network.publish('directory.digest', text(`malformed ${number++}`))
    return b.recorder.downs(liar.id).includes('protocol-violation')
  })
  await until('the others hear each other', () => {
    c.network.publish('directory.digest', text(`hint ${number++}`))
    return b.recorder.told.some(({ kind }) => kind === 'gossip')
  })
  expect([b.recorder.downs(c.id), b.recorder.downs(d.id), c.recorder.downs(d.id)]).toEqual([[], [], []])
  expect(c.network.stats().gossipRefusedTotal).toBe(0)
})

test('a listen address that is taken is a coded error', async () => {
  const a = await world.node(11)
  await expect(world.node(12, { listen: a.addresses })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
})
