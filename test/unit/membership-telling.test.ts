import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../src/kernel/index.ts'
import { GOSSIP_ENTRIES_MAX } from '../../src/membership/messages.ts'
import { entry, rumour, runWith, Solo, sent } from './membership-solo.ts'

describe('what is passed on, and to whom', () => {
  test('M-25: news goes once over each link to whoever has not told it', () => {
    const solo = new Solo()
    solo.meet('a', 'b', 'c', 'd')
    solo.run(5_000)
    const before = solo.effects.length
    solo.hear('a', { entries: [entry('x', 1)] })
    solo.hear('b', { rumours: [rumour('x', 1, 'alive')] })
    solo.run(5_000)
    const told = solo.effects.slice(before).flatMap((effect) => {
      const all = [...sent([effect], 'membership.gossip'), ...sent([effect], 'membership.ping')]
      return all.filter(({ body }) => body.rumours.some(({ node }) => node === 'x')).map(({ to }) => to)
    })
    expect(told.sort()).toEqual(['c', 'd'])
  })

  test('M-30: all neighbours hear of a death, also where there are more of them than tellings', () => {
    const solo = new Solo()
    const peers = Array.from({ length: 20 }, (_, i) => `p${i}`)
    solo.meet(...peers)
    runWith(solo, 5_000, peers)
    const [victim, teller, ...neighbours] = solo.core.neighbours() as [NodeId, NodeId, ...NodeId[]]
    const before = solo.effects.length
    solo.hear(teller, { rumours: [rumour(victim, 1, 'dead', teller)] })
    const living = peers.filter((peer) => peer !== victim)
    runWith(solo, 5_000, living)
    expect(solo.state(victim)).toBe('dead')
    const told = solo.effects.slice(before).flatMap((effect) => {
      const all = [...sent([effect], 'membership.gossip'), ...sent([effect], 'membership.ping')]
      return all.filter(({ body }) => body.rumours.some(({ state }) => state === 'dead')).map(({ to }) => to)
    })
    expect(neighbours.length).toBeGreaterThan(4)
    expect(neighbours.filter((peer) => !told.includes(peer))).toEqual([])
    expect(told.length).toBeLessThan(living.length)
  })

  describe('M-26: the first tellings are entries', () => {
    /** What is passed on of the nodes that `give` tells of, to whom, after the greetings. */
    function passedOn(give: (solo: Solo) => void) {
      const solo = new Solo()
      solo.meet('a', 'b', 'c', 'd', 'e')
      solo.run(200)
      const before = solo.effects.length
      give(solo)
      solo.run(150)
      return sent(solo.effects.slice(before), 'membership.gossip').map(({ to, body }) => ({
        to,
        entries: body.entries.map(({ presence }) => presence.signer),
        rumours: body.rumours.map(({ node }) => node),
      }))
    }

    test('two peers get what the subject has signed, the others hear of it', () => {
      const told = passedOn((solo) => solo.hear('a', { entries: [entry('x', 1)] }))
      expect(told.map(({ to }) => to).sort()).toEqual(['b', 'c', 'd', 'e'])
      expect(told.map(({ entries }) => entries)).toEqual([['x'], ['x'], [], []])
      expect(told.map(({ rumours }) => rumours)).toEqual([[], [], ['x'], ['x']])
    })

    test('who has told an entry that was no news is not told of it', () => {
      const told = passedOn((solo) => {
        for (const peer of ['a', 'b', 'c', 'd']) solo.hear(peer, { entries: [entry('x', 1)] })
      })
      expect(told).toEqual([{ to: 'e', entries: ['x'], rumours: [] }])
    })

    test('a doubt goes without', () => {
      const told = passedOn((solo) => solo.hear('a', { rumours: [rumour('b', 1, 'suspect', 'c')] }))
      expect(told.length).toBeGreaterThan(0)
      for (const { entries, rumours } of told) {
        expect(entries).toEqual([])
        expect(rumours).toContain('b')
      }
    })

    test('a message holds a bounded number, and rumours of the others', () => {
      const nodes = Array.from({ length: GOSSIP_ENTRIES_MAX + 9 }, (_, i) => `x${i}`)
      const told = passedOn((solo) => solo.hear('a', { entries: nodes.map((node) => entry(node, 1)) }))
      const [first] = told
      expect(first?.entries).toHaveLength(GOSSIP_ENTRIES_MAX)
      expect(first?.rumours).toHaveLength(9)
    })

    test('nor more bytes than the kind allows, were all entries as large as can be', () => {
      const labels = Object.fromEntries(Array.from({ length: 24 }, (_, i) => [`${i}`, 'l'.repeat(96)]))
      const nodes = Array.from({ length: GOSSIP_ENTRIES_MAX }, (_, i) => `x${i}`)
      const told = passedOn((solo) => solo.hear('a', { entries: nodes.map((node) => entry(node, 1, 'alive', labels)) }))
      for (const { entries, rumours } of told) expect(entries.length + rumours.length).toBe(GOSSIP_ENTRIES_MAX)
      expect(told[0]?.entries.length).toBeGreaterThan(1)
      expect(told[0]?.entries.length).toBeLessThan(GOSSIP_ENTRIES_MAX)
    })
  })
})
