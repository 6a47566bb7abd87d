import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { NodeStatus, TaskRecord, WhyReport } from '../../src/index.ts'
import { startScript } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { WireAgent } from '../support/wire-agent.ts'
import { startSwarm, TestDaemon } from './harness.ts'

/** Short enough to be outwaited in a test; long beside what a busy machine is late. */
const LEASE_MS = 2_000
const SHORT_LEASES = { SWARM_NODE_CLAIMS_LEASE_MS: `${LEASE_MS}ms`, SWARM_NODE_CLAIMS_STOP_GRACE_MS: '1s' }
const WAIT = { timeoutMs: 60_000 }

const AGENT_PROCESS = fileURLToPath(new URL('./agent-process.ts', import.meta.url))

async function submit(client: WireAgent, params: Readonly<Record<string, unknown>>): Promise<string> {
  return (await client.call<{ task: string }>('task.submit', params)).task
}

async function ended(client: WireAgent, task: string): Promise<TaskRecord> {
  return await client.call<TaskRecord>('task.wait', { task, ...WAIT })
}

/** `task.why` once it says that. */
function whyOf(client: WireAgent, task: string, code: string): Promise<WhyReport> {
  return eventually(
    `${task} to wait because of ${code}`,
    async () => {
      const why = await client.call<WhyReport>('task.why', { task })
      return why.reasons.some((reason) => reason.code === code) && why
    },
    30_000,
  )
}

/** A swarm whose leases are short. */
async function shortLeased(nodeCount: number): Promise<readonly TestDaemon[]> {
  const founder = await TestDaemon.start({ env: SHORT_LEASES })
  const ticket = await founder.ticket(nodeCount)
  const others = Array.from({ length: nodeCount - 1 }, () => TestDaemon.start({ join: ticket, env: SHORT_LEASES }))
  const all = [founder, ...(await Promise.all(others))]
  await Promise.all(all.map((daemon) => daemon.sees(all.filter((other) => other !== daemon))))
  return all
}

function member<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new Error(`there is no ${index}`)
  return item
}

describe('across nodes', () => {
  it('a task submitted at one node is run at another, and the result comes back to any node', async () => {
    const swarm = await startSwarm(3)
    const [near, far, third] = [member(swarm, 0), member(swarm, 1), member(swarm, 2)]
    const agent = await WireAgent.connect(far.socket, { name: 'shouter', skills: [{ name: 'shout' }], slots: 2 })
    const client = await WireAgent.connect(near.socket)
    const task = await submit(client, { skill: 'shout', input: { text: 'hello', n: [1, 2] }, trace: 'span-1' })
    const handed = await agent.nth(1)
    expect(handed.params).toMatchObject({ task, attempt: 1, skill: 'shout', tenant: 'default', trace: 'span-1' })
    expect(handed.params.input).toEqual({ text: 'hello', n: [1, 2] })
    const elsewhere = await WireAgent.connect(third.socket)
    for (const [n, asker] of [elsewhere, client, agent].entries()) {
      expect(await asker.ask('task.steer', { task, input: [n, 1e2] })).toEqual({ ok: true, result: {} })
    }
    await eventually('the extra input', () => agent.notices.length === 3)
    const steered = (n: number) => ({ method: 'task.steer', params: { task, attempt: 1, input: [n, 100] } })
    expect(agent.notices).toMatchObject([steered(0), steered(1), steered(2)])
    agent.complete(handed, { text: 'HELLO' })
    const record = await ended(client, task)
    const late = await elsewhere.ask('task.steer', { task, input: null })
    expect(late).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
    expect(record).toMatchObject({
      task,
      state: 'completed',
      skill: 'shout',
      attempts: 1,
      executions: 1,
      coordinator: near.node,
      executor: { node: far.node, agent: 'shouter' },
      output: { text: 'HELLO' },
    })
    for (const at of [record.submittedAt, record.startedAt, record.endedAt]) {
      expect(new Date(at ?? '').toISOString()).toBe(at)
    }
    expect(await elsewhere.call('task.get', { task })).toEqual(record)
    expect(await elsewhere.call('task.wait', { task })).toEqual(record)
    const why = await elsewhere.call<WhyReport>('task.why', { task })
    expect(why.placement).toMatchObject({ kind: 'round', node: far.node, agent: 'shouter' })
    expect(why.placement?.bids).toMatchObject([{ node: far.node, answer: 'bid' }])
    const { entries } = await elsewhere.call<{ entries: { kind: string }[] }>('task.history', { task })
    expect(entries.map(({ kind }) => kind)).toEqual(['submitted', 'started', 'completed'])
    const status = await client.call<NodeStatus>('node.status', {})
    expect(status.tasks).toMatchObject({ completed: 1, waiting: 0, running: 0 })
    expect((await elsewhere.ask('task.get', { task: 'no-such-task' })).ok).toBe(false)
  })

  it('large inputs and outputs, bytes and all letters cross unchanged', async () => {
    const [near, far] = await startSwarm(2)
    if (near === undefined || far === undefined) throw new Error('two were asked for')
    const agent = await WireAgent.connect(far.socket, { name: 'echo', skills: [{ name: 'echo' }] })
    const client = await WireAgent.connect(near.socket)
    const input = { $bytes: Buffer.alloc(700_000, 'swarm').toString('base64'), text: '→ä𝄞\u0000"\\' }
    const task = await submit(client, { skill: 'echo', input })
    const handed = await agent.nth(1)
    expect(handed.params.input).toEqual(input)
    agent.complete(handed, handed.params.input)
    expect((await ended(client, task)).output).toEqual(input)
    const called = client.call<TaskRecord>('task.call', { skill: 'echo', input })
    const again = await agent.nth(2)
    agent.complete(again, again.params.input)
    expect(await called).toMatchObject({ state: 'completed', output: input })
    const late = await client.ask('task.call', { skill: 'nobody', timeoutMs: 1 })
    expect(late).toMatchObject({ ok: false, error: { code: 'TIMEOUT', data: { task: expect.any(String) } } })
    const refused = await client.ask('task.submit', { skill: 'echo', input: 'x'.repeat(1024 * 1024 + 1) })
    expect(refused).toMatchObject({ ok: false, error: { code: 'TOO_LARGE' } })
  })

  it('cancelled from another node, it stops at the agent, whose answer no longer matters', async () => {
    const [near, far] = await startSwarm(2)
    if (near === undefined || far === undefined) throw new Error('two were asked for')
    const agent = await WireAgent.connect(far.socket, { name: 'slow', skills: [{ name: 'slow' }] })
    const client = await WireAgent.connect(near.socket)
    const task = await submit(client, { skill: 'slow' })
    const handed = await agent.nth(1)
    expect(await agent.call('task.cancel', { task, reason: 'not needed' })).toEqual({ state: 'cancelled' })
    expect(await agent.noticed('task.cancel')).toEqual({ task, attempt: 1, reason: 'cancelled' })
    agent.complete(handed, 'too late')
    expect(await ended(client, task)).toMatchObject({
      state: 'cancelled',
      error: { code: 'CANCELLED', message: 'not needed' },
    })
    const after = await submit(client, { skill: 'slow' })
    agent.complete(await agent.nth(2), 'next')
    expect(await ended(client, after)).toMatchObject({ state: 'completed', output: 'next' })
  })
})

describe('what goes wrong with agents', () => {
  it('a lost connection: its tasks are offered again, and progress is told to who listens', async () => {
    const daemon = await TestDaemon.start()
    const client = await WireAgent.connect(daemon.socket)
    const first = await WireAgent.connect(daemon.socket, { name: 'first', skills: [{ name: 'work' }] })
    const task = await submit(client, { skill: 'work', input: 1 })
    await client.call('events.subscribe', { kinds: ['task-changed', 'task-progress'], task })
    const handed = await first.nth(1)
    first.progress({ task, attempt: 1, fraction: 0.5, message: 'half', partial: { rows: 1 } })
    await client.noticed('event')
    expect(client.notices[0]?.params).toMatchObject({
      kind: 'task-progress',
      fraction: 0.5,
      message: 'half',
      partial: { rows: 1 },
    })
    const second = await WireAgent.connect(daemon.socket, { name: 'second', skills: [{ name: 'work' }] })
    first.close()
    const again = await second.nth(1)
    expect(again.params).toMatchObject({ task, attempt: 2, input: 1 })
    expect(handed.params.attempt).toBe(1)
    second.complete(again, 'done')
    expect(await ended(client, task)).toMatchObject({ attempts: 2, executions: 2, executor: { agent: 'second' } })
    const states = client.notices.map(({ params }) => params.state).filter((state) => state !== undefined)
    expect(states).toEqual(['waiting', 'running', 'completed'])
  })

  it('it answers twice, with garbage, for what it does not hold and for an old attempt: one result counts', async () => {
    const daemon = await TestDaemon.start()
    const client = await WireAgent.connect(daemon.socket)
    const agent = await WireAgent.connect(daemon.socket, { name: 'odd', skills: [{ name: 'work' }], slots: 1 })
    const task = await submit(client, { skill: 'work', retries: 2 })
    const handed = await agent.nth(1)
    agent.say('{"jsonrpc":"2.0","id":"r99","result":{"output":"stolen"}}\n')
    agent.say('{"jsonrpc":"2.0","id":"r1","result":7}\n')
    agent.complete(handed, 'second answer to the first attempt')
    const again = await agent.nth(2)
    expect(again.params.attempt).toBe(2)
    agent.complete(handed, 'an old attempt')
    agent.complete(again, 'right')
    agent.complete(again, 'twice')
    expect(await ended(client, task)).toMatchObject({ state: 'completed', output: 'right', attempts: 2 })
    agent.say('this is no JSON\n')
    await eventually('the connection to be closed', () => agent.isClosed)
  })

  it('an error that may not be repeated fails the task; one that may is repeated as often as the task says', async () => {
    const daemon = await TestDaemon.start()
    const client = await WireAgent.connect(daemon.socket)
    const agent = await WireAgent.connect(daemon.socket, { name: 'fails', skills: [{ name: 'work' }] })
    const hopeless = await submit(client, { skill: 'work' })
    const error = { code: 'BROKEN', message: 'no such file', retryable: false }
    agent.answer(await agent.nth(1), { kind: 'failed', error })
    expect(await ended(client, hopeless)).toMatchObject({ state: 'failed', attempts: 1, error: { code: 'BROKEN' } })
    const unlucky = await submit(client, { skill: 'work', retries: 1 })
    agent.answer(await agent.nth(2), { kind: 'failed', error: { ...error, retryable: true } })
    agent.answer(await agent.nth(3), { kind: 'failed', error: { ...error, retryable: true } })
    expect(await ended(client, unlucky)).toMatchObject({ state: 'dead-lettered', attempts: 2 })
  })

  it('T-7: the capacity of the host is for all its agents together', async () => {
    const daemon = await TestDaemon.start({ env: { SWARM_NODE_NODE_CAPACITY: 'gpu=1' } })
    const client = await WireAgent.connect(daemon.socket)
    const facts = { skills: [{ name: 'train' }], resources: { gpu: 1 } }
    const one = await WireAgent.connect(daemon.socket, { name: 'one', ...facts })
    const two = await WireAgent.connect(daemon.socket, { name: 'two', ...facts })
    const tasks: string[] = []
    for (let i = 0; i < 3; i++) tasks.push(await submit(client, { skill: 'train', resources: { gpu: 1 } }))
    for (const [i, task] of tasks.entries()) {
      const handed = await eventually('a task to be handed over', () => [...one.handed, ...two.handed][i])
      await whyOf(client, tasks[i + 1] ?? task, i === 2 ? 'RUNNING' : 'SHORT_OF_RESOURCES')
      expect([...one.handed, ...two.handed]).toHaveLength(i + 1)
      const agent = one.handed.includes(handed) ? one : two
      agent.complete(handed, i)
      await ended(client, task)
    }
  })

  it('SIGSTOP: an agent that promised to be heard of loses its lease, and its late answer changes nothing', async () => {
    const daemon = await TestDaemon.start()
    const stopped = startScript(AGENT_PROCESS, [daemon.socket, 'sleeper', 'work', '300'])
    await eventually('the agent to attach', () => stopped.output.stdout.includes('attached'), 30_000)
    const client = await WireAgent.connect(daemon.socket)
    stopped.child.kill('SIGSTOP')
    // No run time-out, and nothing else that would end it.
    const task = await submit(client, { skill: 'work' })
    const awake = await WireAgent.connect(daemon.socket, { name: 'awake', skills: [{ name: 'work' }] })
    const handed = await awake.nth(1)
    expect(handed.params).toMatchObject({ task, attempt: 2 })
    awake.complete(handed, 'in time')
    expect(await ended(client, task)).toMatchObject({ output: 'in time', attempts: 2 })
    const { events } = await client.call<{ events: { kind: string }[] }>('node.events', {})
    expect(events.map(({ kind }) => kind)).toContain('agent-silent')
    stopped.child.kill('SIGCONT')
    await eventually('its late answer', () => stopped.output.stdout.includes(`answered ${task} 1`))
    expect(await client.call('task.get', { task })).toMatchObject({ output: 'in time', executions: 2 })
    // Heard again, and free, it takes the next.
    awake.close()
    const next = await submit(client, { skill: 'work' })
    expect(await ended(client, next)).toMatchObject({ executor: { agent: 'sleeper' } })
  })

  it('SIGSTOP: the run times out, another agent does it, and the late answer changes nothing', async () => {
    const daemon = await TestDaemon.start({ env: SHORT_LEASES })
    const stopped = startScript(AGENT_PROCESS, [daemon.socket, 'sleeper', 'work'])
    await eventually('the agent to attach', () => stopped.output.stdout.includes('attached'), 30_000)
    const client = await WireAgent.connect(daemon.socket)
    stopped.child.kill('SIGSTOP')
    const task = await submit(client, { skill: 'work', runTimeoutMs: 300 })
    const awake = await WireAgent.connect(daemon.socket, { name: 'awake', skills: [{ name: 'work' }] })
    const handed = await awake.nth(1)
    expect(handed.params).toMatchObject({ task, attempt: 2 })
    awake.complete(handed, 'in time')
    expect(await ended(client, task)).toMatchObject({ output: 'in time', attempts: 2 })
    // None of its slots came free in the time that it had: it is sent away.
    await eventually('the sleeper to be sent away', async () => {
      const { agents } = await client.call<{ agents: { name: string }[] }>('node.agents', {})
      return agents.length === 1 && agents[0]?.name === 'awake'
    })
    stopped.child.kill('SIGCONT')
    await eventually('its late answer', () => stopped.output.stdout.includes(`answered ${task} 1`))
    await stopped.ended
    expect(await client.call('task.get', { task })).toMatchObject({ output: 'in time', executions: 2 })
  })
})

describe('what goes wrong with nodes', () => {
  it('SIGKILL of the coordinator: durable tasks go on after its restart, others are lost and say so', async () => {
    const daemon = await TestDaemon.start({ env: SHORT_LEASES })
    const client = await WireAgent.connect(daemon.socket)
    const agent = await WireAgent.connect(daemon.socket, { name: 'one', skills: [{ name: 'work' }] })
    const running = await submit(client, { skill: 'work', input: 'running' })
    const waiting = await submit(client, { skill: 'work', input: 'waiting', key: 'k1' })
    const volatile = await submit(client, { skill: 'work', input: 'volatile', durable: false })
    await agent.nth(1)
    await daemon.kill()
    const again = await TestDaemon.start({ data: daemon.data, env: SHORT_LEASES })
    const back = await WireAgent.connect(again.socket)
    expect(await back.call('task.submit', { skill: 'work', input: 'waiting', key: 'k1' })).toEqual({
      task: waiting,
      state: 'accepted',
      duplicate: true,
    })
    const other = await back.ask('task.submit', { skill: 'work', input: 'else', key: 'k1' })
    expect(other).toMatchObject({ ok: false, error: { code: 'DUPLICATE_KEY', data: { task: waiting } } })
    expect(await back.ask('task.get', { task: volatile })).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
    const next = await WireAgent.connect(again.socket, { name: 'one', skills: [{ name: 'work' }], slots: 2 })
    const handed = [await next.nth(1), await next.nth(2)]
    expect(handed.map(({ params }) => params.input).sort()).toEqual(['running', 'waiting'])
    for (const each of handed) next.complete(each, each.params.input)
    expect(await ended(back, running)).toMatchObject({
      state: 'completed',
      output: 'running',
      executionsUncertain: true,
    })
    expect(await ended(back, waiting)).toMatchObject({ state: 'completed', output: 'waiting' })
  })

  it('SIGSTOP of the executor for longer than the lease: done elsewhere, its late result changes nothing', async () => {
    const swarm = await shortLeased(3)
    const [near, stopped, spare] = [member(swarm, 0), member(swarm, 1), member(swarm, 2)]
    const client = await WireAgent.connect(near.socket)
    const first = await WireAgent.connect(stopped.socket, { name: 'first', skills: [{ name: 'work' }] })
    const task = await submit(client, { skill: 'work' })
    const handed = await first.nth(1)
    const events = await near.events()
    const second = await WireAgent.connect(spare.socket, { name: 'second', skills: [{ name: 'work' }] })
    stopped.running.child.kill('SIGSTOP')
    first.complete(handed, 'late')
    const again = await second.nth(1)
    expect(again.params).toMatchObject({ task, attempt: 2 })
    expect(events.some((event) => event.kind === 'lease-lapsed')).toBe(true)
    second.complete(again, 'in time')
    const record = await ended(client, task)
    expect(record).toMatchObject({ output: 'in time', executor: { node: spare.node, agent: 'second' } })
    stopped.running.child.kill('SIGCONT')
    await near.sees([stopped, spare])
    // Its agent is free again once it has learnt that its lease is over.
    const after = await submit(client, { skill: 'work', require: [`node==${stopped.node}`] })
    first.complete(await first.nth(2), 'again')
    expect(await ended(client, after)).toMatchObject({ output: 'again', executor: { node: stopped.node } })
    expect(await client.call('task.get', { task })).toEqual(record)
  })

  it('SIGTERM drains briefly: what runs ends, agents are told, what waits is there after the restart', async () => {
    const daemon = await TestDaemon.start()
    const client = await WireAgent.connect(daemon.socket)
    const agent = await WireAgent.connect(daemon.socket, { name: 'one', skills: [{ name: 'work' }] })
    const running = await submit(client, { skill: 'work', input: 'running' })
    const handed = await agent.nth(1)
    const waiting = await submit(client, { skill: 'work', input: 'waiting' })
    const waitingFor = client.ask('task.wait', { task: waiting })
    const result = client.call<TaskRecord>('task.wait', { task: running })
    const stopped = daemon.stop()
    expect(await agent.noticed('drain')).toMatchObject({ deadlineMs: 5000 })
    const refused = await client.ask('task.submit', { skill: 'work' })
    expect(refused).toMatchObject({ ok: false, error: { code: 'SHUTTING_DOWN' } })
    agent.complete(handed, 'just in time')
    expect(await result).toMatchObject({ state: 'completed', output: 'just in time' })
    expect(await waitingFor).toMatchObject({ ok: false, error: { code: 'SHUTTING_DOWN' } })
    expect((await stopped).code).toBe(0)
    const again = await TestDaemon.start({ data: daemon.data })
    const back = await WireAgent.connect(again.socket)
    expect(await back.call('task.get', { task: running })).toMatchObject({ output: 'just in time' })
    expect(await back.call('task.get', { task: waiting })).toMatchObject({ state: 'waiting' })
  })
})

describe('why', () => {
  it('tells the true reason for which a task waits', async () => {
    const [near, far] = await startSwarm(2)
    if (near === undefined || far === undefined) throw new Error('two were asked for')
    const client = await WireAgent.connect(near.socket)
    const agent = await WireAgent.connect(near.socket, {
      name: 'busy',
      skills: [{ name: 'work' }],
      resources: { gpu: 1 },
    })

    const unknown = await submit(client, { skill: 'juggle' })
    const noSkill = await whyOf(client, unknown, 'NO_AGENT_HAS_SKILL')
    expect(noSkill).toMatchObject({ state: 'waiting' })
    expect(noSkill.reasons.map(({ message }) => message).join()).toContain('juggle')

    const first = await submit(client, { skill: 'work' })
    const handed = await agent.nth(1)
    const behind = await submit(client, { skill: 'work' })
    const last = await submit(client, { skill: 'work' })
    const busy = await whyOf(client, last, 'ALL_SLOTS_BUSY')
    expect(busy.reasons.find(({ code }) => code === 'ALL_SLOTS_BUSY')).toMatchObject({ slots: 1, position: 2 })
    expect(busy.reasons.map(({ message }) => message).join()).toMatch(/position 2, expected in/)

    const nowhere = await submit(client, { skill: 'work', require: ['region==mars'] })
    const excluded = await whyOf(client, nowhere, 'CONSTRAINT_EXCLUDES_HERE')
    expect(excluded.reasons.map(({ message }) => message).join()).toContain('region==mars')
    const greedy = await submit(client, { skill: 'work', resources: { gpu: 8 } })
    await whyOf(client, greedy, 'RESOURCES_EXCEED_HERE')

    agent.complete(handed, null)
    expect(await ended(client, first)).toMatchObject({ state: 'completed', output: null })
    const done = await client.call<WhyReport>('task.why', { task: first })
    expect(done.placement).toEqual({ kind: 'local', node: near.node, agent: 'busy', candidates: 0, bids: [] })
    agent.complete(await agent.nth(2), null)
    await ended(client, behind)
  })
})
