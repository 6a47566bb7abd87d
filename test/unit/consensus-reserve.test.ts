import { describe, expect, it } from 'vitest'
import { nodes, type Route, World } from '../../src/byzantine/index.ts'
import type { Context } from '../../src/consensus/context.ts'
import { Group } from '../../src/consensus/group.ts'
import { type CastVote, consensusParams, type GroupId, type Message } from '../../src/consensus/index.ts'
import type { Pace } from '../../src/consensus/pace.ts'
import { Reserve } from '../../src/consensus/reserve.ts'
import { RULES } from '../../src/consensus/rules.ts'
import { type Millis, NEVER, type NodeId } from '../../src/kernel/index.ts'
import { cast, digest, EPOCH, view } from './consensus-fixtures.ts'

const CALM_VIEWS = 3
const WAIT_MS = 8

/** One of four: its reserve, and the views whose prepares it has told. */
function seated(waitMs = WAIT_MS) {
  const group = new Group('g' as GroupId, EPOCH, nodes(4), RULES)
  const told: number[] = []
  const context = {
    self: nodes(4)[0] as NodeId,
    group,
    params: consensusParams({ reserveAfterViews: CALM_VIEWS }),
    now: 100 as Millis,
    broadcast: (message: Message) => {
      if (message.kind !== 'votes') return
      for (const { vote } of message.votes) if (vote.kind === 'prepare') told.push(vote.view)
    },
  }
  const reserve = new Reserve(context as unknown as Context, { reserveWaitMs: () => waitMs } as unknown as Pace)
  const prepare = (n: number): CastVote => {
    return cast(context.self, { kind: 'prepare', epoch: EPOCH, view: view(n), digest: digest(`block ${n}`) })
  }
  const calm = () => {
    for (let n = 1; n <= CALM_VIEWS; n++) reserve.certified(view(n))
  }
  /** Views from here on in which it is the primary `turns` views before. */
  const after = (turns: number): number => {
    let n = 10
    while ((0 - group.primarySeat(view(n)) + 4) % 4 !== turns) n += 1
    return n
  }
  return { reserve, context, told, prepare, calm, next: after(1), last: after(3) }
}

describe('those in reserve (B-32)', () => {
  it('tells at once until all has gone well for a while', () => {
    const { reserve, told, prepare, last } = seated()
    for (let n = 1; n < CALM_VIEWS; n++) reserve.certified(view(n))
    reserve.offer(prepare(last), view(last))
    expect(told).toEqual([last])
    expect(reserve.certified(view(last))).toBeUndefined()
  })

  it('keeps back the prepare of whose turn is farthest off, and gives it away with the commit', () => {
    const { reserve, context, told, prepare, calm, last } = seated()
    calm()
    reserve.offer(prepare(last), view(last))
    expect(reserve.deadline()).toBe(context.now + WAIT_MS)
    expect(reserve.certified(view(last - 1))).toBeUndefined()
    expect(reserve.certified(view(last))).toEqual(prepare(last))
    expect([told, reserve.deadline()]).toEqual([[], NEVER])
  })

  it('tells at once whose turn is near, and where it is not known what views take', () => {
    const near = seated()
    near.calm()
    near.reserve.offer(near.prepare(near.next), view(near.next))
    const unmeasured = seated(0)
    unmeasured.calm()
    unmeasured.reserve.offer(unmeasured.prepare(unmeasured.last), view(unmeasured.last))
    expect([near.told, unmeasured.told]).toEqual([[near.next], [unmeasured.last]])
  })

  it('tells when the others have had their time or anything is wrong, and speaks at once for a while from then on', () => {
    for (const wrong of [
      ({ reserve, context }: ReturnType<typeof seated>) => {
        context.now = (context.now + WAIT_MS - 1) as Millis
        reserve.tick()
        expect(reserve.deadline()).toBe(context.now + 1)
        context.now = (context.now + 1) as Millis
        reserve.tick()
      },
      ({ reserve }: ReturnType<typeof seated>) => reserve.disturbed(),
    ]) {
      const one = seated()
      one.calm()
      one.reserve.offer(one.prepare(one.last), view(one.last))
      expect(one.told).toEqual([])
      wrong(one)
      expect(one.told).toEqual([one.last])
      one.reserve.certified(view(one.last))
      one.reserve.offer(one.prepare(one.last + 4), view(one.last + 4))
      expect(one.told).toEqual([one.last, one.last + 4])
    }
  })
})

describe('a group with one in reserve (B-32)', () => {
  /** Four members decide on one operation after the other; who tells its prepare by itself, and when it was decided. */
  function decided(count: number, lost: (from: NodeId, decision: number) => boolean) {
    const alone: number[] = []
    let decision = 0
    const route: Route = ({ from: { node: from }, to: { node: to }, message }) => {
      if (lost(from, decision)) return undefined
      const [first, second] = message.kind === 'votes' ? message.votes : []
      const isAlone = first?.vote.kind === 'prepare' && second === undefined
      if (isAlone && to === nodes(4).find((node) => node !== from)) alone[decision] = (alone[decision] ?? 0) + 1
      return 1
    }
    const members = nodes(4)
    const params = consensusParams({ reserveAfterViews: CALM_VIEWS })
    const world = new World({
      seed: 'reserve',
      members,
      hosts: members.map((node) => ({ node })),
      params,
      diskMs: 1,
      route,
    })
    const tookMs: number[] = []
    for (decision = 0; decision < count; decision++) {
      const [host] = world.hosts
      if (host === undefined) throw new Error('nobody')
      const id = world.submit(host, `w:${decision}`)
      const from = world.now
      world.run(from + 5_000, () => world.outcomes.has(id), Number.POSITIVE_INFINITY)
      tookMs.push(world.now - from)
    }
    return { alone, tookMs }
  }

  it('has two members tell their prepares where three did', () => {
    const { alone, tookMs } = decided(16, () => false)
    expect(alone[0]).toBe(3)
    expect(alone.slice(10)).toEqual(alone.slice(10).map(() => 2))
    expect(Math.max(...tookMs.slice(10))).toBeLessThanOrEqual(Math.max(...tookMs.slice(1, 4)))
  })

  it('goes on nearly as fast when another falls silent', () => {
    const silent = nodes(4)[1]
    const { tookMs } = decided(30, (from, decision) => from === silent && decision >= 10)
    // Its own turns apart, which are skipped, and sat out from then on.
    expect(tookMs.slice(10).filter((ms) => ms > 40).length).toBeLessThan(4)
  })
})
