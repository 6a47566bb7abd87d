import { describe, expect, test } from 'vitest'
import type { Incarnation, NodeId } from '../../src/kernel/index.ts'
import { MEMBERSHIP_PROFILES, type MemberEntry, type MembershipEffect } from '../../src/membership/index.ts'
import { outsiderPatienceMs, TURNS_MAX } from '../../src/membership/params.ts'
import { answer, entry, rumour, runWith, Solo, sent } from './membership-solo.ts'

const LAN = MEMBERSHIP_PROFILES.lan

/** A peer that answers every ping `delayMs` later; the others answer at once. */
class SlowPeer {
  delayMs = 0
  readonly #owed: { readonly at: number; readonly effect: MembershipEffect }[] = []

  run(solo: Solo, ms: number, slow: string, others: readonly string[]): void {
    const end = solo.now + ms
    while (solo.now < end) {
      const seen = solo.effects.length
      solo.run(10)
      const fresh = solo.effects.slice(seen)
      answer(solo, fresh, others)
      this.#owed.push(...fresh.map((effect) => ({ at: solo.now + this.delayMs, effect })))
      for (let due = this.#owed[0]; due !== undefined && due.at <= solo.now; due = this.#owed[0]) {
        answer(solo, [due.effect], [slow])
        this.#owed.shift()
      }
    }
  }
}

/** These peers ask us every quarter of a second, and need not be asked. */
function askedBy(solo: Solo, ms: number, peers: readonly string[]): void {
  const own = solo.core.member('me' as NodeId)?.incarnation ?? (1 as Incarnation)
  for (let i = 0; i < ms / 250; i++) {
    for (const from of peers) {
      const asked = { sequence: i, mine: 1 as Incarnation, yours: own, suspected: false }
      solo.say(from, { kind: 'membership.ping', body: { ...asked, coordinate: solo.core.coordinate, rumours: [] } })
    }
    solo.run(250)
  }
}

describe('probing', () => {
  test('every neighbour is heard of in the patience of its turn, and those that speak by themselves are left in peace', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    runWith(solo, 2000, ['a', 'b'])
    const before = solo.effects.length
    // Less than the least patience there is.
    for (let i = 0; i < 50; i++) {
      solo.hear('b', { rumours: [rumour('a', 1, 'alive')] })
      runWith(solo, 200, ['a', 'b'])
    }
    const pings = sent(solo.effects.slice(before), 'membership.ping').map((m) => m.to)
    // It is the first or the second to ask, and asks again as long after the answer.
    const patienceMs = LAN.probeCycleMs + 1.5 * LAN.probeSpacingMs
    expect(pings.filter((to) => to === 'a').length).toBeGreaterThanOrEqual(Math.floor(10_000 / patienceMs))
    expect(pings.filter((to) => to === 'b')).toEqual([])
  })

  test('M-32: the judges of a node take turns, so that one asks often and the others seldom', () => {
    const solo = new Solo()
    const peers = Array.from({ length: 8 }, (_, i) => `n${i}`)
    solo.meet(...peers)
    runWith(solo, 10_000, peers)
    const before = solo.effects.length
    const seconds = 120
    runWith(solo, seconds * 1000, peers)
    const pings = sent(solo.effects.slice(before), 'membership.ping')
    const mostOften = peers.map((peer) => pings.filter(({ to }) => to === peer).length).toSorted((a, b) => b - a)
    const { probeCycleMs, probeSpacingMs } = LAN
    for (const [turn, count] of mostOften.entries()) {
      const patienceMs = probeCycleMs + probeSpacingMs * Math.min(turn, TURNS_MAX - 1)
      expect(count).toBeLessThanOrEqual(Math.ceil((seconds * 1000) / patienceMs))
      expect(count).toBeGreaterThanOrEqual(Math.floor((seconds * 1000) / (patienceMs + probeSpacingMs / 2)) - 1)
    }
  })

  test('M-32: whoever is linked for other reasons leaves it to the judges for a while, and asks all the same', () => {
    const solo = new Solo()
    const peers = Array.from({ length: 40 }, (_, i) => `n${i}`)
    solo.meet(...peers)
    runWith(solo, 10_000, peers)
    const pingsIn = (ms: number) => {
      const before = solo.effects.length
      runWith(solo, ms, peers)
      return sent(solo.effects.slice(before), 'membership.ping').map(({ to }) => to as string)
    }
    const judged = new Set(pingsIn(60_000))
    const strangers = peers.filter((peer) => !judged.has(peer)).slice(0, 5)
    solo.step({ kind: 'hold', peers: strangers as NodeId[] })
    runWith(solo, 60_000, peers)
    const outsiderMs = outsiderPatienceMs(LAN)
    const pings = pingsIn(10 * outsiderMs)
    for (const stranger of strangers) {
      const count = pings.filter((to) => to === stranger).length
      expect(count).toBeGreaterThanOrEqual(9)
      expect(count).toBeLessThanOrEqual(10)
    }
  })

  test('M-16: a link over which its peer asks is needed by it, and is not among those closed when there are too many', () => {
    const solo = new Solo()
    const peers = Array.from({ length: 40 }, (_, i) => `n${i}`)
    solo.meet(...peers)
    runWith(solo, 10_000, peers)
    const before = solo.effects.length
    runWith(solo, 30_000, peers)
    const judged = new Set(sent(solo.effects.slice(before), 'membership.ping').map(({ to }) => to as string))
    // Of those that this node does not need, the oldest, which would go first.
    const asking = peers.filter((peer) => !judged.has(peer)).slice(0, 5)
    for (let i = 0; i < 20; i++) {
      askedBy(solo, 250, asking)
      runWith(solo, 10_000, peers)
    }
    const closed = solo.effects.flatMap((effect) => (effect.kind === 'disconnect' ? [effect.peer as string] : []))
    expect(closed.length).toBeGreaterThan(0)
    expect(closed.filter((peer) => asking.includes(peer))).toEqual([])
  })

  test('who has just asked us is put off at once, and costs no wake-up that finds nothing to do', () => {
    const solo = new Solo()
    const peers = ['a', 'b', 'c', 'd']
    solo.meet(...peers)
    runWith(solo, 2000, peers)
    let wakeUps = 0
    const step = solo.step.bind(solo)
    solo.step = (input) => {
      if (input.kind === 'tick') wakeUps += 1
      return step(input)
    }
    const before = solo.effects.length
    askedBy(solo, 30_000, peers)
    expect(sent(solo.effects.slice(before), 'membership.ping')).toEqual([])
    // In 30 s: comparing tables three times, and what else is done now and then.
    expect(wakeUps).toBeLessThan(25)
  })

  test('no ack: helpers are asked; no ack from them: suspect, told to others with the accuser', () => {
    const solo = new Solo()
    solo.meet('a', 'b', 'c', 'd')
    runWith(solo, 4000, ['a', 'b', 'c'])
    const asked = sent(solo.effects, 'membership.ping-request').filter((m) => m.body.target === 'd')
    expect(new Set(asked.map((m) => m.to))).toEqual(new Set(['a', 'b', 'c']))
    expect(solo.events('member-suspect')).toEqual([{ kind: 'member-suspect', node: 'd' }])
    const told = sent(solo.effects, 'membership.gossip').flatMap((m) => m.body.rumours)
    expect(told).toContainEqual({ ...rumour('d', 1, 'suspect', 'me') })
  })

  test('M-5: a broken connection is looked into at once, and with every helper at a loss suspected at once', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    const start = solo.now
    const effects = solo.step({ kind: 'link-down', peer: 'b' as NodeId, reason: 'connection-lost' })
    const [asked] = sent(effects, 'membership.ping-request')
    expect(asked?.to).toBe('a')
    const body = { sequence: asked?.body.sequence ?? 0, target: 'b' as NodeId, linked: false, rumours: [] }
    solo.say('a', { kind: 'membership.nack', body })
    expect(solo.state('b')).toBe('suspect')
    expect(solo.now).toBe(start)
    expect(solo.observations('suspected')).toEqual([{ kind: 'suspected', node: 'b', by: 'me', lost: true }])
  })

  test('M-29: the word of others that a neighbour lives counts for a while only, and its own for as long again', () => {
    const solo = new Solo()
    solo.meet('a', 'b', 'd')
    /** 'd' is out of reach here, and 'a' says of it that it lives, whenever it is asked. */
    const hearsayMs = 3 * LAN.suspicionOrphanMs
    let seen = solo.effects.length
    const run = (ms: number, until = () => false) => {
      const end = solo.now + ms
      while (solo.now < end && !until()) {
        runWith(solo, 10, ['a', 'b'])
        const fresh = solo.effects.slice(seen)
        seen = solo.effects.length
        for (const { to, body } of sent(fresh, 'membership.ping-request')) {
          if (to !== 'a' || body.target !== 'd') continue
          const said = { sequence: body.sequence, subject: body.target, coordinate: solo.core.coordinate }
          solo.say('a', { kind: 'membership.ack', body: { ...said, entry: undefined, rumours: [] } })
        }
      }
    }
    solo.step({ kind: 'link-down', peer: 'd' as NodeId, reason: 'connection-lost' })
    const lostAt = solo.now
    run(2 * hearsayMs, () => solo.state('d') === 'suspect')
    expect(solo.now - lostAt).toBeGreaterThan(hearsayMs)
    expect(solo.now - lostAt).toBeLessThan(hearsayMs + 5000)
    // It lives indeed, and says so, by way of the other.
    solo.hear('b', { entries: [entry('d', 2)] })
    const saidAt = solo.now
    run(2 * hearsayMs, () => solo.state('d') === 'suspect')
    expect(solo.now - saidAt).toBeGreaterThan(hearsayMs)
    run(LAN.suspicionMaxMs + 1000)
    expect(solo.state('d')).toBe('dead')
  })

  test('M-24: who answers slowly, as all do on a crowded host, is given longer, and no more than three times as long', () => {
    const { directTimeoutMs, indirectTimeoutMs } = LAN
    const quick = ['a', 'b', 'c']
    const solo = new Solo()
    solo.meet(...quick, 'd')
    const slow = new SlowPeer()
    // Twice as long as the longest of late is then as long as both stages take.
    for (const delayMs of [directTimeoutMs - 50, directTimeoutMs + indirectTimeoutMs + 200]) {
      slow.delayMs = delayMs
      slow.run(solo, 20_000, 'd', quick)
    }
    expect(solo.events('member-suspect')).toEqual([])
    slow.delayMs = 4 * (directTimeoutMs + indirectTimeoutMs)
    slow.run(solo, 20_000, 'd', quick)
    expect(solo.events('member-suspect')).toContainEqual({ kind: 'member-suspect', node: 'd' })
  })

  test('M-24, M-5: that an answer was slow is forgotten, also of who always asks first and so is never asked', () => {
    const solo = new Solo()
    solo.meet('a')
    const { probeCycleMs, probeSpacingMs, directTimeoutMs, indirectTimeoutMs } = LAN
    const slow = new SlowPeer()
    for (const delayMs of [directTimeoutMs - 50, directTimeoutMs + indirectTimeoutMs + 200, 0]) {
      slow.delayMs = delayMs
      slow.run(solo, delayMs > 0 ? 20_000 : 1_000, 'a', [])
    }
    expect(solo.events('member-suspect')).toEqual([])
    askedBy(solo, 60_000, ['a'])
    const diedAt = solo.now
    while (solo.state('a') === 'alive') solo.run(10)
    const patienceMs = probeCycleMs + probeSpacingMs / 2
    expect(solo.now - diedAt).toBeLessThan(patienceMs + directTimeoutMs + indirectTimeoutMs + 50)
  })

  test('a link that its peer closed on purpose raises no suspicion', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    const effects = solo.step({ kind: 'link-down', peer: 'b' as NodeId, reason: 'closed-by-peer' })
    expect(sent(effects, 'membership.ping-request')).toEqual([])
    expect(solo.state('b')).toBe('alive')
  })

  test('a helper asks the target, says so when it hears nothing, and passes the answer on even then', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    const request = { sequence: 77, target: 'b' as NodeId, known: 1 as Incarnation, suspected: true, rumours: [] }
    const effects = solo.say('a', { kind: 'membership.ping-request', body: request })
    const [ping] = sent(effects, 'membership.ping')
    expect(ping).toMatchObject({ to: 'b', body: { suspected: true, yours: 1 } })
    const before = solo.effects.length
    runWith(solo, LAN.directTimeoutMs, ['a'])
    const [nack] = sent(solo.effects.slice(before), 'membership.nack')
    expect(nack).toMatchObject({ to: 'a', body: { sequence: 77, target: 'b', linked: true } })
    const ack = {
      sequence: ping?.body.sequence ?? 0,
      subject: 'b' as NodeId,
      coordinate: solo.core.coordinate,
      entry: entry('b', 2),
      rumours: [],
    }
    const late = solo.say('b', { kind: 'membership.ack', body: ack })
    expect(sent(late, 'membership.ack')[0]).toMatchObject({ to: 'a', body: { sequence: 77, subject: 'b' } })
  })

  test('M-19: a helper vouches for what it passes on: an answer brings what it holds itself, and nothing that is forged', () => {
    const solo = new Solo()
    solo.meet('a', 'd')
    const asking = { sequence: 77, target: 'd' as NodeId, known: 1 as Incarnation, suspected: false, rumours: [] }
    const answerWith = (said: MemberEntry) => {
      const [ping] = sent(solo.say('a', { kind: 'membership.ping-request', body: asking }), 'membership.ping')
      const sequence = ping?.body.sequence ?? 0
      const body = { sequence, subject: 'd' as NodeId, coordinate: solo.core.coordinate, entry: said, rumours: [] }
      return sent(solo.say('d', { kind: 'membership.ack', body }), 'membership.ack')[0]?.body.entry
    }
    const genuine = entry('d', 2)
    const forged = { ...genuine, presence: { ...genuine.presence, signature: new Uint8Array(64) } }
    expect(answerWith(forged)).toBeUndefined()
    // Of one that the helper does not even look at, because it is no news here.
    expect(answerWith({ ...forged, presence: { ...forged.presence, signer: 'me' as NodeId } })).toBeUndefined()
    expect(answerWith(genuine)).toEqual(genuine)
  })

  test('round trips are measured, but not across a pause of our own', () => {
    const solo = new Solo()
    solo.meet('a')
    runWith(solo, 3000, ['a'])
    expect(solo.core.rttMs('a' as NodeId)).toBeLessThanOrEqual(10)
    const measured = solo.core.rttMs('a' as NodeId)
    solo.now = solo.core.deadline()
    const effects = solo.step({ kind: 'tick' })
    solo.now += 2000
    answer(solo, effects, ['a'])
    expect(solo.core.rttMs('a' as NodeId)).toBe(measured)
  })
})
