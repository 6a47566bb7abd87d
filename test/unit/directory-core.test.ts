import { describe, expect, test } from 'vitest'
import {
  checkDirectoryParams,
  DIRECTORY_BODIES,
  DIRECTORY_PROFILES,
  type DirectoryEffect,
} from '../../src/directory/index.ts'
import type { Incarnation, NodeId } from '../../src/kernel/index.ts'
import { encode, rulesOf, type Statement } from '../../src/wire/index.ts'
import { digest, report, SoloDirectory, skill } from './directory-fixtures.ts'

const LAN = DIRECTORY_PROFILES.lan

function gone(effects: readonly DirectoryEffect[]) {
  return effects.flatMap((e) => (e.kind === 'event' && e.event.kind === 'digest-gone' ? [e.event] : []))
}

describe('what is held', () => {
  test('D-1: only newer digests are accepted, and a restart begins a newer run', () => {
    const solo = new SoloDirectory()
    solo.members('a')
    for (const version of [3, 2, 3]) solo.gossip(digest('a', version))
    expect(solo.version('a')).toBe(3)
    expect(solo.effects.filter((e) => e.kind === 'event')).toHaveLength(1)
    solo.gossip(digest('a', 1, { run: 2 as Incarnation }))
    expect(solo.version('a')).toBe(1)
    solo.gossip(digest('a', 9))
    expect(solo.version('a')).toBe(1)
  })

  test('D-1, D-3: an entry expires, and its old digest does not come back', () => {
    const solo = new SoloDirectory()
    solo.members('a')
    solo.gossip(digest('a', 3))
    solo.run(LAN.expiryMs - 1)
    expect(solo.version('a')).toBe(3)
    solo.run(1)
    expect(gone(solo.effects)).toEqual([{ kind: 'digest-gone', node: 'a', reason: 'expired' }])
    solo.gossip(digest('a', 3))
    expect(solo.version('a')).toBeUndefined()
    solo.gossip(digest('a', 4))
    expect(solo.version('a')).toBe(4)
  })

  test('D-3: a renewed entry stays', () => {
    const solo = new SoloDirectory()
    solo.members('a')
    for (let version = 1; version < 10; version++) {
      solo.gossip(digest('a', version))
      solo.run(LAN.heartbeatMs)
    }
    expect(gone(solo.effects)).toEqual([])
  })

  test('D-2: only members are held, verified, and within the bound', () => {
    const solo = new SoloDirectory({ entriesMax: 3 })
    solo.gossip(digest('stranger', 1))
    solo.members('a', 'b', 'c')
    expect(solo.effects).toContainEqual({ kind: 'observe', observation: { kind: 'directory-full', node: 'c' } })
    const forged = { ...digest('b', 1), signer: 'a' as NodeId }
    const effects = solo.say('b', { kind: 'directory.sync-reply', body: [forged, digest('c', 1), digest('b', 1)] })
    expect([...solo.core.entries()].map((entry) => entry.node)).toEqual(['b'])
    expect(effects.filter((e) => e.kind === 'penalise')).toHaveLength(1)
    // Whoever passes gossip on has not verified it.
    expect(solo.gossip(forged).filter((e) => e.kind === 'penalise')).toEqual([])
  })

  test('D-3: the digest of a node that is down goes at once', () => {
    const solo = new SoloDirectory()
    solo.members('a')
    solo.gossip(digest('a', 1))
    const effects = solo.step({ kind: 'member-down', node: 'a' as NodeId })
    expect(gone(effects)).toEqual([{ kind: 'digest-gone', node: 'a', reason: 'member-down' }])
    expect(solo.core.size).toBe(0)
    expect(solo.gossip(digest('a', 2))).toEqual([])
  })
})

describe('D-10: hints', () => {
  test('change nothing but what is thought of their author', () => {
    const solo = new SoloDirectory()
    solo.members('a', 'b')
    solo.step({ kind: 'report', report: report() })
    solo.gossip(digest('b', 1))
    const others = () => [solo.core.entry('me' as NodeId), solo.core.entry('b' as NodeId)]
    const before = structuredClone(others())
    // What a node with everything to give would say; a copy of this very node; and one in another's name.
    const boast = { skills: [skill('echo', { slotsFree: 1e6, slotsTotal: 1e6 })], resources: { cpu: 1e6 } }
    const effects = [
      ...solo.gossip(digest('a', 1, boast)),
      ...solo.gossip(digest('me', 9, boast)),
      ...solo.say('a', { kind: 'directory.sync-reply', body: [{ ...digest('a', 9, boast), signer: 'b' as NodeId }] }),
    ]
    expect(others()).toEqual(before)
    // All that a hint can do: be noted, or cost who sent it. Nothing is asked of, promised to or taken from anybody.
    const kinds = effects.map((e) => (e.kind === 'event' ? e.event.kind : e.kind))
    expect(new Set(kinds)).toEqual(new Set(['digest-updated', 'observe', 'penalise']))
  })
})

describe('what is published', () => {
  test('D-4: the first report at once, then changes that matter, in bursts of one', () => {
    const solo = new SoloDirectory()
    solo.step({ kind: 'report', report: report() })
    expect(solo.published()).toHaveLength(1)
    for (let total = 5; total <= 8; total++) {
      solo.step({ kind: 'report', report: report({ skills: [skill('echo', { slotsTotal: total })] }) })
    }
    expect(solo.published()).toHaveLength(1)
    solo.run(LAN.intervalMinMs)
    expect(solo.published()).toHaveLength(2)
    expect(solo.core.entry('me' as NodeId)?.digest).toMatchObject({ version: 2, skills: [{ slotsTotal: 8 }] })
  })

  test('D-12: a first report that offers nothing waits for the swarm to stop growing, and no longer than a heartbeat', () => {
    const bare = report({ skills: [] })
    const solo = new SoloDirectory()
    solo.step({ kind: 'report', report: bare })
    for (const name of ['a', 'b', 'c']) {
      solo.run(LAN.growthCalmMs - 1)
      solo.members(name)
    }
    solo.run(LAN.growthCalmMs - 1)
    expect(solo.published()).toHaveLength(0)
    solo.run(1)
    expect(solo.published()).toHaveLength(1)

    const crowded = new SoloDirectory()
    crowded.step({ kind: 'report', report: bare })
    const joinMs = 2_000
    for (let i = 0; i < LAN.heartbeatMs / joinMs; i++) {
      crowded.run(joinMs - 1)
      expect(crowded.published()).toHaveLength(0)
      crowded.members(`n${i}`)
      crowded.run(1)
    }
    expect(crowded.published()).toHaveLength(1)
  })

  test('D-12: the first agent is told at once', () => {
    const solo = new SoloDirectory()
    solo.members('a')
    solo.step({ kind: 'report', report: report({ skills: [] }) })
    solo.run(1)
    expect(solo.published()).toHaveLength(0)
    solo.step({ kind: 'report', report: report() })
    expect(solo.published()).toHaveLength(1)
  })

  test.each([
    [15, 1],
    [63, 4],
  ])('D-4: of %i others, load is told every %i intervals, and not what was taken and given back', (others, times) => {
    const solo = new SoloDirectory()
    solo.members(...Array.from({ length: others }, (_, i) => `n${i}`))
    solo.step({ kind: 'report', report: report() })
    const busy = report({ skills: [skill('echo', { slotsFree: 0 })] })
    solo.step({ kind: 'report', report: busy })
    solo.step({ kind: 'report', report: report() })
    solo.run(LAN.loadIntervalMs * times)
    expect(solo.published()).toHaveLength(1)
    // Nor what does not last.
    const lastsMs = LAN.loadIntervalMs / 5
    for (const each of [busy, report(), busy]) {
      solo.step({ kind: 'report', report: each })
      solo.run(lastsMs - 1)
      expect(solo.published()).toHaveLength(1)
    }
    solo.run(1)
    expect(solo.published()).toHaveLength(2)
    solo.step({ kind: 'report', report: report() })
    solo.run(LAN.loadIntervalMs * times - 1)
    expect(solo.published()).toHaveLength(2)
    solo.run(1)
    expect(solo.published()).toHaveLength(3)
  })

  test('D-4: what does not matter waits for the heartbeat, and the heartbeat comes without any change', () => {
    const solo = new SoloDirectory()
    solo.step({ kind: 'report', report: report() })
    solo.step({ kind: 'report', report: report({ eventLoopLagMs: 7, cpuThousandths: 150 }) })
    solo.run(LAN.heartbeatMs * 0.8)
    expect(solo.published()).toHaveLength(1)
    solo.run(LAN.heartbeatMs * 0.2)
    expect(solo.core.entry('me' as NodeId)?.digest).toMatchObject({ version: 2, eventLoopLagMs: 7 })
    solo.run(LAN.heartbeatMs)
    expect(solo.version('me')).toBe(3)
  })

  describe('D-4: in a crowd of 160', () => {
    const others = Array.from({ length: 159 }, (_, i) => `n${i}`)

    test('heartbeats are ten times as rare, and expiry as much later', () => {
      const solo = new SoloDirectory()
      solo.members(...others)
      solo.gossip(digest('n0', 1))
      solo.step({ kind: 'report', report: report() })
      solo.run(LAN.heartbeatMs * 8.9)
      expect(solo.version('me')).toBe(1)
      solo.run(LAN.heartbeatMs * 1.1)
      expect(solo.version('me')).toBe(2)
      solo.run(LAN.expiryMs * 5)
      expect(solo.version('n0')).toBe(1)
      solo.run(LAN.expiryMs * 5)
      expect(solo.version('n0')).toBeUndefined()
    })

    test('once it has gone, those who are left hear as often as ever and forget nobody at once', () => {
      const solo = new SoloDirectory()
      solo.members(...others)
      solo.gossip(digest('n0', 1))
      solo.step({ kind: 'report', report: report() })
      solo.run(LAN.heartbeatMs * 5)
      for (const node of others.slice(1)) solo.step({ kind: 'member-down', node: node as NodeId })
      solo.run(1)
      expect([solo.version('me'), solo.version('n0')]).toEqual([2, 1])
    })
  })

  test.each([
    ['the last slot is taken', report({ skills: [skill('echo', { slotsFree: 0 })] }), true],
    ['the processors become more', report({ capacity: { cpu: 16 } }), true],
    ['a skill comes', report({ skills: [skill('echo'), skill('cat')] }), true],
    ['another skill in its place', report({ skills: [skill('cat')] }), true],
    ['it drains', report({ accepting: false }), true],
    ['a label changes', report({ labels: { gpu: ['T4'] } }), true],
    ['half the processors are taken', report({ resources: { cpu: 4 } }), true],
    ['a little of the memory is taken', report({ resources: { cpu: 7.9 } }), false],
    ['the load moves by a tenth', report({ cpuThousandths: 200 }), false],
    ['the load doubles and more', report({ cpuThousandths: 400 }), true],
  ])('D-4: %s', (_, after, matters) => {
    const solo = new SoloDirectory()
    solo.step({ kind: 'report', report: report() })
    solo.step({ kind: 'report', report: after })
    solo.run(LAN.loadIntervalMs)
    expect(solo.published()).toHaveLength(matters ? 2 : 1)
  })
})

test('D-2: the largest digest that can be said fits its message', () => {
  const names = (count: number, bytes: number): string[] =>
    Array.from({ length: count }, (_, i) => String(i).padEnd(bytes, 'x'))
  const amounts = Object.fromEntries(names(16, 48).map((unit) => [unit, 1e6 / 7]))
  const values = names(4, 64)
  const largest = report({
    skills: names(64, 64).map((name) => skill(name, { slotsFree: 1e6, slotsTotal: 1e6, queued: 1e6, price: 1 / 3 })),
    resources: amounts,
    capacity: amounts,
    labels: Object.fromEntries(names(24, 48).map((name) => [name, values])),
    agents: 1e6,
    rssMiB: 1e8,
  })
  const solo = new SoloDirectory()
  solo.step({ kind: 'report', report: largest })
  const statements = solo.effects.flatMap((effect) =>
    effect.kind === 'publish' ? [effect.message.body as Statement] : [],
  )
  const bytes = encode(DIRECTORY_BODIES['directory.digest'], statements[0] as Statement)
  expect(bytes.length).toBeLessThanOrEqual(rulesOf('directory.digest').bytesMax)
})

describe('D-5: comparing tables', () => {
  /** Carries messages between two directories until both are silent. */
  function exchange(a: SoloDirectory, b: SoloDirectory, first: readonly DirectoryEffect[]): number {
    let messages = 0
    const queue = first.map((effect) => ({ by: a, effect }))
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (next.effect.kind !== 'send') continue
      messages += 1
      const other = next.by === a ? b : a
      const sender = next.by
      for (const effect of other.say(sender.id, next.effect.message)) queue.push({ by: other, effect })
    }
    return messages
  }

  function pair() {
    const a = new SoloDirectory({}, 'a')
    const b = new SoloDirectory({}, 'b')
    const names = Array.from({ length: 300 }, (_, i) => `n${i}`)
    a.members('b', ...names)
    b.members('a', ...names)
    a.step({ kind: 'link-up', peer: 'b' as NodeId })
    return { a, b, names }
  }

  test('over every new link once and soon, so that a newcomer need not wait for its turn', () => {
    const solo = new SoloDirectory({}, 'a')
    const peers = ['b', 'c', 'd', 'e']
    solo.members(...peers)
    for (const peer of peers) solo.step({ kind: 'link-up', peer: peer as NodeId })
    solo.step({ kind: 'link-down', peer: 'e' as NodeId })
    const before = solo.effects.length
    solo.run(LAN.syncIntervalMs * 0.2)
    const asked = solo.effects.slice(before).flatMap((effect) => (effect.kind === 'send' ? [effect.to] : []))
    expect(asked.sort()).toEqual(['b', 'c', 'd'])
  })

  function sync(a: SoloDirectory, b: SoloDirectory): number {
    const before = a.effects.length
    a.run(LAN.syncIntervalMs)
    return exchange(a, b, a.effects.slice(before))
  }

  test('each learns what the other knows better, and then there is nothing more to say', () => {
    const { a, b, names } = pair()
    for (const [i, name] of names.entries()) {
      if (i % 2 === 0) a.gossip(digest(name, 1 + (i % 3)))
      if (i % 3 === 0) b.gossip(digest(name, 2))
    }
    sync(a, b)
    for (const [i, name] of names.entries()) {
      const best = Math.max(i % 2 === 0 ? 1 + (i % 3) : 0, i % 3 === 0 ? 2 : 0)
      expect([a.version(name), b.version(name)]).toEqual(best === 0 ? [undefined, undefined] : [best, best])
    }
    // Questions without answers: the tables are equal.
    const before = b.effects.length
    expect(sync(a, b)).toBeGreaterThan(0)
    expect(b.effects.slice(before)).toEqual([])
  })

  test('the dead are not brought back by a peer that has not heard', () => {
    const { a, b } = pair()
    a.gossip(digest('n1', 1))
    b.gossip(digest('n1', 1))
    a.step({ kind: 'member-down', node: 'n1' as NodeId })
    sync(a, b)
    expect(a.version('n1')).toBeUndefined()
  })
})

test('every profile keeps the relations, and breaking one is found', () => {
  for (const params of Object.values(DIRECTORY_PROFILES)) checkDirectoryParams(params)
  expect(() => checkDirectoryParams({ ...LAN, expiryMs: LAN.heartbeatMs * 2 })).toThrow()
})
