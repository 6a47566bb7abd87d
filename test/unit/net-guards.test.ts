import { describe, expect, test } from 'vitest'
import { type Millis, type NodeId, SwarmError } from '../../src/kernel/index.ts'
import { announced, ownedBy, sourceOf, withoutPeer } from '../../src/net/addresses.ts'
import { Crossings } from '../../src/net/crossing.ts'
import { Gate, type Passage } from '../../src/net/gate.ts'
import {
  DENIED_PEERS_MAX,
  DENY_MS,
  DUPLICATE_WINDOW_MS,
  FAILURES_PER_SOURCE_BURST,
  FAILURES_PER_SOURCE_PER_SECOND,
  PENALTY_HALF_LIFE_MS,
  PENALTY_POINTS_MAX,
  PENDING_ADMISSIONS_MAX,
  PENDING_PER_SOURCE_MAX,
  SOURCES_MAX,
} from '../../src/net/params.ts'
import { Penalties } from '../../src/net/penalties.ts'
import { crossed, dialError, isCrossed, Refusal } from '../../src/net/refusal.ts'

const ann = 'ann' as NodeId
const bob = 'bob' as NodeId

function at(ms: number): Millis {
  return ms as Millis
}

function entered(passage: ReturnType<Gate['enter']>): Passage {
  if (typeof passage === 'string') throw new Error(`turned away: ${passage}`)
  return passage
}

describe('P-2: the gate', () => {
  test('bounds who is on the way in, in total and per source', () => {
    const gate = new Gate()
    const first = entered(gate.enter(at(0), 'a'))
    for (let i = 1; i < PENDING_PER_SOURCE_MAX; i++) entered(gate.enter(at(0), 'a'))
    expect(gate.enter(at(0), 'a')).toBe('source-full')
    for (let i = 0; gate.pending < PENDING_ADMISSIONS_MAX; i++) entered(gate.enter(at(0), `b${i}`))
    expect(gate.enter(at(0), 'c')).toBe('full')
    first.admitted()
    entered(gate.enter(at(0), 'a'))
  })

  test('each passage ends once, whoever says so', () => {
    const gate = new Gate()
    const passage = entered(gate.enter(at(0), 'a'))
    passage.admitted()
    passage.failed(at(1))
    passage.admitted()
    expect(gate.pending).toBe(0)
  })

  test('failures use up a source, for as long as it goes on failing', () => {
    const gate = new Gate()
    for (let i = 0; i <= FAILURES_PER_SOURCE_BURST; i++) entered(gate.enter(at(0), 'a')).failed(at(0))
    expect(gate.enter(at(0), 'a')).toBe('source-throttled')
    entered(gate.enter(at(0), 'b'))
    const wait = 1_000 / FAILURES_PER_SOURCE_PER_SECOND
    expect(gate.enter(at(wait - 1), 'a')).toBe('source-throttled')
    entered(gate.enter(at(wait), 'a'))
  })

  test('success costs a source nothing', () => {
    const gate = new Gate()
    for (let i = 0; i < FAILURES_PER_SOURCE_BURST * 4; i++) entered(gate.enter(at(0), 'a')).admitted()
    entered(gate.enter(at(0), 'a'))
  })

  test('remembers a bounded number of sources', () => {
    const gate = new Gate()
    for (let i = 0; i < SOURCES_MAX + 100; i++) entered(gate.enter(at(0), `source ${i}`)).failed(at(0))
    expect(gate.sourceCount).toBe(SOURCES_MAX)
  })
})

describe('P-5: of two crossing dials one stands, whatever order things happen in', () => {
  /** ann and bob dial each other; `order` says whose step comes next. A dial is begun by its owner, then judged. */
  function standing(order: readonly NodeId[]): number {
    const nodes = { ann: new Crossings(ann), bob: new Crossings(bob) }
    const other = (node: NodeId): NodeId => (node === ann ? bob : ann)
    const of = (node: NodeId): Crossings => nodes[node as 'ann' | 'bob']
    const steps = new Map<NodeId, number>()
    let admitted = 0
    for (const dialler of order) {
      const step = steps.get(dialler) ?? 0
      steps.set(dialler, step + 1)
      if (step === 0 && !of(dialler).beginDial(at(0), other(dialler))) steps.set(dialler, 9)
      if (step !== 1) continue
      const stands = of(other(dialler)).admitsDialOf(at(0), dialler)
      if (stands) {
        of(other(dialler)).stands(at(0), dialler, dialler)
        of(dialler).stands(at(0), other(dialler), dialler)
        admitted += 1
      }
      of(dialler).endDial(other(dialler))
    }
    return admitted
  }

  const orders = [
    [ann, ann, bob, bob],
    [ann, bob, ann, bob],
    [ann, bob, bob, ann],
    [bob, bob, ann, ann],
    [bob, ann, bob, ann],
    [bob, ann, ann, bob],
  ]
  test.each(orders)('%s %s %s %s', (...order) => {
    expect(standing(order)).toBe(1)
  })

  test('a later dial is not a crossing one: whoever makes it has lost the connection', () => {
    const crossings = new Crossings(ann)
    crossings.stands(at(0), bob, ann)
    expect(crossings.admitsDialOf(at(DUPLICATE_WINDOW_MS - 1), bob)).toBe(false)
    expect(crossings.admitsDialOf(at(DUPLICATE_WINDOW_MS), bob)).toBe(true)
    expect(crossings.beginDial(at(DUPLICATE_WINDOW_MS), bob)).toBe(true)
    crossings.endDial(bob)
    crossings.ended(bob)
    expect(crossings.admitsDialOf(at(1), bob)).toBe(true)
    expect(crossings.beginDial(at(1), bob)).toBe(true)
  })

  test('a second dial of the same peer, over the same connection that it lost, is let in', () => {
    const crossings = new Crossings(ann)
    crossings.stands(at(0), bob, bob)
    expect(crossings.admitsDialOf(at(1), bob)).toBe(true)
  })
})

describe('P-9: penalties', () => {
  test('add up to a denial that ends', () => {
    const penalties = new Penalties()
    expect(penalties.charge(at(0), ann, PENALTY_POINTS_MAX - 1)).toBe(false)
    expect(penalties.denied(at(0), ann)).toBe(false)
    expect(penalties.charge(at(0), ann, 1)).toBe(true)
    expect(penalties.denied(at(DENY_MS - 1), ann)).toBe(true)
    expect(penalties.denied(at(0), bob)).toBe(false)
    expect(penalties.denied(at(DENY_MS), ann)).toBe(false)
    expect(penalties.deniedCount).toBe(0)
    expect(penalties.points(at(DENY_MS), ann)).toBe(0)
  })

  test('are forgiven by half every half-life', () => {
    const penalties = new Penalties()
    penalties.charge(at(0), ann, 80)
    expect(penalties.points(at(PENALTY_HALF_LIFE_MS), ann)).toBeCloseTo(40)
    expect(penalties.charge(at(PENALTY_HALF_LIFE_MS), ann, 59)).toBe(false)
    expect(penalties.charge(at(PENALTY_HALF_LIFE_MS), ann, 1)).toBe(true)
  })

  test('are kept for a bounded number of peers', () => {
    const penalties = new Penalties()
    for (let i = 0; i < DENIED_PEERS_MAX + 10; i++) penalties.charge(at(0), `peer${i}` as NodeId, PENALTY_POINTS_MAX)
    expect(penalties.deniedCount).toBe(DENIED_PEERS_MAX)
  })
})

describe('P-4: codes survive libp2p, which keeps only messages', () => {
  const wrapped = new Error(new Refusal('CERTIFICATE_REVOKED', 'join again', 'peer').message)

  test('alone and among other failures', () => {
    expect(dialError(wrapped)).toMatchObject({ code: 'CERTIFICATE_REVOKED', message: 'join again' })
    const many = new AggregateError([new Error('ECONNREFUSED'), new AggregateError([wrapped])])
    expect(dialError(many)).toMatchObject({ code: 'CERTIFICATE_REVOKED' })
  })

  test('what is no code of ours is not taken for one', () => {
    expect(dialError(new Error('EVIL_CODE: hello')).code).toBe('HANDSHAKE_FAILED')
    expect(dialError(new Error('constructor: hello')).code).toBe('HANDSHAKE_FAILED')
    expect(dialError('not even an error').code).toBe('HANDSHAKE_FAILED')
  })

  test('no answer is a time-out; an error with a code stays as it is', () => {
    const late = Object.assign(new Error('too late'), { name: 'TimeoutError' })
    expect(dialError(new AggregateError([new Error('refused'), late])).code).toBe('TIMEOUT')
    const coded = new SwarmError('DISK_FULL', 'full')
    expect(dialError(coded)).toBe(coded)
  })

  test('a crossed dial is told from a failed one', () => {
    expect(isCrossed(new Error(crossed().message))).toBe(true)
    expect(isCrossed(new AggregateError([new Error('x'), crossed()]))).toBe(true)
    expect(isCrossed(wrapped)).toBe(false)
  })
})

describe('P-11: what is announced', () => {
  test('configured addresses, whatever was found', () => {
    expect(announced(['/dns4/node.example/tcp/4001'], ['/ip4/10.0.0.1/tcp/4001'])).toEqual([
      '/dns4/node.example/tcp/4001',
    ])
  })

  test('never an unspecified address or port, not even when configured', () => {
    const bad = ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001', '/ip4/10.0.0.1/tcp/0']
    expect(announced(bad, [])).toEqual([])
    expect(announced([], [...bad, '/ip4/10.0.0.1/tcp/4001'])).toEqual(['/ip4/10.0.0.1/tcp/4001'])
  })

  test('loopback and link-local addresses only when there is nothing else to say', () => {
    const local = ['/ip4/127.0.0.1/tcp/4001', '/ip6/::1/tcp/4001']
    const everything = [...local, '/ip6/fe80::1/tcp/4001', '/ip4/192.0.2.1/tcp/4001', '/ip4/192.0.2.1/tcp/4001']
    expect(announced([], everything)).toEqual(['/ip4/192.0.2.1/tcp/4001'])
    expect(announced([], [...local, '/ip6/fe80::1/tcp/4001'])).toEqual(local)
  })

  test('no more than others take, of any length that they take, and those of relays among them', () => {
    const many = Array.from({ length: 20 }, (_, i) => `/ip4/192.0.2.${i}/tcp/4001`)
    expect(announced([], many)).toEqual(many.slice(0, 8))
    expect(announced(many, [])).toEqual(many.slice(0, 8))
    const relayed = '/ip4/198.51.100.1/tcp/4001/p2p/bob/p2p-circuit'
    expect(announced([], [...many, relayed])).toEqual([...many.slice(0, 7), relayed])
    expect(announced([`/dns4/${'x'.repeat(160)}/tcp/4001`, ...many], [])).toEqual(many.slice(0, 8))
  })

  test('owners are added, kept, or found to be others', () => {
    expect(ownedBy('/ip4/192.0.2.1/tcp/1', 'ann')).toBe('/ip4/192.0.2.1/tcp/1/p2p/ann')
    expect(ownedBy('/ip4/192.0.2.1/tcp/1/p2p/ann', 'ann')).toBe('/ip4/192.0.2.1/tcp/1/p2p/ann')
    expect(ownedBy('/ip4/192.0.2.1/tcp/1/p2p/bob', 'ann')).toBeUndefined()
    expect(ownedBy('/ip4/192.0.2.1/tcp/1/p2p/bob/p2p-circuit', 'ann')).toMatch(/p2p-circuit\/p2p\/ann$/)
    expect(withoutPeer('/ip4/192.0.2.1/tcp/1/p2p/bob/p2p-circuit/p2p/ann')).toMatch(/p2p-circuit$/)
  })

  test('P-2: a source is an address, whatever the port', () => {
    expect(sourceOf('/ip4/192.0.2.1/tcp/4001')).toBe(sourceOf('/ip4/192.0.2.1/tcp/4002/p2p/bob/p2p-circuit/p2p/x'))
    // A host has 2^64 addresses of its own to choose from.
    const host = sourceOf('/ip6/2001:db8:0:7::1/tcp/1')
    expect(sourceOf('/ip6/2001:db8:0:7:a:b:c:d/tcp/2')).toBe(host)
    expect(sourceOf('/ip6/2001:db8:0:7::/tcp/2')).toBe(host)
    expect(sourceOf('/ip6zone/eth0/ip6/2001:db8:0:7::9/tcp/2')).toBe(host)
    expect(sourceOf('/ip6/2001:db8:0:8::1/tcp/1')).not.toBe(host)
    expect(sourceOf('/ip6/2001:db8::1/tcp/1')).not.toBe(sourceOf('/ip6/::1/tcp/1'))
    // IPv4 by way of an IPv6 socket, as it is written by hand and by libp2p.
    const mapped = sourceOf('/ip6/::ffff:192.0.2.1/tcp/1')
    expect(sourceOf('/ip6/::ffff:c000:201/tcp/2')).toBe(mapped)
    expect(sourceOf('/ip6/::ffff:c000:202/tcp/2')).not.toBe(mapped)
  })
})
