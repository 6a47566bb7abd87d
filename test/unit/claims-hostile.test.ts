import { describe, expect, it } from 'vitest'
import type { ClaimsMessage } from '../../src/claims/index.ts'
import { isJsonText } from '../../src/ipc/index.ts'
import { awards, type Body, bidsBest, bytes, inline, LIAR, offers, say, told, worldWithLiar } from './claims-liar.ts'
import { answering, World } from './claims-world.ts'

const HOUR_MS = 3_600_000

/* What a lying member offers, sends along and keeps. */

describe('CL-17: demands that no submission would get away with are declined', () => {
  it.each([
    ['a negative amount', { resources: { cpu: -100 } }],
    ['a negative budget', { budget: -1 }],
    ['weights that make scores no numbers', { objective: { throughput: 1e308, latency: 1e308, quality: 1, cost: 1 } }],
    ['no skill', { skills: [] }],
  ])('%s', (_what, demand) => {
    const world = worldWithLiar()
    world.attach('n0', 'a', { slots: 10, resources: { cpu: 4 } })
    offers(world, 1, demand)
    awards(world, 1)
    for (let i = 0; i < 5; i++) world.submit('n0', { resources: { cpu: 4 } })
    expect(told(world, 'claims.decline')).toMatchObject([{ reason: 'constraint', final: true }])
    // T-7
    expect(world.ran).toHaveLength(1)
    for (const ran of [...world.ran]) world.done(ran)
    world.run(100)
  })
})

describe('CL-18: what peers send as payloads is looked at before anybody takes it', () => {
  const NO_JSON = '1}}\n{"jsonrpc":"2.0","id":7,"result":{}}'

  it('an input: the task fails, and no agent sees it', () => {
    const world = worldWithLiar({ isPayload: isJsonText })
    world.attach('n0', 'a', { slots: 1 })
    offers(world, 1)
    awards(world, 1, { input: inline(NO_JSON) })
    expect(world.ran).toEqual([])
    expect(told(world, 'claims.result')).toMatchObject([
      { outcome: { kind: 'failed', error: { code: 'BAD_REQUEST' } } },
    ])
    // Its slot is free.
    offers(world, 2)
    awards(world, 2, { input: inline('"good"') })
    expect(world.ran).toHaveLength(1)
  })

  it('an output and what is told before: the attempt failed', () => {
    const world = new World({ nodes: 2, isPayload: isJsonText })
    world.attach('n1', 'a')
    const task = world.submit('n0', { retries: 0 })
    world.run(50)
    const { epoch } = world.node('n0').core
    const token = { task: task as Body<'claims.result'>['task'], epoch, attempt: 1 }
    const progress = { fraction: 2, message: undefined, partial: bytes(NO_JSON) }
    say(world, { kind: 'claims.progress', body: { ...token, ...progress } })
    const partials = world.effects.flatMap((effect) => (effect.kind === 'task-progress' ? [effect] : []))
    expect(partials).toMatchObject([{ fraction: 1, partial: undefined }])
    const outcome = { kind: 'completed' as const, output: inline(NO_JSON) }
    say(world, { kind: 'claims.result', body: { ...token, seal: 0, agent: 'a', runMs: 1, outcome } })
    expect(world.report('n0', task)).toMatchObject({ state: 'dead-lettered', error: { code: 'BAD_OUTPUT' } })
  })
})

describe('CL-19: no peer keeps a task, or this node busy, by what it says', () => {
  it('by bidding best and refusing every award', () => {
    const world = new World({ nodes: 3 })
    world.attach('n2', 'honest', {}, answering(1))
    world.attach(LIAR, 'liar')
    let count = 0
    bidsBest(world, ({ epoch, tasks }) => {
      count += 1
      const refused = tasks.map(({ task, attempt }) => ({ task, epoch, attempt, reason: 'no' }))
      world.later(1, () => say(world, { kind: 'claims.accept', body: { accepted: [], refused } }))
    })
    const task = world.submit('n0')
    world.run(5_000)
    expect(world.report('n0', task).state).toBe('completed')
    expect(count).toBeLessThan(5)
  })

  it('nor two of them that take turns', () => {
    const world = new World({ nodes: 4 })
    const liars = [LIAR, 'n2']
    for (const liar of liars) world.attach(liar, 'liar')
    world.attach('n3', 'honest', { price: 5 }, answering(1))
    let turn = 0
    const best = { runMs: 0, waitMs: 0, price: 0, qualityThousandths: 1000, preferenceThousandths: 1000, claim: false }
    const decline = { reason: 'busy' as const, final: false, retryAfterMs: 0, needs: '' }
    world.loses = (_from, to, { kind, body }) => {
      if (!liars.includes(to)) return false
      const answer = (message: ClaimsMessage): void => world.later(1, () => say(world, message, to))
      if (kind === 'claims.offer') {
        const { offer, tasks } = body
        if (liars[turn % 2] === to) answer({ kind: 'claims.bid', body: { offer, bid: 1, slots: tasks, ...best } })
        else answer({ kind: 'claims.decline', body: { offer, ...decline } })
      } else if (kind === 'claims.award') {
        turn += 1
        const refused = body.tasks.map(({ task, attempt }) => ({ task, epoch: body.epoch, attempt, reason: 'no' }))
        answer({ kind: 'claims.accept', body: { accepted: [], refused } })
      }
      return true
    }
    const task = world.submit('n0')
    world.run(10_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n3' } })
    expect(turn).toBeLessThan(10)
  })

  const failed = { kind: 'failed' as const, error: { code: 'X', message: '', retryable: true } }
  const noInput = { kind: 'released' as const, reason: 'payload-lost' as const }
  const drained = { kind: 'released' as const, reason: 'draining' as const }
  it.each([
    ['not answering an award', false, undefined],
    ['failing it under ever new names', true, failed],
    ['not having had its input', false, noInput],
    ['beginning it and not having had its input', true, noInput],
    ['giving it back', true, drained],
    ['giving it back under one name', true, drained, 'a'],
    ['failing it under one name', true, failed, 'a'],
  ])('by %s', (_what, accepts, outcome, name = '') => {
    const world = new World({ nodes: 3 })
    world.attach(LIAR, 'liar')
    world.attach('n2', 'honest', { price: 5 }, answering(1))
    let count = 0
    bidsBest(world, ({ epoch, tasks: [first] }) => {
      if (first === undefined) return
      count += 1
      const row = { task: first.task, epoch, attempt: first.attempt }
      const agent = name === '' ? `a${count}` : name
      world.later(1, () => {
        if (accepts) say(world, { kind: 'claims.accept', body: { accepted: [{ ...row, agent }], refused: [] } })
        const ended = { ...row, seal: first.seal, agent, runMs: 1 }
        if (outcome !== undefined) say(world, { kind: 'claims.result', body: { ...ended, outcome } })
      })
    })
    const task = world.submit('n0')
    world.run(60_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
    expect(count).toBeLessThan(7)
  })

  it('by holding every offer for ever, while the other one has failed it before', () => {
    const world = new World({ nodes: 3 })
    world.attach(LIAR, 'liar')
    let tries = 0
    world.attach('n2', 'honest', {}, (ran, at) => {
      tries += 1
      if (tries === 1) at.fail(ran)
      else at.done(ran)
    })
    world.loses = (_from, to, message) => {
      if (to !== LIAR) return false
      if (message.kind === 'claims.offer') {
        const body = { offer: message.body.offer, bid: 0, slots: 0, runMs: 0, waitMs: 0, price: 0, claim: false }
        const promises = { qualityThousandths: 1000, preferenceThousandths: 1000 }
        world.later(1, () => say(world, { kind: 'claims.bid', body: { ...body, ...promises } }))
      }
      return true
    }
    const task = world.submit('n0')
    world.run(60_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' }, attempts: 2 })
  })

  it.each([
    ['', 0, 60_000],
    [', whose input it might have to wait for', 100_000, 700_000],
  ])('by renewing for ever what may run for a short time%s', (_, inputBytes, ms) => {
    const world = new World({ nodes: 3 })
    world.attach('n2', 'honest', {}, answering(1))
    world.attach(LIAR, 'liar')
    let sequence = 0
    bidsBest(world, ({ epoch, tasks }) => {
      const leases = tasks.map(({ task, attempt, seal }) => ({ task, epoch, attempt, seal }))
      const renew = (): void => {
        sequence += 1
        say(world, { kind: 'claims.renew', body: { sequence, leases } })
        world.later(3_000, renew)
      }
      world.later(1, renew)
    })
    const task = world.submit('n0', { runTimeoutMs: 2_000, input: new Uint8Array(inputBytes) })
    world.run(ms)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { agent: 'honest' } })
  })

  it('by saying nothing of what it was awarded', () => {
    const world = new World({ nodes: 3 })
    world.attach('n2', 'honest', {}, answering(1))
    world.attach(LIAR, 'liar')
    bidsBest(world, () => {})
    const first = world.submit('n0')
    world.run(60_000)
    expect(world.report('n0', first)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
    // Now it is tried with one task at a time, and once.
    const next = [world.submit('n0'), world.submit('n0')]
    world.run(15_000)
    expect(next.map((task) => world.report('n0', task).attempts).sort()).toEqual([1, 2])
    expect(next.map((task) => world.report('n0', task).state)).toEqual(['completed', 'completed'])
  })

  it('by acknowledging what has no outcome yet', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a')
    offers(world, 1)
    awards(world, 1)
    const [{ order } = { order: undefined }] = world.ran
    if (order === undefined) throw new Error('it runs')
    const task = order.task as Body<'claims.ack'>['task']
    say(world, { kind: 'claims.ack', body: { task, epoch: 1, attempt: 1, verdict: 'accepted' } })
    world.run(world.params.leaseMs)
    expect(world.stopped).toMatchObject([{ reason: 'lease-ended' }])
  })

  it('by steering what is not JSON', () => {
    const world = worldWithLiar({ isPayload: isJsonText })
    world.attach('n0', 'a')
    const task = world.submit('n0') as Body<'claims.result'>['task']
    const steer = (query: number, text: string): void =>
      say(world, {
        kind: 'claims.query',
        body: { query, ask: { kind: 'steer', task, token: undefined, input: bytes(text) } },
      })
    steer(1, '1.null')
    steer(2, '1')
    world.run(100)
    expect(told(world, 'claims.reply').map(({ answer }) => answer)).toMatchObject([
      { kind: 'error', code: 'BAD_REQUEST' },
      { kind: 'steered' },
    ])
    expect(world.steered.map(({ input }) => input)).toEqual(['1'])
  })

  it('by acknowledging no outcome', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a', { slots: 1 }, answering(1))
    for (let i = 1; i <= 200; i++) {
      offers(world, i)
      awards(world, i, { leaseMs: 2 ** 47 })
      world.run(2)
    }
    expect(told(world, 'claims.result').length).toBeGreaterThan(0)
    world.run(HOUR_MS)
    const before = told(world, 'claims.result').length
    world.run(60_000)
    expect(told(world, 'claims.result').length).toBe(before)
  })

  it('by waiting for tasks and waiting no more', () => {
    const world = new World({ nodes: 2, params: { requestsMax: 100 } })
    const task = world.submit('n0')
    for (let i = 0; i < 150; i++) {
      world.ask('n1', { kind: 'wait', task, timeoutMs: 1_000 })
      world.run(1_500)
    }
    const request = world.ask('n0', { kind: 'wait', task, timeoutMs: 100 })
    world.run(200)
    expect(world.replies.get(request)).toMatchObject({ ok: false, error: { code: 'TIMEOUT' } })
  })

  it('by waiting for more than there is room for', () => {
    const world = new World({ nodes: 2, params: { requestsMax: 100 } })
    const task = world.submit('n0') as Body<'claims.result'>['task']
    for (let query = 0; query < 150; query++)
      say(world, { kind: 'claims.query', body: { query, ask: { kind: 'wait', task, timeoutMs: 0 } } })
    const request = world.ask('n0', { kind: 'wait', task, timeoutMs: 100 })
    world.run(200)
    expect(world.replies.get(request)).toMatchObject({ ok: false, error: { code: 'TIMEOUT' } })
    expect(told(world, 'claims.reply')).toHaveLength(100)
    // Room comes back with those that have given up.
    world.run(90_000)
    say(world, { kind: 'claims.query', body: { query: 200, ask: { kind: 'wait', task, timeoutMs: 0 } } })
    world.run(200)
    expect(told(world, 'claims.reply')).toHaveLength(100)
  })

  it('by filling the room in which other nodes wait: in a full one each has an equal share', () => {
    const world = new World({ nodes: 3, params: { requestsMax: 100 } })
    const task = world.submit('n0') as Body<'claims.result'>['task']
    const waits = (from: string, first: number, count: number): void => {
      for (let query = first; query < first + count; query++)
        say(world, { kind: 'claims.query', body: { query, ask: { kind: 'wait', task, timeoutMs: 0 } } }, from)
    }
    const refused = (to: string): readonly number[] =>
      world.sent.flatMap(({ to: at, message }) =>
        at === to && message.kind === 'claims.reply' && message.body.answer.kind === 'error'
          ? [message.body.query]
          : [],
      )
    waits(LIAR, 0, 50)
    expect(refused(LIAR)).toEqual([])
    // The first is heard again, so that the next was not heard for longest.
    waits(LIAR, 0, 1)
    waits('n2', 1_000, 10)
    expect(refused('n2')).toEqual([])
    expect(refused(LIAR)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    waits('n2', 1_010, 30)
    expect(refused('n2')).toEqual(Array.from({ length: 15 }, (_, i) => 1_025 + i))
    waits(LIAR, 100, 1)
    expect(refused(LIAR).slice(10)).toEqual([...Array.from({ length: 15 }, (_, i) => 11 + i), 100])
  })

  it('by waiting for what ends, again and again', () => {
    const world = new World({ nodes: 2, params: { requestsMax: 10 } })
    world.attach('n0', 'a', {}, answering(1))
    world.loses = (_from, to) => to === LIAR
    for (let query = 0; query < 20; query++) {
      const task = world.submit('n0') as Body<'claims.result'>['task']
      say(world, { kind: 'claims.query', body: { query, ask: { kind: 'wait', task, timeoutMs: 0 } } })
      world.run(10)
    }
    expect(told(world, 'claims.reply').map(({ answer }) => answer.kind)).toEqual(Array(20).fill('report'))
  })

  it('by leaving more outcomes than are kept', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a', { slots: 1 }, answering(1))
    for (let i = 1; i <= 4_100; i++) {
      offers(world, i)
      awards(world, i, { leaseMs: 2 ** 47 })
      world.run(2)
    }
    expect(world.ran).toHaveLength(4_100)
    world.run(world.params.resendMs)
    const before = told(world, 'claims.result').length
    world.run(world.params.resendMs)
    expect(told(world, 'claims.result').length - before).toBe(4_096)
  })

  it('by having outputs of a megabyte kept', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a', { slots: 1 }, answering(1, `"${'x'.repeat(1_000_000)}"`))
    for (let i = 1; i <= 100; i++) {
      offers(world, i)
      awards(world, i)
      world.run(10)
    }
    const before = told(world, 'claims.result').length
    world.run(world.params.resendMs)
    expect(world.ran).toHaveLength(100)
    expect(told(world, 'claims.result').length - before).toBe(67)
  })

  it('by being gone for good when what may be done twice goes on', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a')
    world.submit('n0', { guarantee: 'at-least-once' })
    world.run(100)
    world.kill('n0')
    world.run(12 * world.params.leaseMs)
    expect(world.stopped).toEqual([])
    world.run(HOUR_MS)
    expect(world.stopped).toMatchObject([{ reason: 'lease-ended' }])
    expect(world.wanted.get('n1')).toEqual([])
  })

  it('by being gone for good when what may be done twice is done', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', { slots: 1 }, answering(30_000))
    world.submit('n0', { guarantee: 'at-least-once' })
    world.run(100)
    world.kill('n0')
    world.run(HOUR_MS)
    expect(world.wanted.get('n1') ?? []).toEqual([])
    expect(world.node('n1').core.deadline()).toBe(Number.POSITIVE_INFINITY)
  })
})
