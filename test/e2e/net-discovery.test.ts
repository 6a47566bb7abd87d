import { createHash } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { keyPair, link, text, until, World } from './net-world.ts'

const world = new World()
afterEach(() => world.end())

test('NET-3: a node that can only dial out takes part through a relay', { timeout: 30_000 }, async () => {
  const relay = await world.node(11, { relay: { serve: true } })
  const [hidden, other] = await Promise.all([world.node(12, { listen: [], relay: { reserve: true } }), world.node(13)])
  expect(hidden.addresses).toEqual([])
  await link(hidden, relay)
  await until('it is reachable at the relay', () => hidden.network.addresses().length > 0)
  const addresses = hidden.network.addresses()
  expect(addresses.every((address) => address.endsWith(`/p2p/${relay.id}/p2p-circuit`))).toBe(true)

  other.network.connect(hidden.id, addresses)
  await until('a link over the relay', () => other.recorder.isUp(hidden.id) && hidden.recorder.isUp(other.id))
  other.network.send(hidden.id, 'membership.ping', text('through the relay'))
  hidden.network.send(other.id, 'membership.ping', text('and back'))
  await until(
    'both hear',
    () => hidden.recorder.heard('message', 'through the relay') && other.recorder.heard('message', 'and back'),
  )
  // More than the 128 KiB after which relays cut off strangers.
  const long = text('x'.repeat(15_000))
  for (let i = 0; i < 20; i++) other.network.send(hidden.id, 'membership.ping', long)
  await until('all of it arrives', () => hidden.recorder.told.filter((event) => event.kind === 'message').length >= 20)
  expect(hidden.recorder.downs(other.id)).toEqual([])
})

test('P-1, P-4: whom a node does not admit gets no further over a relay either', { timeout: 30_000 }, async () => {
  const relay = await world.node(11, { relay: { serve: true } })
  const hidden = await world.node(12, {
    listen: [],
    relay: { reserve: true },
    member: { isRevoked: ({ node }) => node === keyPair(13).node },
  })
  await link(hidden, relay)
  await until('it is reachable at the relay', () => hidden.network.addresses().length > 0)
  // The relay has not heard of the revocation yet, and lets it through.
  const revoked = await world.node(13)
  revoked.network.connect(hidden.id, hidden.network.addresses())
  await until('a refusal', () => revoked.recorder.failures().length > 0)
  expect(revoked.recorder.failures()[0]).toBe('CERTIFICATE_REVOKED')
  expect(hidden.network.stats()).toMatchObject({ muxersTotal: 1, connections: 1 })
})

test('P-13: who holds what is found among nodes that serve the table', { timeout: 30_000 }, async () => {
  const serve = { dht: { serve: true } }
  const [a, b, c] = await Promise.all([world.node(11, serve), world.node(12, serve), world.node(13, serve)])
  await link(a, b)
  await link(b, c)
  const digest = new Uint8Array(createHash('sha256').update('a payload').digest())
  const signal = AbortSignal.timeout(20_000)
  // Tables fill as nodes identify each other, so the first records may find nobody to keep them.
  let found: readonly string[] = []
  while (found.length === 0 && !signal.aborted) {
    await a.network.providers?.provide(digest, signal)
    found = (await c.network.providers?.find(digest, 1, signal)) ?? []
  }
  expect(found).toEqual([a.id])
})

test('NET-3: nodes on one LAN find each other by mDNS', { timeout: 30_000 }, async () => {
  const [a, b] = await Promise.all([
    world.node(11, { mdns: { port: 15_353 } }),
    world.node(12, { mdns: { port: 15_353 } }),
  ])
  await until('they have heard of each other', () => a.discovered.has(b.id) && b.discovered.has(a.id))
})

test('NET-3: bootstrap addresses are reported', async () => {
  const a = await world.node(11)
  const b = await world.node(12, { bootstrap: a.addresses.map((address) => `${address}/p2p/${a.id}`) })
  await until('b has heard of a', () => b.discovered.has(a.id))
})
