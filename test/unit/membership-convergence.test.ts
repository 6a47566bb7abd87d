import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../src/kernel/index.ts'
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
  test('5% loss and pauses of 2 s: none in 16 nodes over 10 minutes, each pausing every 30 s', () => {
    const { net, ids } = settled(CELL, { loss: 0.05, seed: 'pauses', wire: false })
    for (let second = 0; second < 600; second++) {
      const id = ids[((second / 2) * 7) % CELL] as NodeId
      if (second % 2 === 0) net.pause(id, 2000)
      net.run(1000)
    }
    net.run(5000)
    expect(net.events.filter((told) => told.what.kind === 'member-suspect').length).toBeGreaterThan(100)
    expect(net.events.filter((told) => told.what.kind === 'member-down')).toEqual([])
  })

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
