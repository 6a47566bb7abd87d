import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../src/kernel/index.ts'
import { MEMBERSHIP_PROFILES } from '../../src/membership/index.ts'
import { MembershipNet, type NetOptions } from './membership-net.ts'

const CELL = 16

/** A swarm in which everyone knows everyone. */
function settled(count: number, options: NetOptions = {}): { net: MembershipNet; ids: NodeId[] } {
  const net = new MembershipNet({ wire: true, ...options })
  const ids = net.found(count)
  expect(net.until(30_000, () => ids.every((id) => net.core(id).upCount === count))).toBeDefined()
  net.run(5000)
  return { net, ids }
}

function everyoneHolds(net: MembershipNet, observers: readonly NodeId[], subject: NodeId, state: string): boolean {
  return observers.every((id) => net.core(id).state(subject) === state)
}

describe('M-5: a crash is known to all of a cell within 5 s', () => {
  for (const connections of ['silent', 'broken'] as const) {
    for (const count of [2, 3, 7, CELL]) {
      test(`${count} nodes, connections ${connections}`, () => {
        for (let round = 0; round < 5; round++) {
          const { net, ids } = settled(count, { seed: `crash ${round}` })
          const [victim, ...others] = ids as [NodeId, ...NodeId[]]
          // At another phase of the probe cycle each time.
          net.run(round * 190)
          net.crash(victim, connections)
          const tookMs = net.until(20_000, () => everyoneHolds(net, others, victim, 'dead'))
          expect(tookMs).toBeLessThan(connections === 'silent' ? 5000 : 2500)
        }
      })
    }
  }

  test('also with 5% loss', () => {
    const { net, ids } = settled(CELL, { loss: 0.05, seed: 'lossy' })
    const [victim, ...others] = ids as [NodeId, ...NodeId[]]
    net.crash(victim, 'silent')
    expect(net.until(20_000, () => everyoneHolds(net, others, victim, 'dead'))).toBeLessThan(5000)
  })

  test('above the full mesh too', () => {
    const { net, ids } = settled(60)
    const [victim, ...others] = ids as [NodeId, ...NodeId[]]
    net.crash(victim, 'silent')
    expect(net.until(20_000, () => everyoneHolds(net, others, victim, 'dead'))).toBeLessThan(5000)
  })
})

describe('M-6: the living are not declared dead', () => {
  // Beside the first: seeds in which a node that had missed a refutation once called its subject dead (M-11).
  for (const seed of ['pauses', 'pauses1', 'pauses2', 'pauses5', 'pauses9']) {
    test(`5% loss and pauses of 2 s: none in 16 nodes over 10 minutes, each pausing every 30 s (${seed})`, () => {
      const { net, ids } = settled(CELL, { loss: 0.05, seed, wire: false })
      for (let second = 0; second < 600; second++) {
        const id = ids[((second / 2) * 7) % CELL] as NodeId
        if (second % 2 === 0) net.pause(id, 2000)
        net.run(1000)
      }
      net.run(5000)
      expect(net.events.filter((told) => told.what.kind === 'member-suspect').length).toBeGreaterThan(100)
      expect(net.events.filter((told) => told.what.kind === 'member-down')).toEqual([])
    })
  }

  test('a node that slept through everything suspects nobody when it wakes', () => {
    const { net, ids } = settled(5)
    const sleeper = ids[2] as NodeId
    net.pause(sleeper, 20_000)
    net.run(20_100)
    const since = net.now - 200
    const suspicions = net.events.filter((t) => t.node === sleeper && t.at > since && t.what.kind === 'member-suspect')
    expect(suspicions).toEqual([])
    expect(net.until(20_000, () => ids.every((id) => net.core(id).upCount === 5))).toBeDefined()
  })
})

describe('M-7: views converge within 30 s of healing', () => {
  for (const count of [CELL, 48]) {
    test(`${count} nodes cut in two, long enough to bury each other`, () => {
      const { net, ids } = settled(count)
      const left = new Set(ids.slice(0, count / 3))
      net.partition((a, b) => left.has(a) !== left.has(b))
      const buried = () => ids.every((id) => net.core(id).upCount === (left.has(id) ? left.size : count - left.size))
      expect(net.until(90_000, buried)).toBeDefined()
      const before = net.events.length
      net.heal()
      expect(net.until(30_000, () => ids.every((id) => net.core(id).upCount === count))).toBeDefined()
      // M-10: meeting the others buries nobody on one's own side.
      const deaths = net.events.slice(before).filter((told) => told.what.kind === 'member-down')
      expect(deaths.filter((t) => t.what.kind === 'member-down' && left.has(t.node) === left.has(t.what.node))).toEqual(
        [],
      )
    })
  }

  test('a node that restarts is up again under a higher incarnation, also after a death', () => {
    const { net, ids } = settled(6)
    const [victim, ...others] = ids as [NodeId, ...NodeId[]]
    net.run(40_000)
    const before = net.core(others[0] as NodeId).member(victim)?.incarnation ?? 0
    net.crash(victim, 'broken')
    net.until(20_000, () => everyoneHolds(net, others, victim, 'dead'))
    net.restart(victim)
    expect(net.until(30_000, () => everyoneHolds(net, others, victim, 'alive'))).toBeDefined()
    expect(net.core(others[0] as NodeId).member(victim)?.incarnation).toBeGreaterThan(before)
    expect(net.observations.filter((told) => told.what.kind === 'twin')).toEqual([])
  })

  test('M-17: one that lost its log says so, and comes back all the same', () => {
    const { net, ids } = settled(6)
    const [victim, ...others] = ids as [NodeId, ...NodeId[]]
    net.run(40_000)
    for (const id of ids) net.input(id, { kind: 'certificate', certificate: net.certificateOf(id) })
    net.run(2000)
    net.crash(victim, 'broken')
    net.until(20_000, () => everyoneHolds(net, others, victim, 'dead'))
    net.restart(victim, 'lost')
    expect(net.until(30_000, () => everyoneHolds(net, others, victim, 'alive'))).toBeDefined()
    expect(net.observations.filter((told) => told.node === victim && told.what.kind === 'twin')).toHaveLength(1)
  })
})

describe('M-16, M-18: the work of a node does not grow with the swarm', () => {
  test('neighbours are mutual, connected, few; messages per node stay flat from 40 to 160 nodes', () => {
    const perNode = [40, 160].map((count) => {
      const { net, ids } = settled(count, { wire: false })
      net.run(20_000)
      for (const id of ids) {
        const neighbours = net.core(id).neighbours()
        expect(neighbours.length).toBeLessThanOrEqual(18)
        for (const other of neighbours) {
          expect(net.core(other).neighbours()).toContain(id)
          expect(net.core(id).linked(other)).toBe(true)
        }
      }
      const before = net.messages
      net.run(10_000)
      return (net.messages - before) / count / 10
    })
    expect(perNode[1]).toBeLessThan((perNode[0] ?? 0) * 1.3)
  })
})

describe('M-22: links wait while the swarm grows', () => {
  /** Thirty come, one every 300 ms, each over the first; the links of all of them as the last has come to be known. */
  function grown(growthPatienceMs: number): { net: MembershipNet; ids: NodeId[]; links: number } {
    const params = { ...MEMBERSHIP_PROFILES.lan, growthPatienceMs }
    // So far apart that two who stop waiting together would dial each other.
    const net = new MembershipNet({ params, seed: 'growth', latencyMs: () => 60 })
    const ids: NodeId[] = []
    for (let i = 0; i < 30; i++) {
      ids.push(net.add(`n${i}`, i === 0 ? [] : ['n0']).id)
      net.run(300)
    }
    expect(net.until(5000, () => ids.every((id) => net.core(id).upCount === 30))).toBeDefined()
    return { net, ids, links: linksOf(net, ids) }
  }
  const linksOf = (net: MembershipNet, ids: readonly NodeId[]) => {
    return ids.reduce((sum, id) => sum + ids.filter((other) => net.core(id).linked(other)).length, 0) / 2
  }

  test('thirty know each other with four fifths of the links, and have all that they need soon after', () => {
    const { net, ids, links } = grown(MEMBERSHIP_PROFILES.lan.growthPatienceMs)
    expect(links).toBeLessThan(grown(0).links * 0.8)
    const isComplete = () =>
      ids.every((id) =>
        net
          .core(id)
          .neighbours()
          .every((other) => net.core(id).linked(other)),
      )
    expect(net.until(10_000, isComplete)).toBeLessThan(5000)
  })

  test('a swarm that never rests has its links all the same', () => {
    const net = new MembershipNet({ seed: 'restless' })
    const ids = net.found(24)
    for (let i = 0; i < 30; i++) {
      net.add(`n${24 + i}`, ['n0'])
      net.run(500)
    }
    // Their neighbours are others by now; that all of them have more links than a growing swarm makes do with is enough.
    const counts = ids.map(
      (id) =>
        net
          .core(id)
          .neighbours()
          .filter((other) => net.core(id).linked(other)).length,
    )
    expect(counts.reduce((sum, count) => sum + count, 0) / ids.length).toBeGreaterThan(MIN_LINKED)
  })

  test('a link that breaks is made again at once', () => {
    const net = new MembershipNet({ seed: 'broken' })
    const ids = net.found(9)
    const [one, other] = ids as [NodeId, NodeId]
    const isComplete = (id: NodeId) =>
      net
        .core(id)
        .neighbours()
        .filter((peer) => net.core(id).linked(peer)).length === 8
    expect(net.until(5000, () => ids.every(isComplete))).toBeLessThan(3500)
    net.add('newcomer', ['n0'])
    net.until(1000, () => net.core(one).upCount === 10 && net.core(other).upCount === 10)
    net.cutLink(one, other)
    expect(net.until(5000, () => net.core(one).linked(other) && net.core(other).linked(one))).toBeLessThan(200)
  })
})

/** Of eight neighbours, in a swarm where somebody comes twice a second, without patience 2.2. */
const MIN_LINKED = 5.7
