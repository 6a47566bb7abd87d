import { describe, expect, it } from 'vitest'
import { type Group, Groups } from '../../src/claims/demand.ts'
import type { ClaimsPeers } from '../../src/claims/index.ts'
import type { DemandBody } from '../../src/claims/messages.ts'
import { Entry, Lane, Queue, Selector } from '../../src/claims/queue.ts'
import type { Millis } from '../../src/kernel/index.ts'
import { answering, type Behaviour, World } from './claims-world.ts'

const HOUR_MS = 3_600_000

describe('a demand that was let go while a task of it was elsewhere', () => {
  /** More than are kept of demands with nothing waiting. */
  const OTHERS = 1_100

  it('is known again after a restart with more demands than are kept', () => {
    const world = new World()
    const tasks = Array.from({ length: OTHERS }, (_, i) => world.submit('n0', { tenant: `t${i}` }))
    world.kill('n0')
    world.restart('n0')
    world.attach('n0', 'a', { slots: 50 }, answering(1))
    world.run(120_000)
    expect(tasks.filter((task) => world.report('n0', task).state !== 'completed')).toEqual([])
  })

  it('is known again when the task comes back from a lost agent', () => {
    const world = new World()
    const lost = world.attach('n0', 'a', { slots: 1 })
    const task = world.submit('n0', { tenant: 'mine' })
    world.attach('n0', 'b', { slots: 50 }, answering(1))
    for (let i = 0; i < OTHERS; i++) {
      world.submit('n0', { tenant: `t${i}` })
      world.run(1)
    }
    world.loseAgent('n0', lost)
    world.run(60_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { agent: 'b' } })
  })

  it('is not taken for the one that came in its place', () => {
    const groups = new Groups({} as ClaimsPeers, 10_000, { made: () => {}, gone: () => {} })
    const body = (tenant: string): DemandBody => {
      const objective = { throughput: 1, latency: 1, quality: 1, cost: 1 }
      const nothing = { require: [], prefer: [], excluded: [], budget: undefined }
      return { skills: ['echo'], resources: {}, tenant, objective, ...nothing }
    }
    const made = (tenant: string): Group => {
      const group = groups.of(body(tenant))
      if (!group.ok) throw new Error(group.error)
      return group.value
    }
    const gone = made('mine')
    for (let i = 0; i < OTHERS; i++) made(`t${i}`)
    const present = made('mine')
    expect(present).not.toBe(gone)
    present.ownWaiting = 1
    groups.wake(present)
    groups.rest(gone)
    for (let i = 0; i < OTHERS; i++) made(`u${i}`)
    expect(made('mine')).toBe(present)
  })

  it('makes room for those that have failed somewhere, also where no more demands are taken', () => {
    const world = new World({ params: { demandsMax: 1_200, retryMinMs: 20_000 } })
    const once = new Set<string>()
    world.attach('n0', 'a', { slots: 5 }, (ran, at) =>
      at.later(1, () => {
        const isFirst = ran.order.tenant === 'x' && !once.has('x')
        once.add(ran.order.tenant)
        if (isFirst) at.fail(ran)
        else at.done(ran)
      }),
    )
    const task = world.submit('n0', { tenant: 'x' })
    world.run(10)
    for (let i = 0; i < OTHERS; i++) {
      world.submit('n0', { tenant: `q${i}` })
      world.run(1)
    }
    let refused = 0
    for (let i = 0; i < 1_200; i++)
      if (world.refusal('n0', { tenant: `w${i}`, skills: ['nobody'] }) !== undefined) refused += 1
    expect(refused).toBeGreaterThan(0)
    world.run(60_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 2 })
  })
})

describe('T-11: what an agent cannot do hides nothing behind it', () => {
  /** Far more lanes than a pick looks at first. */
  const UNFIT = 500

  it('neither of another tenant nor of the same one, nor of a lower class', () => {
    const world = new World()
    world.attach('n0', 'a', { slots: 1, price: 1 }, answering(10))
    for (let i = 0; i < UNFIT; i++) world.submit('n0', { tenant: 'busy', require: [`agent==ghost${i}`] })
    for (let i = 0; i < UNFIT; i++) world.submit('n0', { tenant: 'busy', priority: 9, budget: (i + 1) / 1_000 })
    const others = Array.from({ length: 3 }, () => world.submit('n0', { tenant: 'other' }))
    const own = Array.from({ length: 3 }, () => world.submit('n0', { tenant: 'busy' }))
    const low = Array.from({ length: 3 }, () => world.submit('n0', { tenant: 'busy', priority: 1 }))
    world.run(5_000)
    for (const task of [...others, ...own, ...low]) expect(world.report('n0', task).state).toBe('completed')
  })

  it('nor when some of those that look are gone or changed by then', () => {
    const world = new World()
    for (let i = 0; i < 3 * UNFIT; i++) world.submit('n0', { require: [`agent==ghost${i}`] })
    const task = world.submit('n0', { require: ['agent==c'] })
    const [a, b] = ['a', 'b', 'c'].map((name) => world.attach('n0', name, {}, answering(1)))
    if (a === undefined || b === undefined) throw new Error('both are attached')
    world.input('n0', { kind: 'agent-update', agent: b, facts: { labels: { tier: 'gold' } } })
    world.loseAgent('n0', a)
    world.run(5_000)
    expect(world.report('n0', task).state).toBe('completed')
  })

  it('and it is looked at everything in a few steps, of which none looks at much more than the one before', () => {
    const queue = new Queue(10)
    const tenant = queue.tenant('busy')
    if (tenant === undefined) throw new Error('there is room')
    const selector = new Selector({ agingMs: 1_000, agingEveryCount: 8, scanMax: 32 })
    for (let i = 0; i < UNFIT; i++) {
      const lane = new Lane({}, 5, tenant, false)
      selector.include(lane)
      queue.push(0 as Millis, lane, new Entry())
    }
    const looks: number[] = []
    do {
      let count = 0
      const found = selector.pick(0 as Millis, () => {
        count += 1
        return false
      })
      expect(found).toBeUndefined()
      looks.push(count)
    } while (selector.isCut)
    expect(looks).toEqual([32, 64, 128, 256, UNFIT])
    // Once that is no longer necessary, one costs as little as before.
    selector.pick(0 as Millis, () => true)
    let count = 0
    selector.pick(0 as Millis, () => {
      count += 1
      return false
    })
    expect(count).toBe(32)
  })
})

describe('T-11: whoever waits at another node keeps its place there', () => {
  it('behind a stream of higher classes that never ends, its own or another one’s', () => {
    for (const rival of ['n1', 'n2']) {
      const world = new World({ nodes: 3 })
      world.attach('n1', 'a', { slots: 2 }, answering(1_000))
      const stream = (): void => {
        for (let i = 0; i < 3; i++) world.submit(rival, { priority: 9, queueTimeoutMs: 20_000 })
        world.later(1_000, stream)
      }
      stream()
      world.run(5_000)
      const task = world.submit('n0', { priority: 0 })
      world.run(90_000)
      expect(world.report('n0', task).state).toBe('completed')
    }
  })

  it('and asks others meanwhile', () => {
    const world = new World({ nodes: 12 })
    for (let i = 1; i < 12; i++) world.attach(`n${i}`, 'a', {}, i < 11 ? undefined : answering(15_000))
    for (let i = 1; i < 12; i++) world.submit(`n${i}`)
    world.run(1_000)
    const task = world.submit('n0')
    world.run(60_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n11' } })
  })
})

describe('T-12: a probe that ends without an outcome', () => {
  /** Fails until told otherwise, then keeps what it gets, then answers. */
  function moody(): { mood: 'fails' | 'hangs' | 'answers'; readonly behave: Behaviour } {
    const agent = {
      mood: 'fails' as 'fails' | 'hangs' | 'answers',
      behave: ((ran, at) => {
        if (agent.mood === 'fails') at.later(1, () => at.fail(ran, false))
        if (agent.mood === 'answers') at.later(1, () => at.done(ran))
      }) as Behaviour,
    }
    return agent
  }

  /** n1 has failed until nobody turned to it; now a task is there to see whether it is well, and does not end. */
  function probed() {
    const world = new World({ nodes: 2 })
    const agent = moody()
    world.attach('n1', 'a', { slots: 4 }, agent.behave)
    for (let i = 0; i < 3; i++) {
      world.submit('n0')
      world.run(200)
    }
    expect(world.observed.some(({ kind }) => kind === 'executor-shunned')).toBe(true)
    agent.mood = 'hangs'
    const probe = world.submit('n0')
    world.run(5_000)
    expect(world.report('n0', probe).state).toBe('running')
    return { world, agent, probe }
  }

  it('is of one task, however many wait and it bids for', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', { slots: 10 }, answering(100))
    let isDeaf = true
    world.loses = (_from, to, { kind }) => isDeaf && to === 'n1' && kind === 'claims.award'
    const tasks = Array.from({ length: 10 }, () => world.submit('n0'))
    world.run(45_000)
    expect(world.observed.some(({ kind }) => kind === 'executor-shunned')).toBe(true)
    isDeaf = false
    world.run(30_000)
    const [first] = world.ran
    expect(world.ran.filter(({ at }) => at < (first?.at ?? 0) + 100)).toHaveLength(1)
    expect(tasks.filter((task) => world.report('n0', task).state !== 'completed')).toEqual([])
  })

  it('by a cancel, leaves the peer to be tried again', () => {
    const { world, agent, probe } = probed()
    world.ask('n0', { kind: 'cancel', task: probe, reason: 'no longer wanted' })
    agent.mood = 'answers'
    const task = world.submit('n0')
    world.run(60_000)
    expect(world.report('n0', task).state).toBe('completed')
  })

  it('by the death of the peer, too', () => {
    const { world, agent, probe } = probed()
    world.kill('n1')
    world.run(20_000)
    world.restart('n1')
    agent.mood = 'answers'
    world.attach('n1', 'a', { slots: 4 }, agent.behave)
    world.run(HOUR_MS)
    expect(world.report('n0', probe).state).toBe('completed')
  })
})

describe('the queue time-out', () => {
  it('counts again when what it was given to is lost', () => {
    const world = new World()
    const agent = world.attach('n0', 'a')
    const task = world.submit('n0', { queueTimeoutMs: 5_000 })
    world.run(10_000)
    world.loseAgent('n0', agent)
    world.run(4_000)
    expect(world.report('n0', task).state).toBe('waiting')
    world.run(2_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } })
  })

  it('does not count what it ran, nor void the deadline', () => {
    const world = new World()
    const agent = world.attach('n0', 'a')
    const task = world.submit('n0', { queueTimeoutMs: 5_000, deadlineMs: 8_000 })
    world.run(4_900)
    world.loseAgent('n0', agent)
    world.run(200)
    expect(world.report('n0', task).state).toBe('waiting')
    world.run(3_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } })
  })

  it('does not end what still runs at a peer when its coordinator is back', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(15_000))
    const task = world.submit('n0', { queueTimeoutMs: 5_000 })
    world.run(6_000)
    expect(world.report('n0', task).state).toBe('running')
    world.kill('n0')
    world.restart('n0')
    world.run(20_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executions: 1 })
  })

  it('does not end what may still run at a peer that has not been heard of', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(15_000))
    const task = world.submit('n0', { queueTimeoutMs: 2_000 })
    world.run(6_000)
    world.kill('n0')
    const asking = ['claims.inventory', 'claims.renew']
    world.loses = (_from, _to, { kind }) => asking.includes(kind)
    world.restart('n0')
    world.run(3_000)
    world.loses = () => false
    world.run(20_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executions: 1 })
  })

  it('goes on when who was given it does not take it', () => {
    const world = new World({ nodes: 2 })
    const agent = world.attach('n1', 'a')
    world.loses = (_from, _to, { kind }) => kind === 'claims.part'
    const task = world.submit('n0', { queueTimeoutMs: 5_000, input: new Uint8Array(200_000) })
    world.run(6_000)
    expect(world.report('n0', task).endedAt).toBeUndefined()
    world.loseAgent('n1', agent)
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } })
  })

  it('does not end what ran here when its coordinator is back', () => {
    const world = new World()
    world.attach('n0', 'a')
    const task = world.submit('n0', { queueTimeoutMs: 5_000 })
    world.run(60_000)
    world.kill('n0')
    world.restart('n0')
    world.run(1_000)
    expect(world.report('n0', task).state).toBe('waiting')
    world.attach('n0', 'a', {}, answering(1))
    world.run(1_000)
    expect(world.report('n0', task).state).toBe('completed')
  })

  it('ends what nobody holds when its coordinator is back', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(15_000))
    const task = world.submit('n0', { queueTimeoutMs: 5_000 })
    world.run(6_000)
    world.kill('n0')
    world.kill('n1')
    world.restart('n0')
    world.run(60_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } })
  })
})

describe('what is asked of a unit and of weights', () => {
  it('nothing of a unit that nobody has can be had', () => {
    const world = new World()
    world.attach('n0', 'a', {}, answering(1))
    const task = world.submit('n0', { resources: { gpu: 0 } })
    world.run(1_000)
    expect(world.report('n0', task).state).toBe('completed')
  })

  it('weights with which scores would be no numbers are refused', () => {
    const world = new World()
    const objective = { throughput: 1e308, latency: 1e308, quality: 1e308, cost: 1e308 }
    expect(world.refusal('n0', { objective })).toMatchObject({ code: 'BAD_REQUEST' })
  })
})

describe('TSK-8: why it waits', () => {
  it('counts those of other demands and tenants that come before', () => {
    const world = new World()
    world.attach('n0', 'a', { slots: 1 })
    for (let i = 0; i < 51; i++) world.submit('n0', { tenant: `t${i}` })
    for (let i = 0; i < 20; i++) world.submit('n0', { tenant: 'many' })
    world.submit('n0', { tenant: 'urgent', priority: 9 })
    world.submit('n0', { tenant: 'me', priority: 1 })
    const first = world.submit('n0', { tenant: 'me' })
    const second = world.submit('n0', { tenant: 'me', resources: { gpu: 0 } })
    // One runs; 50 tenants with one task, one with twenty, the urgent one.
    expect(world.reasons('n0', first)[0]).toMatchObject({ code: 'ALL_SLOTS_BUSY', data: { position: '53' } })
    expect(world.reasons('n0', second)[0]).toMatchObject({ code: 'ALL_SLOTS_BUSY', data: { position: '55' } })
  })

  it('does not call slots busy that are free', () => {
    const world = new World()
    world.attach('n0', 'a', { slots: 4, resources: { cpu: 1 } })
    for (let i = 0; i < 2; i++) world.submit('n0', { resources: { cpu: 1 } })
    const last = world.submit('n0', { resources: { cpu: 1 } })
    expect(world.reasons('n0', last)[0]).toMatchObject({
      code: 'SHORT_OF_RESOURCES',
      message: expect.stringContaining('3 of 4 slots here are free') as string,
      data: { slots: '4', position: '2' },
    })
  })

  it('fits a message, however long what it names', () => {
    const world = new World({ nodes: 2 })
    world.attach('n0', 'a')
    const resources = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`u${i}`.padEnd(64, 'x'), 1]))
    const require = Array.from({ length: 3 }, (_, i) => `region=="${String(i).repeat(400)}"`)
    for (const submission of [{ resources }, { require }]) {
      const request = world.ask('n1', { kind: 'why', task: world.submit('n0', submission) })
      world.run(100)
      expect(world.replies.get(request)).toMatchObject({ ok: true, value: { kind: 'why' } })
    }
  })
})

describe('a list that goes on from a task that is not kept any more', () => {
  it('is refused, and does not look like the end', () => {
    const world = new World({ params: { endedTasksMax: 1 } })
    world.attach('n0', 'a', {}, answering(1))
    const [first = ''] = Array.from({ length: 4 }, () => world.submit('n0'))
    const pageAfter = (after: string | undefined) =>
      world.replies.get(world.ask('n0', { kind: 'list', limit: 2, after, state: undefined, tenant: undefined }))
    expect(pageAfter(first)).toMatchObject({ ok: true, value: { kind: 'list' } })
    world.run(1_000)
    expect(pageAfter(first)).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
  })
})

describe('CL-21: the history of a task that failed before', () => {
  /** Without what it was submitted with. */
  function historyOf(world: World, task: string): readonly (readonly [string, string, number])[] {
    const reply = world.replies.get(world.ask('n0', { kind: 'history', task }))
    if (reply?.ok !== true || reply.value.kind !== 'history') throw new Error('no history')
    return reply.value.entries.slice(1).map(({ kind, agent, attempt }) => [kind, agent, attempt])
  }

  /** Fails twice, and is done at the third attempt. */
  function unlucky(): { readonly world: World; readonly task: string } {
    const world = new World({ nodes: 2 })
    let attempts = 0
    world.attach('n0', 'a', {}, (ran, at) => {
      attempts += 1
      const isDone = attempts > 2
      at.later(1, () => (isDone ? at.done(ran) : at.fail(ran)))
    })
    const task = world.submit('n0', { retries: 5 })
    world.run(60_000)
    return { world, task }
  }

  it('says of each attempt when it began and ended, where, and how', () => {
    const { world, task } = unlucky()
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 3 })
    expect(historyOf(world, task)).toEqual([
      ['started', 'a', 1],
      ['failed', 'a', 1],
      ['started', 'a', 2],
      ['failed', 'a', 2],
      ['started', 'a', 3],
      ['completed', 'a', 3],
    ])
  })

  it('also of one that goes on, and of one that was lost', () => {
    const world = new World()
    const lost = world.attach('n0', 'a', { slots: 1 })
    const task = world.submit('n0')
    expect(historyOf(world, task)).toEqual([['started', 'a', 1]])
    world.attach('n0', 'b', { slots: 1 })
    world.run(1_000)
    world.loseAgent('n0', lost)
    expect(historyOf(world, task)).toEqual([
      ['started', 'a', 1],
      ['lost', 'a', 1],
      ['started', 'b', 2],
    ])
  })

  it('says of attempts of an earlier life how they ended, and when the first of the last life began', () => {
    const { world, task } = unlucky()
    world.kill('n0')
    world.restart('n0')
    expect(historyOf(world, task)).toEqual([
      ['started', 'a', 1],
      ['failed', 'a', 1],
      ['failed', 'a', 2],
      ['completed', 'a', 3],
    ])
  })

  it('says once that it failed for good, and is bounded', () => {
    const world = new World({ params: { retryMaxMs: 10, retryMinMs: 1, breakerFailuresCount: 1_000 } })
    world.attach('n0', 'a', {}, (ran, at) => at.fail(ran, ran.order.attempt < 100))
    const task = world.submit('n0', { retries: 100 })
    world.run(600_000)
    const history = historyOf(world, task)
    expect(history.length).toBeLessThan(70)
    expect(history.slice(0, 2)).toEqual([
      ['started', 'a', 1],
      ['failed', 'a', 1],
    ])
    expect(history.slice(-2)).toEqual([
      ['started', 'a', 100],
      ['failed', 'a', 100],
    ])
  })
})

describe('questions to other nodes that nobody waits for any more', () => {
  it('CL-7: are forgotten one by one, in less time than it took to ask them', () => {
    const world = new World({ nodes: 2 })
    const task = world.submit('n1')
    const startedAt = performance.now()
    const requests = Array.from({ length: 16_000 }, () => world.ask('n0', { kind: 'wait', task }))
    const askedAt = performance.now()
    for (const request of requests) world.input('n0', { kind: 'abandon', request: request as never })
    const abandonedAt = performance.now()
    // Eighteen times as long as asking, 1.2 s, while each looked through all that were open.
    expect(abandonedAt - askedAt).toBeLessThan(askedAt - startedAt)
    world.attach('n1', 'a', { slots: 1 }, answering(1))
    world.run(60_000)
    expect(requests.filter((request) => world.replies.has(request))).toEqual([])
  })
})
