import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/kernel/index.ts'
import { answering, failing, type Ran, submissionOf, World } from './claims-world.ts'

const kinds = (world: World, kind: string): number => world.sent.filter(({ message }) => message.kind === kind).length
const first = (world: World): Ran => {
  const [ran] = world.ran
  if (ran === undefined) throw new Error('nothing ran')
  return ran
}

describe('local work', () => {
  it('CL-1, CL-8 awards an idle local agent at once: no message, and the order stands before the write', () => {
    const world = new World()
    world.attach('n0', 'a')
    const effects = world.input('n0', {
      kind: 'request',
      request: 1 as never,
      ask: { kind: 'submit', submission: submissionOf({}) },
    })
    const order = effects.map(({ kind }) => kind).filter((kind) => kind !== 'task-changed')
    expect(order).toEqual(['run', 'persist', 'reply'])
    expect(world.sent).toEqual([])
  })

  it('completes a task and tells whoever waits, after the record', () => {
    const world = new World()
    world.attach('n0', 'a', {}, answering(5, '"HI"'))
    const task = world.submit('n0')
    const request = world.ask('n0', { kind: 'wait', task })
    world.run(10)
    const outcome = world.replies.get(request)
    expect(outcome?.ok === true && outcome.value.kind === 'report' && outcome.value.report.state).toBe('completed')
    const kindsOfLast = world.effects.slice(-4).map(({ kind }) => kind)
    expect(kindsOfLast.indexOf('persist')).toBeLessThan(kindsOfLast.lastIndexOf('reply'))
    expect(new TextDecoder().decode(world.report('n0', task).output)).toBe('"HI"')
    expect(world.node('n0').core.counts).toMatchObject({ accepted: 1, completed: 1, waiting: 0, running: 0 })
  })

  it('T-7 runs no more than slots and resources allow, and takes what waits when one comes free', () => {
    const world = new World()
    world.attach('n0', 'a', { slots: 3, resources: { cpu: 4 } }, answering(10))
    for (let i = 0; i < 5; i++) world.submit('n0', { resources: { cpu: 2 } })
    expect(world.ran).toHaveLength(2)
    world.run(11)
    expect(world.ran).toHaveLength(4)
    world.run(50)
    expect(world.node('n0').core.counts.completed).toBe(5)
  })

  it('T-7 keeps a slot taken until the agent has let go of what it was told to stop', () => {
    const world = new World()
    world.attach('n0', 'a')
    const one = world.submit('n0')
    world.submit('n0')
    world.ask('n0', { kind: 'cancel', task: one, reason: 'changed my mind' })
    expect(world.stopped).toMatchObject([{ task: one, reason: 'cancelled' }])
    expect(world.ran).toHaveLength(1)
    world.done(first(world))
    expect(world.ran).toHaveLength(2)
    expect(world.report('n0', one).state).toBe('cancelled')
  })

  it('T-7 limits by the host what the agents share', () => {
    const world = new World()
    world.input('n0', { kind: 'capacity', resources: { cpu: 3 } })
    world.attach('n0', 'a', { slots: 4 })
    world.attach('n0', 'b', { slots: 4 })
    for (let i = 0; i < 6; i++) world.submit('n0', { resources: { cpu: 1 } })
    expect(world.ran).toHaveLength(3)
  })

  it('gives up an agent that lets go of nothing', () => {
    const world = new World()
    world.attach('n0', 'a')
    world.submit('n0', { runTimeoutMs: 100, retries: 0 })
    world.run(101)
    expect(world.stopped).toMatchObject([{ reason: 'run-timeout' }])
    world.run(world.params.stopGraceMs)
    expect(world.effects.filter(({ kind }) => kind === 'expel')).toHaveLength(1)
  })
})

describe('remote work', () => {
  it('TSK-2 offers, bids, awards, and returns the result', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a', {}, answering(5, 'remote'))
    const task = world.submit('n0')
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({
      state: 'completed',
      executor: { node: 'n1', agent: 'a' },
      executions: 1,
    })
    expect(kinds(world, 'claims.offer')).toBe(1)
    expect(kinds(world, 'claims.award')).toBe(1)
    expect(kinds(world, 'claims.ack')).toBe(1)
    expect(world.sent.length).toBeLessThan(10)
  })

  it('CL-3 the best bid wins, not the first', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'dear', { price: 10 }, answering(5))
    world.attach('n2', 'cheap', { price: 1 }, answering(5))
    const task = world.submit('n0', { objective: { throughput: 0, latency: 0, quality: 0, cost: 1 } })
    world.run(100)
    expect(world.report('n0', task).executor?.node).toBe('n2')
    // The other gets its slot back.
    expect(world.sent.filter(({ to, message }) => to === 'n1' && message.kind === 'claims.withdraw')).toHaveLength(1)
  })

  it('CL-3 closes the window when one does not answer', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a', {}, answering(5))
    world.attach('n2', 'b', {}, answering(5))
    world.silence('n0', 'n2')
    const task = world.submit('n0')
    world.run(200)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n1' } })
  })

  it('TSK-4 a busy peer holds the offer and claims when a slot comes free', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(500))
    const one = world.submit('n0')
    world.run(10)
    const two = world.submit('n0')
    world.run(400)
    expect(world.why('n0', two)).toContain('RESERVED')
    world.run(200)
    expect(world.report('n0', one).state).toBe('completed')
    expect(world.report('n0', two).state).toBe('running')
    world.run(600)
    expect(world.report('n0', two).state).toBe('completed')
    expect(kinds(world, 'claims.offer')).toBe(2)
  })

  it('T-10 a peer that had said never is asked again when it has agents, while others hold the offer', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a', {}, answering(60_000))
    world.submit('n0')
    world.run(100)
    // What others know of it is older than what it knows itself.
    const gone = world.attach('n2', 'b', {}, answering(5))
    world.input('n2', { kind: 'agent-lost', agent: gone })
    const task = world.submit('n0')
    world.run(100)
    expect(world.why('n0', task)).toContain('RESERVED')
    world.attach('n2', 'c', {}, answering(5))
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
    // Whoever was not asked, or bids, is not asked for news of it.
    const offers = kinds(world, 'claims.offer')
    world.input('n0', { kind: 'candidate-changed', node: 'n1' as NodeId })
    expect(kinds(world, 'claims.offer')).toBe(offers)
  })

  it('T-10 so it is for a task that wants several skills', () => {
    const skills = ['draw', 'echo'].map((name) => ({ name, proficiency: 1 }))
    const submission = { skills: ['draw', 'echo'], resources: { cpu: 1 } }
    const world = new World({ nodes: 3 })
    world.attach('n1', 'busy', { skills, resources: { cpu: 1 } })
    world.attach('n2', 'small', { skills })
    world.submit('n0', submission)
    world.run(100)
    const task = world.submit('n0', submission)
    world.run(100)
    world.attach('n2', 'large', { skills, resources: { cpu: 1 } }, answering(1))
    world.run(100)
    expect(world.report('n0', task).state).toBe('completed')
  })

  it('CL-11 asks others while all who were asked are busy', () => {
    for (let seed = 0; seed < 10; seed++) {
      const world = new World({ nodes: 3, seed: `${seed}`, params: { candidatesMax: 1 } })
      world.attach('n1', 'a', {}, answering(60_000))
      world.attach('n2', 'b', {}, answering(60_000))
      world.submit('n0')
      world.run(100)
      const second = world.submit('n0')
      world.run(100)
      expect(world.report('n0', second).state).toBe('running')
    }
  })

  it('TSK-4 many like tasks drain through reservations at two messages each way', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a', { slots: 2 }, answering(20))
    world.attach('n2', 'b', { slots: 2 }, answering(20))
    for (let i = 0; i < 100; i++) world.submit('n0')
    world.run(5_000)
    expect(world.node('n0').core.counts).toMatchObject({ completed: 100, waiting: 0 })
    expect(world.sent.length / 100).toBeLessThan(10)
  })

  it('T-1 renews long leases in one message per coordinator', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', { slots: 10 }, answering(60_000))
    for (let i = 0; i < 10; i++) world.submit('n0')
    world.run(61_000)
    expect(world.node('n0').core.counts.completed).toBe(10)
    expect(world.ran).toHaveLength(10)
    expect(kinds(world, 'claims.renew')).toBeLessThan(25)
  })

  it('T-1 a silent executor stops before its lease ends at the coordinator, and then another gets it', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(50)
    expect(world.report('n0', task).state).toBe('running')
    world.attach('n2', 'b', {}, answering(5))
    world.silence('n0', 'n1')
    world.run(world.params.leaseMs - world.params.leaseMarginMs)
    expect(world.stopped).toMatchObject([{ agent: 'a@n1', reason: 'lease-ended' }])
    expect(world.ran).toHaveLength(1)
    world.run(1_500)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' }, executions: 2 })
    expect(world.observed.some(({ kind }) => kind === 'execution-doubled')).toBe(true)
  })

  it('T-3 a late answer changes nothing', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(50)
    const late = first(world)
    world.silence('n0', 'n1')
    world.run(world.params.leaseMs + 100)
    world.attach('n2', 'b', {}, answering(5, 'second'))
    world.run(1_000)
    world.link('n0', 'n1')
    world.done(late, 'first')
    world.run(1_000)
    expect(new TextDecoder().decode(world.report('n0', task).output)).toBe('second')
    expect(world.observed.some(({ kind }) => kind === 'agent-answer-ignored')).toBe(true)
  })

  it('T-10 a restarted executor says that it holds nothing, and the task goes on at once', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(50)
    world.kill('n1')
    world.attach('n2', 'b', {}, answering(5))
    world.run(500)
    expect(world.report('n0', task).state).toBe('running')
    world.restart('n1')
    world.run(200)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
  })

  it('a result that was not heard is said again', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(5))
    let lost = 0
    world.loses = (_from, _to, { kind }) => kind === 'claims.result' && lost++ < 2
    const task = world.submit('n0')
    world.run(10_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executions: 1 })
  })

  it('carries a megabyte in parts, there and back', () => {
    const world = new World({ nodes: 2 })
    const input = new Uint8Array(1_000_000).map((_, i) => i % 251)
    world.attach('n1', 'a', {}, (ran, w) =>
      w.input('n1', {
        kind: 'agent-result',
        agent: ran.agent,
        task: ran.order.task,
        attempt: 1,
        output: ran.order.input,
      }),
    )
    const task = world.submit('n0', { input })
    world.run(100)
    expect(world.report('n0', task).output).toEqual(input)
    const request = world.ask('n1', { kind: 'get', task })
    world.run(100)
    const outcome = world.replies.get(request)
    expect(outcome?.ok === true && outcome.value.kind === 'report' && outcome.value.report.output).toEqual(input)
  })
})

describe('what goes wrong', () => {
  it('retries a failure with back-off at another agent, then gives up with its history', () => {
    const world = new World()
    world.attach('n0', 'a', {}, failing(1))
    world.attach('n0', 'b', {}, failing(1))
    const task = world.submit('n0', { retries: 1 })
    world.run(5_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'dead-lettered', attempts: 2, executions: 2 })
    expect(new Set(world.ran.map(({ agent }) => agent)).size).toBe(2)
    const request = world.ask('n0', { kind: 'history', task })
    const outcome = world.replies.get(request)
    const rows =
      outcome?.ok === true && outcome.value.kind === 'history' ? outcome.value.entries.map(({ kind }) => kind) : []
    expect(rows).toEqual(['submitted', 'started', 'failed', 'started', 'failed', 'dead-lettered'])
  })

  it('tries the same agent again when there is no other', () => {
    const world = new World()
    let tries = 0
    world.attach('n0', 'a', {}, (ran, w) => w.later(1, () => (tries++ === 0 ? w.fail(ran) : w.done(ran))))
    const task = world.submit('n0')
    world.run(10_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 2 })
  })

  it('ends at once what may not be retried', () => {
    const world = new World()
    world.attach('n0', 'a', {}, failing(1, false))
    const task = world.submit('n0')
    world.run(10)
    expect(world.report('n0', task)).toMatchObject({ state: 'failed', error: { code: 'BROKEN' } })
  })

  it('offers again what a lost agent had', () => {
    const world = new World()
    const agent = world.attach('n0', 'a')
    const task = world.submit('n0')
    world.loseAgent('n0', agent)
    expect(world.report('n0', task).state).toBe('waiting')
    world.attach('n0', 'b', {}, answering(1))
    world.run(10)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 2 })
  })

  it('T-12 an agent that accepts and fails at once stops being chosen', () => {
    const world = new World()
    world.attach('n0', 'bad', {}, failing(0))
    world.attach('n0', 'good', {}, answering(50))
    for (let i = 0; i < 200; i++) {
      world.submit('n0', { retries: 5 })
      world.run(60)
    }
    world.run(30_000)
    const bad = world.ran.filter(({ agent }) => agent === 'bad@n0').length
    expect(bad).toBeLessThan(15)
    expect(world.node('n0').core.counts.completed).toBe(200)
  })

  it('T-12 a node whose agents fail at once stops being asked', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'bad', { slots: 10 }, failing(0))
    world.attach('n2', 'good', { slots: 10 }, answering(50))
    for (let i = 0; i < 200; i++) {
      world.submit('n0', { retries: 5 })
      world.run(60)
    }
    world.run(60_000)
    expect(world.node('n0').core.counts.completed).toBe(200)
    expect(world.ran.filter(({ node }) => node === 'n1').length).toBeLessThan(20)
  })

  it('T-6 after a cancel no result is accepted', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(50)
    const request = world.ask('n1', { kind: 'cancel', task, reason: 'enough' })
    world.run(10)
    expect(world.replies.get(request)).toMatchObject({ ok: true, value: { kind: 'cancelled', state: 'cancelled' } })
    expect(world.stopped).toMatchObject([{ task, reason: 'cancelled' }])
    world.done(first(world))
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({ state: 'cancelled', output: undefined })
  })

  it('ends at the deadline, waiting or running, and at the queue time-out only while waiting', () => {
    const world = new World()
    const waiting = world.submit('n0', { deadlineMs: 1_000 })
    const unserved = world.submit('n0', { queueTimeoutMs: 500 })
    world.run(600)
    expect(world.report('n0', unserved)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } })
    world.run(500)
    expect(world.report('n0', waiting)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } })
    world.attach('n0', 'a', { slots: 2 })
    const served = world.submit('n0', { queueTimeoutMs: 500 })
    const running = world.submit('n0', { deadlineMs: 700 })
    world.run(800)
    expect(world.report('n0', served).state).toBe('running')
    expect(world.report('n0', running).state).toBe('failed')
    expect(world.stopped).toHaveLength(1)
  })
})

describe('durability', () => {
  it('T-4 the same key is the same task; another body under it is an error', () => {
    const world = new World()
    const task = world.submit('n0', { key: 'k' })
    expect(world.submit('n0', { key: 'k' })).toBe(task)
    expect(world.submit('n0', { key: 'k', tenant: 'other' })).not.toBe(task)
    expect(world.refusal('n0', { key: 'k', priority: 7 })?.code).toBe('DUPLICATE_KEY')
    world.kill('n0')
    world.restart('n0')
    expect(world.submit('n0', { key: 'k' })).toBe(task)
  })

  it('T-5 a restart finds what was accepted, and goes on', () => {
    const world = new World()
    const agent = world.attach('n0', 'a', {}, answering(10))
    const done = world.submit('n0')
    world.run(20)
    world.behaviours.delete(agent)
    const running = world.submit('n0')
    const waiting = world.submit('n0')
    for (const compacted of [false, true]) {
      if (compacted) world.compact('n0')
      world.kill('n0')
      world.restart('n0')
      expect(world.report('n0', done)).toMatchObject({ state: 'completed', executions: 1 })
      expect(world.node('n0').core.counts).toMatchObject({ accepted: 3, completed: 1, waiting: 2 })
    }
    world.attach('n0', 'b', { slots: 2 }, answering(10))
    world.run(50)
    expect(world.report('n0', running).state).toBe('completed')
    expect(world.report('n0', waiting).state).toBe('completed')
    expect(world.report('n0', running).executionsUncertain).toBe(true)
  })

  it('T-1 a restarted coordinator adopts what executors still hold, and waits for those not heard of', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    const held = world.submit('n0')
    world.run(50)
    world.attach('n2', 'b')
    const unheard = world.submit('n0')
    world.run(50)
    world.kill('n2')
    world.kill('n0')
    world.run(100)
    world.restart('n0')
    world.run(50)
    expect(world.report('n0', held)).toMatchObject({ state: 'running', executor: { node: 'n1' } })
    expect(world.why('n0', unheard)).toEqual(['RECOVERING'])
    world.done(first(world), 'once')
    world.run(50)
    expect(world.report('n0', held)).toMatchObject({ state: 'completed', executions: 1 })
    world.run(world.params.leaseMs + world.params.leaseMarginMs)
    expect(world.why('n0', unheard)).not.toContain('RECOVERING')
    world.run(1_000)
    expect(world.report('n0', unheard)).toMatchObject({ state: 'running', executor: { node: 'n1' } })
  })

  it('T-2 a result is acknowledged only after its record', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(5))
    world.submit('n0')
    world.run(100)
    const at = world.effects.findIndex(
      (effect) => effect.kind === 'persist' && effect.records.some(({ kind }) => kind === 'ended'),
    )
    const acked = world.effects.findIndex((effect) => effect.kind === 'send' && effect.message.kind === 'claims.ack')
    expect(at).toBeGreaterThan(0)
    expect(acked).toBeGreaterThan(at)
  })

  it('the first award to a peer waits for the journal to name it', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', { slots: 2 }, answering(5))
    for (let i = 0; i < 2; i++) {
      world.submit('n0')
      world.run(100)
    }
    const named = world.node('n0').log.filter(({ kind }) => kind === 'executor')
    expect(named).toEqual([{ kind: 'executor', node: 'n1' as NodeId }])
  })
})

describe('why', () => {
  it('TSK-8 says what is true', () => {
    const world = new World({ nodes: 2 })
    const unknown = world.submit('n0', { skills: ['juggle'] })
    world.run(100)
    expect(world.why('n0', unknown)).toEqual(['NO_AGENT_HERE', 'NO_AGENT_HAS_SKILL'])
    world.attach('n0', 'a', { labels: { tier: 'gold' }, resources: { cpu: 2 } })
    world.submit('n0')
    const busy = world.submit('n0')
    expect(world.why('n0', busy)[0]).toBe('ALL_SLOTS_BUSY')
    const excluded = world.submit('n0', { require: ['region==mars'] })
    expect(world.why('n0', excluded)[0]).toBe('CONSTRAINT_EXCLUDES_HERE')
    const large = world.submit('n0', { resources: { cpu: 8 } })
    world.run(100)
    expect(world.why('n0', large)).toEqual(['RESOURCES_EXCEED_HERE', 'NO_PEER_FITS'])
    expect(world.why('n0', excluded)).toEqual(['CONSTRAINT_EXCLUDES_HERE', 'NO_PEER_FITS'])
  })
})
