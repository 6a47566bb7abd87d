import { describe, expect, it } from 'vitest'
import { answering, failing, type Ran, World } from './claims-world.ts'

function ranIn(world: World, index = 0): Ran {
  const ran = world.ran[index]
  if (ran === undefined) throw new Error(`only ${world.ran.length} have run`)
  return ran
}

describe('what a client may say wrongly', () => {
  it('names everything that is wrong at once', () => {
    const refusal = new World().refusal('n0', {
      skills: [],
      priority: 12,
      deadlineMs: -1,
      retries: 1e6,
      resources: { cpu: Number.NaN },
      require: ['cpu >='],
      prefer: ['('],
      budget: -1,
      tenant: '',
    })
    expect(refusal?.code).toBe('BAD_REQUEST')
    const problems = refusal?.data?.problems as readonly string[]
    expect(problems.map((problem) => problem.split(/[.:]/)[0]).sort()).toEqual(
      ['budget', 'deadlineMs', 'prefer', 'priority', 'require', 'resources', 'retries', 'skills', 'tenant'].sort(),
    )
  })

  it('a malformed expression is refused with the place where it is', () => {
    expect(new World().refusal('n0', { require: ['region=='] })?.message).toMatch(
      /require: region==: .* at character \d+/,
    )
  })

  it('an input of more than a megabyte is refused', () => {
    expect(new World().refusal('n0', { input: new Uint8Array(1024 * 1024 + 1) })?.code).toBe('TOO_LARGE')
  })

  it('a skill or resources that nobody has: it waits and says why, until its queue time-out', () => {
    const world = new World({ nodes: 2 })
    world.attach('n0', 'a', { resources: { cpu: 2 } })
    const unknown = world.submit('n0', { skills: ['juggle'], queueTimeoutMs: 5_000 })
    const impossible = world.submit('n0', { resources: { cpu: 1e9 }, queueTimeoutMs: 5_000 })
    world.run(100)
    expect(world.why('n0', unknown)).toContain('NO_AGENT_HERE')
    expect(world.why('n0', impossible)).toContain('RESOURCES_EXCEED_HERE')
    world.run(5_000)
    for (const task of [unknown, impossible])
      expect(world.report('n0', task)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' }, executions: 0 })
  })

  it('an expired deadline fails the task, whoever comes later', () => {
    const world = new World()
    const task = world.submit('n0', { deadlineMs: 1 })
    world.run(2)
    world.attach('n0', 'a', {}, answering(1))
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' }, executions: 0 })
  })

  it('an unknown task is not found, here or elsewhere', () => {
    const world = new World({ nodes: 2 })
    const task = world.submit('n1')
    for (const name of ['nonsense', `${task}x`]) {
      for (const kind of ['get', 'why', 'history'] as const) {
        const request = world.ask('n0', { kind, task: name })
        world.run(20)
        expect(world.replies.get(request)).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
      }
    }
  })

  it('CL-4 the lower the class the sooner it is shed, and an accepted task never is', () => {
    const world = new World({ params: { openTasksMax: 100 } })
    const tasks = Array.from({ length: 64 }, () => world.submit('n0', { priority: 9 }))
    expect(world.refusal('n0', { priority: 0 })).toMatchObject({ code: 'OVERLOADED', data: { retryAfterMs: 1_000 } })
    expect(world.refusal('n0', { priority: 9 })).toBeUndefined()
    expect(tasks.map((task) => world.report('n0', task).state)).toEqual(tasks.map(() => 'waiting'))
  })

  it('a node that drains takes nothing', () => {
    const world = new World()
    world.input('n0', { kind: 'drain' })
    expect(world.refusal('n0', {})?.code).toBe('SHUTTING_DOWN')
  })
})

describe('what an agent may do wrongly', () => {
  it('a result for what it does not hold changes nothing', () => {
    const world = new World({ nodes: 2 })
    world.attach('n0', 'a')
    const stranger = world.attach('n0', 'b', { skills: [{ name: 'other', proficiency: 1 }] })
    const task = world.submit('n0')
    const { order } = ranIn(world)
    const output = new TextEncoder().encode('forged')
    for (const [agent, attempt] of [
      [stranger, 1],
      [ranIn(world).agent, 0],
      [ranIn(world).agent, 2],
    ] as const)
      world.input('n0', { kind: 'agent-result', agent, task: order.task, attempt, output })
    expect(world.report('n0', task).state).toBe('running')
    expect(world.observed.filter(({ kind }) => kind === 'agent-answer-ignored')).toHaveLength(3)
  })

  it('T-2 a second answer changes nothing', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(50)
    world.done(ranIn(world), 'first')
    world.done(ranIn(world), 'second')
    world.fail(ranIn(world))
    world.run(50)
    expect(new TextDecoder().decode(world.report('n0', task).output)).toBe('first')
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executions: 1 })
  })

  it('T-3 the answer to an old attempt changes nothing', () => {
    const world = new World()
    world.attach('n0', 'a')
    const task = world.submit('n0', { runTimeoutMs: 2_000 })
    world.run(2_001)
    expect(world.stopped).toMatchObject([{ reason: 'run-timeout' }])
    world.attach('n0', 'b')
    world.run(1_000)
    world.done(ranIn(world), 'late')
    expect(world.report('n0', task).state).toBe('running')
    world.done(ranIn(world, 1), 'in time')
    expect(new TextDecoder().decode(world.report('n0', task).output)).toBe('in time')
  })

  it('one that never answers is stopped at the run time-out, and the task goes on at another', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'never')
    const task = world.submit('n0', { runTimeoutMs: 200 })
    world.run(100)
    world.attach('n2', 'good', {}, answering(10))
    world.run(2_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' }, attempts: 2 })
  })

  it('an output of more than a megabyte is the failure that it is, and not tried again', () => {
    const world = new World()
    world.attach('n0', 'a')
    const task = world.submit('n0')
    const { agent, order } = ranIn(world)
    const output = new Uint8Array(1024 * 1024 + 1)
    world.input('n0', { kind: 'agent-result', agent, task: order.task, attempt: order.attempt, output })
    expect(world.report('n0', task)).toMatchObject({ state: 'failed', error: { code: 'TOO_LARGE' } })
  })

  it('T-12 one that accepts and fails at once stops being chosen, and is tried again one task at a time', () => {
    const world = new World()
    world.attach('n0', 'bad', { slots: 4 }, failing(0))
    for (let i = 0; i < 4; i++) world.submit('n0', { retries: 0 })
    world.run(10)
    const before = world.ran.length
    expect(world.observed.some(({ kind }) => kind === 'executor-shunned')).toBe(true)
    for (let i = 0; i < 4; i++) world.submit('n0', { retries: 0 })
    world.run(500)
    expect(world.ran).toHaveLength(before)
    world.run(2_000)
    expect(world.ran).toHaveLength(before + 1)
  })

  it('CL-12 one that changes is judged anew for what was only promised', () => {
    const world = new World({ nodes: 2, delayMs: 5 })
    const agent = world.attach('n1', 'a', { labels: { tier: 'gold' } })
    const task = world.submit('n0', { require: ['tier==gold'] })
    world.run(7)
    world.input('n1', { kind: 'agent-update', agent, facts: { labels: { tier: 'tin' } } })
    world.run(100)
    expect(world.ran).toEqual([])
    expect(world.report('n0', task).state).toBe('waiting')
  })
})

describe('a node that stands still', () => {
  it('T-1 past its lease: it stops its agents before it looks at anything else, and its late answer changes nothing', () => {
    const world = new World({ nodes: 3 })
    const agent = world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(50)
    const late = ranIn(world)
    world.pause('n1')
    world.attach('n2', 'b', {}, answering(5, 'second'))
    world.run(30_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
    world.resume('n1', { kind: 'agent-result', agent, task, attempt: 1, output: new TextEncoder().encode('first') })
    world.run(5_000)
    expect(world.stopped).toMatchObject([{ agent: late.agent, reason: 'lease-ended' }])
    expect(new TextDecoder().decode(world.report('n0', task).output)).toBe('second')
  })

  it('T-1 as the coordinator: what ran out meanwhile is not renewed, and the task is done once', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(15_000))
    const task = world.submit('n0')
    world.run(50)
    world.pause('n0')
    world.run(30_000)
    expect(world.stopped).toMatchObject([{ reason: 'lease-ended' }])
    world.resume('n0')
    world.run(20_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 2 })
  })
})
