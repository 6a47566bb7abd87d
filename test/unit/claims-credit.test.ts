import { describe, expect, it } from 'vitest'
import { Credit } from '../../src/claims/credit.ts'
import { CLAIMS_PROFILES } from '../../src/claims/index.ts'
import type { Millis } from '../../src/kernel/index.ts'
import { awards, DEMAND, LIAR, say, told, worldWithLiar } from './claims-liar.ts'
import { answering, type World } from './claims-world.ts'

const LAN = CLAIMS_PROFILES.lan

describe('CL-22: credit', () => {
  const at = (ms: number): Millis => ms as Millis

  it('is halved whenever slots run out, however many at once, and grows by each that is used', () => {
    const credit = new Credit()
    const all = credit.room(at(0), 0)
    for (let i = 0; i < 5; i++) expect(credit.ranOut(at(1), LAN)).toBe(0)
    expect(credit.room(at(1), 0)).toBe(all / 2)
    expect(credit.room(at(1), all)).toBe(0)
    credit.ranOut(at(2), LAN)
    for (let i = 0; i < 10; i++) credit.used()
    expect(credit.room(at(2), 6)).toBe(all / 4 + 10 - 6)
    for (let i = 0; i < 2 * all; i++) credit.used()
    expect(credit.room(at(2), 0)).toBe(all)
  })

  it('is nothing for a while when the last slot runs out, which doubles up to a lease, and begins anew with one that is used', () => {
    const credit = new Credit()
    let now = 0
    const closings: number[] = []
    for (let i = 0; i < 20 && closings.length < 6; i++) {
      now += 1
      const closedMs = credit.ranOut(at(now), LAN)
      if (closedMs === 0) continue
      closings.push(closedMs)
      expect([credit.room(at(now), 0), credit.closedMs(at(now))]).toEqual([0, closedMs])
      // As it is told to the coordinator, in whole milliseconds.
      expect(credit.closedMs(at(now + 0.3))).toBe(closedMs)
      now += closedMs
      expect([credit.room(at(now), 0), credit.closedMs(at(now))]).toEqual([1, 0])
    }
    expect(closings).toEqual([1_000, 2_000, 4_000, 8_000, LAN.leaseMs, LAN.leaseMs])
    credit.used()
    for (let i = 1; i <= 2; i++) credit.ranOut(at(now + i), LAN)
    expect(credit.closedMs(at(now + 2))).toBe(1_000)
  })
})

describe('CL-22: slots are kept for who uses them', () => {
  function offers(world: World, offer: number, tasks: number, from = LIAR): void {
    const times = { windowMs: 1_500, holdMs: 20_000, waitedMs: 0, runTimeoutMs: 0 }
    say(world, { kind: 'claims.offer', body: { offer, epoch: 1, demand: DEMAND, tasks, priority: 9, ...times } }, from)
  }

  it('a peer that offers without end and awards nothing leaves the slots to others, and is told why', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a', { slots: 4 }, answering(100))
    const seconds = 60
    for (let second = 0; second < seconds; second++) {
      for (let i = 0; i < 20; i++) offers(world, second * 20 + i, 4096)
      for (let i = 0; i < 20; i++) world.submit('n0', { priority: 5 })
      world.run(1_000)
    }
    // Four slots do forty a second, of which twenty are there.
    expect(world.ran.length).toBeGreaterThan(0.9 * 20 * seconds)
    const declines = told(world, 'claims.decline')
    expect(declines).toContainEqual(
      expect.objectContaining({ reason: 'busy', final: false, needs: 'slots kept for it ran out unused' }),
    )
    expect(Math.max(...declines.map(({ retryAfterMs }) => retryAfterMs))).toBeGreaterThan(5_000)
    expect(world.observed).toContainEqual({ kind: 'coordinator-shunned', coordinator: LIAR, forMs: LAN.leaseMs })
  })

  it('once it uses what it is kept it is kept more again', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a', { slots: 8 }, answering(1))
    let offer = 0
    const bid = (): number => {
      offer += 1
      offers(world, offer, 8)
      return told(world, 'claims.bid').find((each) => each.offer === offer)?.slots ?? 0
    }
    const isShunned = (): boolean => world.observed.some(({ kind }) => kind === 'coordinator-shunned')
    for (let round = 0; round < 20 && !isShunned(); round++) {
      bid()
      world.run(3_000)
    }
    expect(isShunned()).toBe(true)
    // It is told at once, and what it offered is not held until a slot comes free.
    expect(bid()).toBe(0)
    expect(told(world, 'claims.decline').at(-1)).toMatchObject({ offer, reason: 'busy' })
    world.run(LAN.breakerOpenMinMs)
    const givenBack = Array.from({ length: 3 }, () => {
      const kept = bid()
      say(world, { kind: 'claims.withdraw', body: { offers: [offer], leases: [] } })
      return kept
    })
    expect(givenBack).toEqual([1, 1, 1])
    const slots = Array.from({ length: 5 }, () => {
      const kept = bid()
      awards(world, offer, { count: kept })
      world.run(100)
      return kept
    })
    expect(slots).toEqual([1, 2, 4, 8, 8])
  })

  it('CL-7: of what waits for a slot so many offers of one peer are held, and of all', () => {
    const [holdsPerPeerMax, holdsMax] = [20, 30]
    const world = worldWithLiar({ nodes: 3, params: { holdsPerPeerMax, holdsMax } })
    world.attach('n0', 'a', { slots: 1 })
    world.submit('n0')
    const held = (from: string): number => {
      for (let offer = 1; offer <= 50; offer++) offers(world, offer, 1, from)
      return world.sent.filter(({ to, message }) => to === from && message.kind === 'claims.bid').length
    }
    expect([held(LIAR), held('n2')]).toEqual([holdsPerPeerMax, holdsMax - holdsPerPeerMax])
  })

  it('one that gives back what it does not use is kept as many as ever', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a', { slots: 8 })
    for (let offer = 1; offer <= 100; offer++) {
      offers(world, offer, 8)
      world.run(500)
      say(world, { kind: 'claims.withdraw', body: { offers: [offer], leases: [] } })
    }
    expect(told(world, 'claims.bid').map(({ slots }) => slots)).toEqual(Array(100).fill(8))
  })
})
