import { describe, expect, it } from 'vitest'
import { clamp, utf8Length } from '../../src/claims/clamp.ts'
import { DurationEstimate, Track, Tracks } from '../../src/claims/estimates.ts'
import type { TaskId } from '../../src/claims/ids.ts'
import { CLAIMS_PROFILES, type ClaimsMessage, checkClaimsParams, originOf, taskOrigin } from '../../src/claims/index.ts'
import { canHold, couldHold, giveBack, Pool, takeFrom } from '../../src/claims/pool.ts'
import { RunTable } from '../../src/claims/run-table.ts'
import { scoreAll } from '../../src/claims/score.ts'
import { type Millis, type NodeId, Random, type WallMillis } from '../../src/kernel/index.ts'
import { collectGarbage } from '../support/garbage.ts'
import { answering, World } from './claims-world.ts'

const LAN = CLAIMS_PROFILES.lan

describe('estimates', () => {
  it('follow mean and 90th percentile of a stream, and forget what has changed', () => {
    const random = new Random('estimates')
    const estimate = new DurationEstimate()
    for (let i = 0; i < 5_000; i++) estimate.add(random.exponential(100))
    expect(estimate.meanMs).toBeGreaterThan(40)
    expect(estimate.meanMs).toBeLessThan(220)
    expect(estimate.p90Ms).toBeGreaterThan(150)
    expect(estimate.p90Ms).toBeLessThan(330)
    for (let i = 0; i < 200; i++) estimate.add(10)
    expect(estimate.meanMs).toBeCloseTo(10, 0)
  })

  it('T-12 open a breaker after failures in a row, longer each time, then let one try', () => {
    const track = new Track()
    const now = (ms: number): Millis => ms as Millis
    expect(track.failed(now(0), false, LAN)).toBe(0)
    expect(track.failed(now(1), false, LAN)).toBe(0)
    expect(track.failed(now(2), false, LAN)).toBe(LAN.breakerOpenMinMs)
    expect(track.mayTry(now(3))).toBe(false)
    expect(track.mayTry(now(2 + LAN.breakerOpenMinMs))).toBe(true)
    track.probing = true
    expect(track.mayTry(now(5_000))).toBe(false)
    expect(track.failed(now(5_000), false, LAN)).toBe(2 * LAN.breakerOpenMinMs)
    track.probing = true
    expect(track.succeeded(10, 0)).toBe(true)
    expect(track.mayTry(now(5_001))).toBe(true)
  })

  it('T-12 a task that failed elsewhere opens no breaker', () => {
    const track = new Track()
    for (let i = 0; i < 50; i++) expect(track.failed(i as Millis, true, LAN)).toBe(0)
    expect(track.quality(1)).toBeLessThan(1)
  })

  it('CL-19 what is not taken opens one likewise: several at once are one, and one that is taken ends the row', () => {
    const track = new Track()
    const refused = (ms: number): number => track.refused(ms as Millis, LAN)
    expect([0, 0, 0, 1].map(refused)).toEqual([0, 0, 0, 0])
    track.took()
    expect([2, 3].map(refused)).toEqual([0, 0])
    expect(refused(4)).toBe(LAN.breakerOpenMinMs)
    // What was on its way when it opened says nothing new.
    expect([5, 6].map(refused)).toEqual([0, 0])
    expect(track.mayTry((4 + LAN.breakerOpenMinMs) as Millis)).toBe(true)
  })

  it('AGT-7 an own opinion fades, and bids are corrected by what they meant', () => {
    const track = new Track()
    expect(track.quality(1)).toBe(1)
    for (let i = 0; i < 30; i++) track.failed(i as Millis, false, LAN)
    expect(track.quality(1)).toBeLessThan(0.15)
    for (let i = 0; i < 40; i++) track.succeeded(1_000, 100)
    expect(track.corrected(100)).toBeGreaterThan(800)
  })
})

describe('tracks', () => {
  it('are bounded: the oldest goes, and nothing of it is left', () => {
    const tracks = new Tracks({ ...LAN, tracksMax: 2 })
    const first = tracks.of('a', 'ocr')
    expect(tracks.of('a', 'ocr')).toBe(first)
    const second = tracks.of('b', 'ocr')
    tracks.of('a', 'sum')
    expect(tracks.find('a', 'ocr')).toBeUndefined()
    expect(tracks.find('b', 'ocr')).toBe(second)
    expect(tracks.of('a', 'ocr')).not.toBe(first)
    expect(tracks.find('b', 'ocr')).toBeUndefined()
  })

  it('CL-7 forget whom they had turned from, too', async () => {
    const tracks = new Tracks({ ...LAN, tracksMax: 100 })
    const shun = (count: number): void => {
      for (let i = 0; i < 3 * count; i++) tracks.peerFailed('n', `skill ${Math.floor(i / 3)}`, i as Millis, false)
    }
    shun(100)
    await collectGarbage()
    const before = process.memoryUsage().heapUsed
    shun(50_000)
    await collectGarbage()
    // 20 MB while the list of those had no bound.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000)
    expect(tracks.shunned('skill 49999', 0 as Millis)).toEqual(['n'])
  })
})

describe('runs', () => {
  const run = (task: string, attempt: number, epoch = 1) => ({ task: task as TaskId, token: { epoch, attempt } })

  it('of one task are told apart by their attempts, and all are counted', () => {
    const runs = new RunTable<ReturnType<typeof run>>()
    const [first, second, other] = [run('t', 1), run('t', 2), run('u', 1)]
    for (const each of [first, second, other]) runs.set(each)
    expect([runs.get('t', 1), runs.get('t', 2), runs.get('u', 1)]).toEqual([first, second, other])
    expect([...runs.values()]).toEqual([first, second, other])
    runs.delete(first)
    runs.delete(first)
    expect(runs.size).toBe(2)
    expect([runs.get('t', 1), runs.get('t', 2)]).toEqual([undefined, second])
    runs.delete(second)
    runs.delete(other)
    expect([runs.size, ...runs.values()]).toEqual([0])
  })

  it('under a number that was given before take its place, and the one before takes nothing with it', () => {
    const runs = new RunTable<ReturnType<typeof run>>()
    const [before, now] = [run('t', 1), run('t', 1, 2)]
    runs.set(before)
    runs.set(now)
    expect(runs.size).toBe(1)
    runs.delete(before)
    expect([runs.size, runs.get('t', 1)]).toEqual([1, now])
  })
})

describe('resources', () => {
  it('T-7 are limited by the agent, by the host, or by both', () => {
    const host = new Pool({ gpu: 2, cpu: 4 })
    const agent = new Pool({ cpu: 3 })
    expect(couldHold(agent, host, [['cpu', 4]])).toBe(false)
    expect(couldHold(agent, host, [['gpu', 2]])).toBe(true)
    expect(couldHold(agent, host, [['people', 1]])).toBe(false)
    const needs = [
      ['cpu', 2],
      ['gpu', 1],
    ] as const
    expect(canHold(agent, host, needs)).toBe(true)
    takeFrom(agent, host, needs)
    expect(canHold(agent, host, needs)).toBe(false)
    expect(canHold(new Pool({ cpu: 3 }), host, needs)).toBe(true)
    giveBack(agent, host, needs)
    expect(canHold(agent, host, needs)).toBe(true)
    for (let i = 0; i < 10; i++) takeFrom(agent, host, [['cpu', 0.1]])
    for (let i = 0; i < 10; i++) giveBack(agent, host, [['cpu', 0.1]])
    expect(agent.free('cpu')).toBe(3)
    // Bytes of memory, of which somebody asks for a part.
    const large = new Pool({ mem: 8e12 })
    const parts = [7e12, 0.546, 0.1271].map((amount) => [['mem', amount]] as const)
    for (const each of parts) takeFrom(large, host, each)
    for (const each of parts) giveBack(large, host, each)
    expect(large.free('mem')).toBeCloseTo(8e12, 2)
  })
})

describe('scores', () => {
  const even = { runMs: 100, waitMs: 0, price: 1, quality: 0.9, load: 0.5, preference: 1 }
  it('ALC-3 follow the objective', () => {
    const offered = [
      even,
      { ...even, runMs: 10, price: 5 },
      { ...even, price: 0.1, runMs: 500 },
      { ...even, quality: 1, runMs: 200 },
    ]
    const best = (objective: Parameters<typeof scoreAll>[1]): number => {
      const scores = scoreAll(offered, objective)
      return scores.indexOf(Math.max(...scores))
    }
    const none = { throughput: 0, latency: 0, quality: 0, cost: 0 }
    expect(best({ ...none, latency: 1 })).toBe(1)
    expect(best({ ...none, cost: 1 })).toBe(2)
    expect(best({ ...none, quality: 1 })).toBe(3)
    expect(scoreAll([even, even], { ...none, latency: 1 })).toEqual([
      scoreAll([even], { ...none, latency: 1 })[0],
      scoreAll([even], { ...none, latency: 1 })[0],
    ])
  })
})

describe('texts', () => {
  it('are cut to bytes, never inside a character', () => {
    expect(clamp('abc', 3)).toBe('abc')
    expect(clamp('aé€😀', 6)).toBe('aé€')
    expect(clamp('x\ud800y', 100)).toBe('x\ufffdy')
    expect(utf8Length('aé€😀')).toBe(new TextEncoder().encode('aé€😀').length)
  })

  it('name the coordinator of a task', () => {
    const node = '12D3KooWabcdefghijABCDEFGHIJ' as NodeId
    expect(taskOrigin(`${originOf(node)}-1f-2`)).toBe('ABCDEFGHIJ')
    expect(taskOrigin('nonsense')).toBeUndefined()
  })
})

describe('bounds', () => {
  it('CL-4 refuses the lowest class first, and never drops what was accepted', () => {
    const world = new World({ params: { openTasksMax: 100 } })
    let accepted = 0
    while (world.refusal('n0', { priority: 0 }) === undefined) accepted += 1
    expect(accepted).toBe(64)
    expect(world.refusal('n0', { priority: 0 })).toMatchObject({
      code: 'OVERLOADED',
      data: { retryAfterMs: LAN.retryAfterMs },
    })
    while (world.refusal('n0', { priority: 9 }) === undefined) accepted += 1
    expect(accepted).toBe(100)
    expect(world.node('n0').core.counts).toMatchObject({ accepted: 100, waiting: 100 })
  })

  it('keeps ended tasks by number and by time', () => {
    const world = new World({ params: { endedTasksMax: 5, endedRetentionMs: 10_000, keyRetentionMs: 20_000 } })
    world.attach('n0', 'a', {}, answering(1))
    for (let i = 0; i < 10; i++) {
      world.submit('n0', { key: `k${i}` })
      world.run(5)
    }
    expect([...world.node('n0').core.tasks()]).toHaveLength(5)
    world.run(15_000)
    expect([...world.node('n0').core.tasks()]).toHaveLength(0)
    expect(
      world
        .node('n0')
        .core.snapshot()
        .filter(({ kind }) => kind === 'key'),
    ).toHaveLength(10)
    world.run(20_000)
    expect(world.node('n0').core.snapshot()).toEqual([])
  })

  it('T-4 keys too, when the clock was ahead as their tasks ended', () => {
    const world = new World({ params: { keyRetentionMs: 20_000, keysMax: 2 } })
    world.attach('n0', 'a', {}, answering(1))
    const setWall = (wall: number): void => void world.input('n0', { kind: 'clock', wallNow: wall as WallMillis })
    setWall(1_790_000_000_000)
    world.submit('n0', { key: 'early' })
    world.run(5)
    setWall(1_760_000_000_000)
    world.submit('n0', { key: 'next' })
    world.run(30_000)
    expect(world.refusal('n0', { key: 'last' })).toBeUndefined()
  })

  it('names everything that is wrong with a submission at once', () => {
    const world = new World()
    const refusal = world.refusal('n0', {
      skills: [],
      priority: 10,
      deadlineMs: -1,
      retries: 1.5,
      resources: { cpu: Number.NaN },
      require: ['region=='],
      tenant: '',
    })
    expect(refusal?.code).toBe('BAD_REQUEST')
    for (const field of ['skills', 'priority', 'deadlineMs', 'retries', 'resources.cpu', 'require', 'tenant']) {
      expect(refusal?.message).toContain(field)
    }
    expect(world.refusal('n0', { input: new Uint8Array(2_000_000) })?.code).toBe('TOO_LARGE')
  })

  it('answers for tasks that nobody knows', () => {
    const world = new World({ nodes: 2 })
    for (const task of ['n1-1abc-1', 'n7-1abc-1', 'what?', 'n0-1abc-9']) {
      const request = world.ask('n0', { kind: 'get', task })
      world.run(10)
      expect(world.replies.get(request)).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
    }
  })

  it('gives up a question that nobody answers', () => {
    const world = new World({ nodes: 2 })
    const task = world.submit('n1')
    world.silence('n0', 'n1')
    const [get, wait] = [
      world.ask('n0', { kind: 'get', task }),
      world.ask('n0', { kind: 'wait', task, timeoutMs: 700 }),
    ]
    world.run(800)
    expect(world.replies.get(wait)).toMatchObject({ ok: false, error: { code: 'TIMEOUT' } })
    world.run(LAN.requestTimeoutMs)
    expect(world.replies.get(get)).toMatchObject({ ok: false, error: { code: 'TIMEOUT' } })
  })

  it('CL-7 whatever a peer says that was never asked for yields no throw and no order', () => {
    const world = new World({ nodes: 2 })
    world.attach('n0', 'a')
    const row = { task: 'n0-1-1' as never, epoch: 1, attempt: 1, seal: 0 }
    const bodies: readonly ClaimsMessage[] = [
      {
        kind: 'claims.bid',
        body: {
          offer: 1,
          bid: 1,
          slots: 5,
          waitMs: 0,
          runMs: 0,
          price: -1,
          qualityThousandths: 0,
          preferenceThousandths: 0,
          claim: true,
        },
      },
      { kind: 'claims.decline', body: { offer: 1, reason: 'skill', final: true, retryAfterMs: 0, needs: '' } },
      {
        kind: 'claims.award',
        body: {
          offer: 1,
          bid: 1,
          epoch: 9,
          serial: 0,
          leaseMs: 1e12,
          tasks: [
            {
              ...row,
              input: { kind: 'inline', bytes: new Uint8Array(0) },
              runTimeoutMs: 0,
              deadlineMs: 0,
              priority: 5,
              guarantee: 'exactly-once',
              trace: '',
            },
          ],
        },
      },
      { kind: 'claims.accept', body: { accepted: [{ ...row, agent: 'x' }], refused: [{ ...row, reason: '' }] } },
      { kind: 'claims.renew', body: { sequence: 1, leases: [row] } },
      { kind: 'claims.renewed', body: { sequence: 1, leaseMs: 1e12, lost: [row] } },
      { kind: 'claims.progress', body: { ...row, fraction: 2, message: undefined, partial: undefined } },
      {
        kind: 'claims.result',
        body: {
          ...row,
          agent: 'x',
          runMs: 0,
          outcome: { kind: 'completed', output: { kind: 'parts', transfer: 4, bytes: 900_000 } },
        },
      },
      {
        kind: 'claims.result',
        body: { ...row, agent: 'x', runMs: 0, outcome: { kind: 'released', reason: 'agent-lost' } },
      },
      { kind: 'claims.ack', body: { ...row, verdict: 'accepted' } },
      { kind: 'claims.withdraw', body: { offers: [1], leases: [{ ...row, reason: '' }] } },
      { kind: 'claims.inventory', body: { kind: 'held', serial: 5, sequence: 5, last: true, leases: [row] } },
      { kind: 'claims.inventory', body: { kind: 'ask', epoch: 5, serial: 5 } },
      { kind: 'claims.part', body: { transfer: 4, offset: 0, bytes: new Uint8Array(96_000) } },
      { kind: 'claims.part', body: { transfer: 4, offset: 1_048_000, bytes: new Uint8Array(96_000) } },
      { kind: 'claims.query', body: { query: 1, ask: { kind: 'cancel', task: row.task, reason: '' } } },
      { kind: 'claims.reply', body: { query: 1, answer: { kind: 'cancelled', state: 'cancelled' } } },
    ]
    for (let round = 0; round < 3; round++) {
      for (const message of bodies) world.input('n0', { kind: 'message', from: 'n1' as NodeId, message })
      world.run(100)
    }
    expect(world.ran).toEqual([])
    const task = world.submit('n0')
    expect(world.report('n0', task).state).toBe('running')
  })

  it('CL-2 a demand is searched for once, however many tasks wait for it, and an event looks at few of them', () => {
    const world = new World({ nodes: 2 })
    world.attach('n0', 'a')
    world.submit('n0')
    for (let i = 0; i < 2_000; i++) world.submit('n0', { skills: ['rare'] })
    const before = world.sent.length
    world.attach('n1', 'b', { skills: [{ name: 'rare', proficiency: 1 }], slots: 3 })
    world.run(100)
    expect(world.ran.filter(({ node }) => node === 'n1')).toHaveLength(3)
    expect(world.sent.length - before).toBeLessThan(12)
  })

  it('the profiles keep their own rules', () => {
    for (const params of Object.values(CLAIMS_PROFILES)) expect(() => checkClaimsParams(params)).not.toThrow()
    expect(() => checkClaimsParams({ ...LAN, leaseMs: 5_000 })).toThrow('two lost renewals')
  })
})
