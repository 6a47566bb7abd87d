import { describe, expect, test } from 'vitest'
import { type Incarnation, type NodeId, Random, TICK } from '../../src/kernel/index.ts'
import { MEMBERSHIP_PROFILES } from '../../src/membership/index.ts'
import { outsiderPatienceMs } from '../../src/membership/params.ts'
import { answer, entry, rumour, runWith, Solo, sent } from './membership-solo.ts'

const LAN = MEMBERSHIP_PROFILES.lan

describe('suspicion', () => {
  /** How long after the first rumour the subject is given up, with these accusers and a subject that never speaks. */
  function endsAfter(accusers: readonly string[], state: 'suspect' | 'dead' = 'suspect'): number {
    const others = ['a', 'b', 'c', 'e', 'f']
    const solo = new Solo()
    solo.meet(...others)
    // No link to the subject and no time to become its judge by a probe of one's own.
    solo.link('x')
    solo.hear('x', { entries: [entry('x', 1)] })
    const start = solo.now
    solo.hear('a', { rumours: accusers.map((accuser) => rumour('x', 1, state, accuser)) })
    while (solo.state('x') !== 'dead' && solo.now - start < 60_000) runWith(solo, 50, others)
    return solo.now - start
  }

  test('shrinks with independent confirmations, down to its minimum', () => {
    const alone = endsAfter(['a'])
    const confirmed = endsAfter(['a', 'b', 'c'])
    // Our own failed probe is one accuser more in each.
    expect(alone).toBeGreaterThan(confirmed)
    expect(confirmed).toBeGreaterThanOrEqual(LAN.suspicionMinMs)
    expect(confirmed).toBeLessThan(LAN.suspicionMinMs + 100)
  })

  test('the same accuser, again and again, confirms nothing', () => {
    expect(endsAfter(['a', 'a', 'a', 'a'])).toBe(endsAfter(['a']))
  })

  test('M-10: a claim of death ends it at its minimum and not sooner', () => {
    const claimed = endsAfter(['a'], 'dead')
    expect(claimed).toBeGreaterThanOrEqual(LAN.suspicionMinMs)
    expect(claimed).toBeLessThan(LAN.suspicionMinMs + 100)
  })

  /** A doubt of `a` about somebody whom this node neither has for a neighbour nor is linked to. */
  function orphan(): { solo: Solo; stranger: string } {
    const solo = new Solo({ params: { fullMeshMax: 4, fullMeshMin: 2, rings: 1, ringSpan: 1 } })
    solo.meet('a')
    for (let i = 0; i < 30; i++) solo.hear('a', { entries: [entry(`m${i}`, 1)] })
    runWith(solo, 1000, ['a'])
    const neighbours = solo.core.neighbours()
    const stranger = Array.from({ length: 30 }, (_, i) => `m${i}`).find((m) => !neighbours.includes(m as NodeId)) ?? ''
    solo.hear('a', { rumours: [rumour(stranger, 1, 'suspect', 'a')] })
    runWith(solo, LAN.suspicionMaxMs + 1000, ['a'])
    expect(solo.state(stranger)).toBe('suspect')
    return { solo, stranger }
  }

  function askedAbout(solo: Solo, target: string, since: number) {
    return sent(solo.effects.slice(since), 'membership.ping-request').find(({ body }) => body.target === target)
  }

  test('M-11: who is neither neighbour nor linked leaves the judgement to others, for a time', () => {
    const { solo, stranger } = orphan()
    const before = solo.effects.length
    runWith(solo, LAN.suspicionOrphanMs - LAN.suspicionMaxMs, ['a'])
    expect(solo.state(stranger)).toBe('suspect')
    expect(askedAbout(solo, stranger, before)).toMatchObject({ to: 'a', body: { suspected: true } })
    runWith(solo, LAN.suspicionMaxMs, ['a'])
    expect(solo.state(stranger)).toBe('dead')
  })

  test('M-11: who then finds it alive believes it, although it has missed the refutation', () => {
    const { solo, stranger } = orphan()
    const before = solo.effects.length
    runWith(solo, LAN.suspicionOrphanMs - LAN.suspicionMaxMs, ['a'])
    const { sequence = 0 } = askedAbout(solo, stranger, before)?.body ?? {}
    const ack = { sequence, subject: stranger as NodeId, coordinate: solo.core.coordinate, rumours: [] }
    solo.say('a', { kind: 'membership.ack', body: { ...ack, entry: entry(stranger, 2) } })
    expect(solo.state(stranger)).toBe('alive')
    runWith(solo, 2 * LAN.suspicionMaxMs, ['a'])
    expect(solo.state(stranger)).toBe('alive')
  })

  test('M-12: whoever hears the suspect does not declare it dead', () => {
    const solo = new Solo()
    solo.meet('a', 'b', 'c', 'd')
    solo.hear('a', { rumours: ['a', 'b', 'c'].map((accuser) => rumour('d', 1, 'suspect', accuser)) })
    runWith(solo, 20_000, ['a', 'b', 'c', 'd'])
    expect(solo.state('d')).toBe('suspect')
    solo.hear('d', { entries: [entry('d', 2)] })
    expect(solo.state('d')).toBe('alive')
    expect(solo.events('member-cleared')).toHaveLength(1)
  })

  test('M-14: the suspect is asked fast, and every ping to it says that it is suspected', () => {
    const solo = new Solo()
    solo.meet('a', 'd')
    solo.hear('a', { rumours: [rumour('d', 1, 'suspect', 'a')] })
    const before = solo.effects.length
    runWith(solo, 2000, ['a'])
    const pings = sent(solo.effects.slice(before), 'membership.ping').filter((m) => m.to === 'd')
    expect(pings.length).toBeGreaterThanOrEqual(6)
    expect(pings.every((m) => m.body.suspected)).toBe(true)
  })
})

describe('own condition', () => {
  test('M-13: a pause of our own shifts every time-out by as much, and is observed', () => {
    const punctual = new Solo()
    const paused = new Solo()
    for (const solo of [punctual, paused]) {
      solo.meet('a', 'b', 'd')
      solo.hear('a', { rumours: ['a', 'b'].map((accuser) => rumour('d', 1, 'suspect', accuser)) })
      runWith(solo, 1000, ['a', 'b'])
    }
    const lateBy = 60_000
    const health = paused.core.health
    paused.now = paused.core.deadline() + lateBy
    paused.step({ kind: 'tick' })
    expect(paused.state('d')).toBe('suspect')
    expect(paused.observations('lagging')).toEqual([{ kind: 'lagging', lagMs: lateBy, health: health + 1 }])
    expect(paused.core.deadline()).toBeLessThan(paused.now + LAN.suspicionMinMs)
    for (const solo of [punctual, paused]) runWith(solo, LAN.suspicionMaxMs, ['a', 'b'])
    expect([punctual.state('d'), paused.state('d')]).toEqual(['dead', 'dead'])
  })

  test('M-13: after lags of any fraction of a millisecond, a step at the deadline always gets something done', () => {
    const random = new Random('fractions')
    for (let i = 0; i < 300; i++) {
      const solo = new Solo()
      // A host's clock has fractions that no sum keeps exactly.
      solo.now = random.between(1e3, 1e6) / 3
      solo.meet('a', 'b', 'c')
      for (let lag = 0; lag < 20; lag++) {
        const deadline = solo.core.deadline()
        solo.now = Math.max(solo.now, deadline) + (lag % 3 === 0 ? random.between(300, 3000) / 3 : 0)
        solo.step({ kind: 'tick' })
        expect(solo.core.deadline()).toBeGreaterThan(solo.now)
      }
    }
  })

  test('M-13: after any lag, who waits for the swarm to stop growing waits no longer than that', () => {
    const random = new Random('growing')
    for (let i = 0; i < 300; i++) {
      const solo = new Solo({ id: 'a' })
      solo.now = random.between(1e3, 1e6) / 3
      solo.meet(...Array.from({ length: 8 }, (_, peer) => `n${peer}`))
      for (let turn = 0; turn < 60; turn++) {
        if (turn % 6 === 0) solo.hear('n0', { entries: [entry(`x${turn}`, 1)] })
        const lateMs = turn % 3 === 0 ? random.between(300, 3000) / 3 : 0
        solo.now = Math.max(solo.now, solo.core.deadline()) + lateMs
        solo.step({ kind: 'tick' })
        expect(solo.core.deadline()).toBeGreaterThan(solo.now)
      }
    }
  })

  test('M-15: one that doubts this node without end makes it no more patient with others than a single doubt does', () => {
    const solo = new Solo()
    const others = ['a', 'b', 'c']
    solo.meet(...others, 'liar')
    let worst = 0
    for (let i = 0; i < 600; i++) {
      const yours = solo.core.self().incarnation
      const ping = { sequence: i, mine: 1 as Incarnation, yours, suspected: true, rumours: [] }
      solo.say('liar', { kind: 'membership.ping', body: { ...ping, coordinate: solo.core.coordinate } })
      runWith(solo, 100, [...others, 'liar'])
      worst = Math.max(worst, solo.core.health)
    }
    expect(solo.observations('refuted').length).toBeGreaterThan(100)
    expect(worst).toBe(1)
  })

  test('M-15: helpers that are silent too speak against ourselves, and stretch our patience', () => {
    const solo = new Solo()
    solo.meet('a', 'b', 'c')
    expect(solo.core.health).toBe(0)
    solo.run(4000)
    expect(solo.core.health).toBeGreaterThan(0)
    expect(solo.core.health).toBeLessThanOrEqual(LAN.healthMax)
    runWith(solo, 20_000, ['a', 'b', 'c'])
    for (const peer of ['a', 'b', 'c']) solo.hear(peer, { entries: [entry(peer, 2)] })
    runWith(solo, 20_000, ['a', 'b', 'c'])
    expect(solo.core.health).toBe(0)
  })
})

describe('M-27: what news may cost is bounded', () => {
  /** Gossip in each of so many seconds, in each of which something is said of each of ten members. */
  function toldPerSecond(seconds: number, say: (solo: Solo, node: string, second: number) => void): number[] {
    const solo = new Solo()
    const others = Array.from({ length: 10 }, (_, i) => `n${i}`)
    solo.meet(...others)
    runWith(solo, 3000, others)
    return Array.from({ length: seconds }, (_, second) => {
      const before = solo.effects.length
      for (const node of others) {
        say(solo, node, second)
        runWith(solo, 100, others)
      }
      return sent(solo.effects.slice(before), 'membership.gossip').length
    })
  }

  test('a storm of refuted doubts is told at a steady rate, after a burst', () => {
    const told = toldPerSecond(20, (solo, node, second) => solo.hear(node, { entries: [entry(node, 2 + second)] }))
    const { gossipPerSecond, gossipFanout } = LAN
    expect(told[0]).toBeGreaterThan(2 * gossipPerSecond)
    // With one message beyond it each time that it is used up.
    const perSecondMax = gossipPerSecond + gossipPerSecond / gossipFanout
    const later = told.slice(5).reduce((sum, count) => sum + count, 0) / 15
    expect(later).toBeLessThanOrEqual(perSecondMax)
    expect(later).toBeGreaterThan(gossipPerSecond / 2)
  })

  test('a calm swarm tells at once', () => {
    const told = toldPerSecond(20, (solo, node, second) => {
      if (node === 'n1' && second === 15) solo.hear(node, { entries: [entry(node, 2)] })
    })
    expect(told[15]).toBeGreaterThanOrEqual(LAN.gossipFanout)
  })
})

describe('M-28: who is late does less', () => {
  /**
   * What one of ten nodes sends of its own accord per second while each of its steps comes so much too late, after three
   * in which it came `beforeMs` too late, and after what it has set to come then has come.
   */
  function sentWhenLate(lateMs: number, beforeMs = lateMs): Sent {
    const solo = new Solo()
    const others = Array.from({ length: 10 }, (_, i) => `n${i}`)
    solo.meet(...others)
    runWith(solo, 3000, others)
    const run = (ms: number, byMs: number) => {
      for (const end = solo.now + ms; solo.now < end; ) {
        solo.now = Math.max(solo.now, solo.core.deadline()) + byMs
        answer(solo, solo.step(TICK), others)
      }
    }
    run(3000, beforeMs)
    if (beforeMs !== lateMs) run(6 * outsiderPatienceMs(LAN), lateMs)
    const before = solo.effects.length
    const startedAt = solo.now
    for (let i = 0; i < 40; i++) {
      solo.hear('n1', { entries: [entry('n1', 2 + i)] })
      run(500, lateMs)
    }
    const effects = solo.effects.slice(before)
    // Its last step may come some time after the end.
    const perSecond = (count: number): number => (count * 1000) / (solo.now - startedAt)
    return {
      pings: perSecond(sent(effects, 'membership.ping').length),
      gossip: perSecond(sent(effects, 'membership.gossip').length),
    }
  }

  test('it probes less and tells less, but does not cease to', () => {
    const inTime = sentWhenLate(1)
    const late = sentWhenLate(50)
    expect(late.pings).toBeLessThan(inTime.pings * 0.6)
    expect(late.gossip).toBeLessThan(inTime.gossip * 0.6)
    const veryLate = sentWhenLate(90)
    expect(veryLate.pings).toBeGreaterThan(inTime.pings / 10)
    expect(veryLate.gossip).toBeGreaterThan(inTime.gossip / 10)
  })

  test('an hour of sleep is one late step, and forgotten within seconds', () => {
    const solo = new Solo()
    const others = Array.from({ length: 10 }, (_, i) => `n${i}`)
    solo.meet(...others)
    runWith(solo, 3000, others)
    const pingsIn = (ms: number) => {
      const before = solo.effects.length
      runWith(solo, ms, others)
      return sent(solo.effects.slice(before), 'membership.ping').length
    }
    const usual = pingsIn(10_000)
    solo.now += 3_600_000
    answer(solo, solo.step(TICK), others)
    expect(pingsIn(10_000)).toBeGreaterThan(usual / 2)
  })

  test('a neighbour without a link is given its time all the same', () => {
    const solo = new Solo()
    const others = Array.from({ length: 10 }, (_, i) => `n${i}`)
    solo.meet(...others)
    runWith(solo, 3000, others)
    const late = (ms: number) => {
      for (const end = solo.now + ms; solo.now < end; ) {
        solo.now = Math.max(solo.now, solo.core.deadline()) + 90
        answer(solo, solo.step(TICK), others)
      }
    }
    late(5000)
    solo.hear('n1', { entries: [entry('far', 1)] })
    const before = solo.effects.length
    late(LAN.connectPatienceMs / 2)
    const asked = sent(solo.effects.slice(before), 'membership.ping-request')
    expect(asked.filter(({ body }) => body.target === 'far')).toEqual([])
    expect(solo.state('far')).toBe('alive')
  })

  test('as much as ever once it is in time again', () => {
    const again = sentWhenLate(1, 90)
    expect(again.pings).toBeGreaterThan(sentWhenLate(1).pings * 0.8)
  })
})

interface Sent {
  readonly pings: number
  readonly gossip: number
}

describe('M-23: news waits for company while a crowd grows', () => {
  /** One node of so many, to which nobody has come for long, and the time after which it passes on what it is given now. */
  function passedOnAfter(give: (solo: Solo) => void, members = 20): number {
    const solo = new Solo()
    const others = Array.from({ length: members - 1 }, (_, i) => `n${i}`)
    solo.meet(...others)
    runWith(solo, 3000, others)
    const from = solo.now
    give(solo)
    const before = solo.effects.length
    const isTold = () => sent(solo.effects.slice(before), 'membership.gossip').length > 0
    while (!isTold() && solo.now - from < 5000) runWith(solo, 10, others)
    return solo.now - from
  }
  const { gossipIntervalMs, growthGossipMs } = LAN

  test('who came is told when others may have come, too', () => {
    const toldAfter = passedOnAfter((solo) => solo.hear('n1', { entries: [entry('x', 1)] }))
    expect(toldAfter).toBeGreaterThan(gossipIntervalMs)
    expect(toldAfter).toBeLessThan(growthGossipMs / 2)
  })

  test('the larger the crowd the longer, up to a bound', () => {
    const give = (solo: Solo) => solo.hear('n1', { entries: [entry('x', 1)] })
    const [thirty, sixty, hundred] = [30, 60, 100].map((members) => passedOnAfter(give, members)) as [
      number,
      number,
      number,
    ]
    expect(thirty).toBeGreaterThanOrEqual(2 * gossipIntervalMs)
    expect(sixty).toBeGreaterThanOrEqual(thirty + gossipIntervalMs)
    expect(hundred).toBeLessThanOrEqual(growthGossipMs + 10)
  })

  test('a doubt waits no longer than ever, and takes along what waits', () => {
    const toldAfter = passedOnAfter((solo) => {
      solo.hear('n1', { entries: [entry('x', 1)] })
      solo.hear('n2', { rumours: [rumour('n3', 1, 'suspect', 'n2')] })
    })
    expect(toldAfter).toBeLessThanOrEqual(gossipIntervalMs + 10)
  })

  test('where everyone links to everyone nothing waits', () => {
    const solo = new Solo()
    solo.meet('a', 'b', 'c')
    runWith(solo, 3000, ['a', 'b', 'c'])
    const before = solo.effects.length
    solo.hear('a', { entries: [entry('x', 1)] })
    solo.run(gossipIntervalMs + 10)
    expect(sent(solo.effects.slice(before), 'membership.gossip').length).toBeGreaterThan(0)
  })
})
