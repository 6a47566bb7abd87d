import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Incarnation, type NodeId, Random } from '../../src/kernel/index.ts'
import { COORDINATE_ORIGIN, moved } from '../../src/membership/coordinates.ts'
import { RumourQueue } from '../../src/membership/gossip.ts'
import { hashText } from '../../src/membership/hash.ts'
import { LocalHealth } from '../../src/membership/health.ts'
import { checkMembershipParams, MEMBERSHIP_PROFILES } from '../../src/membership/index.ts'
import { Overlay } from '../../src/membership/overlay.ts'
import { Suspicion } from '../../src/membership/suspicion.ts'
import { Timer, Timers } from '../../src/membership/timers.ts'
import { predictedRttMs } from '../../src/wire/index.ts'
import { rumour } from './membership-solo.ts'

test('M-15: health worsens by what went wrong up to its bound, and mends at a bounded rate however much goes well', () => {
  const health = new LocalHealth(3, 1000)
  expect([health.worsen(2), health.worsen(5), health.worsen(1), health.score]).toEqual([true, true, false, 3])
  expect([0, 10, 999, 1000, 1999].map((awake) => health.mend(awake))).toEqual([true, false, false, true, false])
  expect([health.score, health.stretch(100)]).toEqual([1, 200])
  expect([health.mend(9000), health.mend(19_000), health.score]).toEqual([true, false, 0])
})

describe('timers', () => {
  test('fire in order of time, ties in order of arming, whatever was re-armed or disarmed (against a sorted list)', () => {
    const operation = fc.record({ index: fc.nat(19), at: fc.nat(50), arm: fc.boolean() })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const timers = new Timers()
        const all = Array.from({ length: 20 }, () => new Timer(() => undefined))
        const model = new Map<Timer, { at: number; order: number }>()
        for (const [order, { index, at, arm }] of operations.entries()) {
          const timer = all[index] as Timer
          if (arm) {
            timers.arm(timer, at)
            model.set(timer, { at, order })
          } else {
            timers.disarm(timer)
            model.delete(timer)
          }
        }
        const expected = [...model].sort(([, a], [, b]) => a.at - b.at || a.order - b.order).map(([timer]) => timer)
        const fired: Timer[] = []
        for (let timer = timers.shift(); timer !== undefined; timer = timers.shift()) fired.push(timer)
        expect(fired.map((timer) => all.indexOf(timer))).toEqual(expected.map((timer) => all.indexOf(timer)))
        expect(timers.next).toBe(Number.POSITIVE_INFINITY)
      }),
    )
  })
})

describe('rumours in wait', () => {
  const peer = 'peer' as NodeId
  const neighbours = new Set<NodeId>()
  const reach = { sendsMax: 9, listeners: 99, neighbours }

  test('those sent least often go first, and each leaves after so many sends', () => {
    const queue = new RumourQueue(10)
    const reach = { sendsMax: 3, listeners: 99, neighbours }
    queue.add(rumour('a', 1, 'alive'))
    queue.add(rumour('b', 1, 'alive'))
    expect(queue.take(peer, 1, reach).map(({ rumour }) => rumour.node)).toEqual(['a'])
    queue.add(rumour('c', 1, 'alive'))
    expect(queue.take('q' as NodeId, 2, reach).map(({ rumour }) => rumour.node)).toEqual(['b', 'c'])
    expect(queue.take('r' as NodeId, 9, reach)).toHaveLength(3)
    expect(queue.take('s' as NodeId, 9, reach)).toHaveLength(3)
    expect(queue.take('t' as NodeId, 9, reach)).toEqual([])
  })

  test('M-25: it is no news to who was told, nor to who has told it; what all know leaves', () => {
    const queue = new RumourQueue(10)
    const reach = { sendsMax: 99, listeners: 3, neighbours }
    queue.add(rumour('a', 2, 'alive'))
    expect(queue.take(peer, 9, reach)).toHaveLength(1)
    expect(queue.take(peer, 9, reach)).toEqual([])
    queue.heard('q' as NodeId, rumour('a', 1, 'alive'))
    expect(queue.take('q' as NodeId, 9, reach)).toHaveLength(1)
    queue.heard('r' as NodeId, rumour('a', 2, 'alive'))
    expect(queue.size).toBe(1)
    expect(queue.take('r' as NodeId, 9, reach)).toEqual([])
    expect(queue.size).toBe(0)
  })

  test('a newer rumour about a node replaces the older; nobody hears its own back', () => {
    const queue = new RumourQueue(10)
    queue.add(rumour('a', 1, 'suspect', 'x'))
    queue.add(rumour('a', 2, 'alive'), 'teller' as NodeId)
    expect(queue.take('teller' as NodeId, 9, reach)).toEqual([])
    expect(queue.take('a' as NodeId, 9, reach)).toEqual([])
    expect(queue.take(peer, 9, reach)).toEqual([{ rumour: rumour('a', 2, 'alive'), count: 1 }])
  })

  test('M-14: the subject of a suspicion is told', () => {
    const queue = new RumourQueue(10)
    queue.add(rumour('a', 1, 'suspect', 'x'))
    expect(queue.take('a' as NodeId, 9, reach)).toHaveLength(1)
  })

  test('M-30: a doubt and a death are kept for the neighbours however often they were sent, and then for nobody else', () => {
    for (const state of ['suspect', 'dead', 'alive'] as const) {
      const queue = new RumourQueue(10)
      const near = { sendsMax: 2, listeners: 99, neighbours: new Set(['near', 'nearer'] as NodeId[]) }
      const hears = (name: string) => queue.take(name as NodeId, 9, near).length === 1
      queue.add(rumour('a', 1, state, 'x'))
      const told = ['far', 'near', 'farther', 'nearer', 'farthest'].filter(hears)
      expect(told).toEqual(state === 'alive' ? ['far', 'near'] : ['far', 'near', 'nearer'])
      expect(queue.size).toBe(0)
    }
  })

  test('M-4: at the bound the one that most have heard makes room', () => {
    const queue = new RumourQueue(2)
    queue.add(rumour('a', 1, 'alive'))
    queue.take(peer, 9, reach)
    queue.add(rumour('b', 1, 'alive'))
    queue.add(rumour('c', 1, 'alive'))
    expect(queue.take(peer, 9, reach).map(({ rumour }) => rumour.node)).toEqual(['b', 'c'])
  })
})

describe('accusers', () => {
  test('one counts once, and no more are kept than could matter', () => {
    const { lan } = MEMBERSHIP_PROFILES
    const suspicion = new Suspicion(0, new Timer(() => undefined))
    const accused = ['a', 'a', 'b', 'c', 'd', 'e', 'a'].map((name) => suspicion.accuse(name as NodeId, false, lan))
    expect(accused).toEqual([true, false, true, true, true, false, false])
  })

  test('only when every connection broke is the shorter minimum enough', () => {
    const { lan } = MEMBERSHIP_PROFILES
    const suspicion = new Suspicion(0, new Timer(() => undefined))
    suspicion.accuse('a' as NodeId, true, lan)
    expect(suspicion.endsAt(lan, true, 0)).toBe(lan.suspicionLostMinMs)
    suspicion.accuse('b' as NodeId, false, lan)
    expect(suspicion.endsAt(lan, true, 0)).toBe(lan.suspicionMinMs)
  })
})

describe('M-16: the overlay', () => {
  const options = { rings: 3, ringSpan: 3, fullMeshMax: 32, fullMeshMin: 24 }
  const names = (count: number) => Array.from({ length: count }, (_, i) => `node${i}` as NodeId)

  function build(nodes: readonly NodeId[]): Overlay {
    const overlay = new Overlay(options)
    for (const node of nodes) overlay.add(node, hashText(node))
    return overlay
  }

  test('is a function of the members alone, whatever the order of their coming and going', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(names(80), { minLength: 40 }), fc.array(fc.nat(79)), (members, gone) => {
        const left = build([...members].sort())
        const right = build(members)
        for (const index of gone) {
          const visitor = `visitor${index}` as NodeId
          right.add(visitor, hashText(visitor))
        }
        for (const index of new Set(gone)) {
          const visitor = `visitor${index}` as NodeId
          while (right.neighboursOf(members[0] as NodeId, hashText(members[0] as string)).size > 0) {
            const before = right.size
            right.remove(visitor, hashText(visitor))
            if (right.size === before) break
          }
        }
        for (const node of members) {
          expect([...right.neighboursOf(node, hashText(node))].sort()).toEqual(
            [...left.neighboursOf(node, hashText(node))].sort(),
          )
        }
      }),
      { numRuns: 20 },
    )
  })

  test('is mutual, bounded and connected, and its neighbours share helpers', () => {
    const nodes = names(500)
    const overlay = build(nodes)
    const neighbours = new Map(nodes.map((node) => [node, overlay.neighboursOf(node, hashText(node))]))
    for (const [node, mine] of neighbours) {
      expect(mine.size).toBeLessThanOrEqual(18)
      for (const other of mine) {
        expect(neighbours.get(other)?.has(node)).toBe(true)
        const shared = [...mine].filter((third) => neighbours.get(other)?.has(third))
        expect(shared.length).toBeGreaterThanOrEqual(2)
      }
    }
    let reached = new Set([nodes[0] as NodeId])
    for (let hops = 0; hops < 4; hops++)
      reached = new Set([...reached].flatMap((n) => [n, ...(neighbours.get(n) ?? [])]))
    expect(reached.size).toBe(500)
  })

  test.each([7, 8, 33])(
    'M-32: each of %i is the first neighbour of one other, the second of another, and so on',
    (count) => {
      const nodes = names(count)
      const overlay = build(nodes)
      const inOrder = nodes.map((node) => [...overlay.neighboursOf(node, hashText(node))])
      // Of several rings the later ones leave out whom the first has named.
      const turns = overlay.mode === 'mesh' ? count - 1 : 2 * options.ringSpan
      for (let turn = 0; turn < turns; turn++) {
        expect(new Set(inOrder.map((neighbours) => neighbours[turn])).size).toBe(count)
      }
    },
  )

  test('changes between mesh and rings with hysteresis', () => {
    const overlay = build(names(33))
    expect(overlay.mode).toBe('rings')
    for (const node of names(33).slice(24)) overlay.remove(node, hashText(node))
    expect([overlay.size, overlay.mode]).toEqual([24, 'rings'])
    overlay.remove('node0' as NodeId, hashText('node0'))
    expect([overlay.mode, overlay.neighboursOf('node1' as NodeId, hashText('node1')).size]).toEqual(['mesh', 22])
    for (const node of names(33).slice(24, 32)) overlay.add(node, hashText(node))
    expect(overlay.mode).toBe('mesh')
  })
})

describe('network coordinates', () => {
  /** Sites on a plane, 1 ms per unit, with an access link each: what height vectors are for. */
  function world(count: number) {
    const random = new Random('world')
    const sites = Array.from({ length: count }, () => ({
      x: random.between(0, 120),
      y: random.between(0, 80),
      access: random.between(0.5, 8),
    }))
    return (a: number, b: number): number => {
      const [left, right] = [sites[a], sites[b]]
      if (left === undefined || right === undefined) throw new RangeError('no such site')
      return Math.hypot(left.x - right.x, left.y - right.y) + left.access + right.access
    }
  }

  test('learn to predict round trips that were never measured', () => {
    const count = 40
    const rtt = world(count)
    const random = new Random('vivaldi')
    const places = Array.from({ length: count }, () => COORDINATE_ORIGIN)
    const peers = places.map((_, i) =>
      random.sample(
        places.map((__, j) => j).filter((j) => j !== i),
        10,
      ),
    )
    const medianError = () => {
      const errors: number[] = []
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < i; j++) {
          const predicted = predictedRttMs(places[i] ?? COORDINATE_ORIGIN, places[j] ?? COORDINATE_ORIGIN)
          errors.push(Math.abs(predicted - rtt(i, j)) / rtt(i, j))
        }
      }
      return errors.sort((a, b) => a - b)[errors.length >> 1] ?? 1
    }
    const before = medianError()
    for (let round = 0; round < 400; round++) {
      for (let i = 0; i < count; i++) {
        const j = random.pick(peers[i] ?? [])
        const sample = rtt(i, j) * random.between(1, 1.1)
        places[i] = moved(places[i] ?? COORDINATE_ORIGIN, places[j] ?? COORDINATE_ORIGIN, sample, random)
      }
    }
    expect(before).toBeGreaterThan(0.9)
    expect(medianError()).toBeLessThan(0.1)
  })

  test('one sample moves by a part of its error only, and a senseless one not at all', () => {
    const random = new Random('one')
    const at = { x: 10, y: 0, z: 0, height: 1, errorThousandths: 200 }
    const peer = { x: 0, y: 0, z: 0, height: 1, errorThousandths: 200 }
    const pulled = moved(at, peer, 2000, random)
    expect(predictedRttMs(pulled, peer)).toBeLessThan(12 + 2000 / 4)
    for (const senseless of [-1, Number.NaN, 1e9]) expect(moved(at, peer, senseless, random)).toBe(at)
  })

  test('stay within what may go over the wire, whatever a peer claims', () => {
    const axis = fc.double({ min: -10_000, max: 10_000, noNaN: true })
    const place = fc.record({
      x: axis,
      y: axis,
      z: axis,
      height: fc.double({ min: 0, max: 10_000, noNaN: true }),
      errorThousandths: fc.nat(1500),
    })
    const random = new Random('bounds')
    fc.assert(
      fc.property(place, place, fc.double({ min: 0, max: 20_000, noNaN: true }), (at, peer, rttMs) => {
        const to = moved(at, peer, rttMs, random)
        for (const value of [to.x, to.y, to.z]) expect(Math.abs(value)).toBeLessThanOrEqual(10_000)
        expect(to.height).toBeGreaterThanOrEqual(0)
        expect(to.height).toBeLessThanOrEqual(10_000)
        expect(Number.isInteger(to.errorThousandths) && to.errorThousandths <= 1500).toBe(true)
      }),
    )
  })
})

describe('parameters', () => {
  test('every profile keeps the relations, and breaking one is found', () => {
    for (const profile of Object.values(MEMBERSHIP_PROFILES)) checkMembershipParams(profile)
    const { lan } = MEMBERSHIP_PROFILES
    const broken = [
      { suspicionMinMs: 1000 },
      { suspicionMaxMs: 2000 },
      { suspicionOrphanMs: 5000 },
      { syncIntervalMs: 30_000 },
      { linksMax: 10 },
      { fullMeshMin: 40 },
    ]
    for (const change of broken) expect(() => checkMembershipParams({ ...lan, ...change })).toThrow()
  })

  test('hashes spread: no bucket of 256 holds more than a few of 5,000 names', () => {
    const sizes = new Map<number, number>()
    for (let i = 0; i < 5000; i++) {
      const bucket = hashText(`12D3KooW${i as Incarnation & number}`) >>> 24
      sizes.set(bucket, (sizes.get(bucket) ?? 0) + 1)
    }
    expect(Math.max(...sizes.values())).toBeLessThan(45)
  })
})
