import { spawnSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { connect, fromPayload, TaskError, type TaskHandler, toPayload } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { codeOf, ends, gate, open } from '../support/scripted-client.ts'
import { refusal, ScriptedDaemon } from '../support/scripted-daemon.ts'

/** The TypeScript client against a daemon that says what the test wants. */

const ECHO = { name: 'echo', skills: ['echo'] }

describe('tasks', () => {
  it('are submitted, waited for and looked at in the words of the socket', async () => {
    const { daemon, swarm } = await open()
    daemon.answer = ({ method }) => {
      if (method === 'task.submit') return { result: { task: 't1', state: 'accepted', duplicate: false } }
      return method === 'task.wait'
        ? { result: { task: 't1', state: 'completed', output: { $bytes: 'AAEC' } } }
        : 'default'
    }
    const { task } = await swarm.submit('echo', { a: 1 }, { priority: 9, key: 'k' })
    await swarm.submit(['a', 'b'])
    const record = await swarm.wait(task)
    await swarm.cancel(task, 'enough')
    await swarm.list({ state: 'running' })
    expect(record).toEqual({ task: 't1', state: 'completed', output: new Uint8Array([0, 1, 2]) })
    expect(daemon.of('task.submit').map(({ params }) => params)).toEqual([
      { skill: 'echo', input: { a: 1 }, priority: 9, key: 'k' },
      { skills: ['a', 'b'] },
    ])
    expect(daemon.of('task.cancel')[0]?.params).toEqual({ task: 't1', reason: 'enough' })
    expect(daemon.of('task.list')[0]?.params).toEqual({ state: 'running' })
  })

  it('are submitted and waited for in one question, asked again in words of its own when the answer is late', async () => {
    const { daemon, swarm } = await open()
    daemon.answer = ({ method }) => {
      const result = { task: 't1', state: 'completed', output: { $bytes: 'AAEC' } }
      if (method === 'task.wait') return { result }
      return method === 'task.call'
        ? { error: { code: -32000, message: 'late', data: { code: 'TIMEOUT', task: 't1' } } }
        : 'default'
    }
    const record = await swarm.run('echo', { a: 1 }, { key: 'k' })
    expect(record).toEqual({ task: 't1', state: 'completed', output: new Uint8Array([0, 1, 2]) })
    expect(daemon.of('task.call')[0]?.params).toMatchObject({ skill: 'echo', input: { a: 1 }, key: 'k' })
    expect(daemon.of('task.wait')[0]?.params).toMatchObject({ task: 't1' })
  })

  it('AC-1: what is asked in one turn leaves in one write', async () => {
    const { daemon, swarm } = await open()
    const before = daemon.chunkCount
    await Promise.all(Array.from({ length: 100 }, () => swarm.submit('echo')))
    expect(daemon.chunkCount).toBe(before + 1)
  })

  it('AC-12: bytes cross as such', async () => {
    const { daemon, swarm } = await open()
    await swarm.submit('echo', new Uint8Array([0, 1, 2]))
    expect(daemon.of('task.submit')[0]?.params).toEqual({ skill: 'echo', input: { $bytes: 'AAEC' } })
    const seen = gate<unknown>()
    await swarm.attach(ECHO, ({ input }) => {
      seen.resolve(input)
      return input
    })
    daemon.run('r1', { input: { $bytes: 'AAEC' } })
    expect(await seen.promise).toEqual(new Uint8Array([0, 1, 2]))
    expect((await daemon.answered('r1')).result).toEqual({ output: { $bytes: 'AAEC' } })
  })

  it.each(['!!', 'AAE', 'AAE=C', '_-8='])('AC-12: %j is no base64, and no bytes', ($bytes) => {
    expect(fromPayload({ $bytes })).toEqual({ $bytes })
  })

  it('AC-12: base64 may be broken into lines, and be as long as a payload', () => {
    expect(fromPayload({ $bytes: 'AAEC\r\nAw==\n' })).toEqual(new Uint8Array([0, 1, 2, 3]))
    const bytes = new Uint8Array(700_000).fill(7)
    expect(fromPayload(toPayload(bytes))).toEqual(bytes)
  })

  it('what the daemon refuses has its code; what fits no line is not sent at all', async () => {
    const { daemon, swarm } = await open()
    daemon.answer = ({ method }) => (method === 'task.submit' ? refusal('QUOTA_EXCEEDED') : 'default')
    expect(await codeOf(swarm.submit('echo'))).toBe('QUOTA_EXCEEDED')
    expect(await codeOf(swarm.submit('echo', 'x'.repeat(1_100_000)))).toBe('TOO_LARGE')
    expect(daemon.of('task.submit')).toHaveLength(1)
  })

  it('AC-10: a signal ends a call at once, also one that is not asked yet', async () => {
    const { daemon, swarm } = await open()
    daemon.answer = ({ method }) => (method === 'task.wait' ? undefined : 'default')
    const controller = new AbortController()
    const { signal } = controller
    const waiting = swarm.wait('t1', { signal })
    await daemon.heard('task.wait')
    await daemon.stop()
    const queued = swarm.get('t1', { signal })
    controller.abort()
    expect(await Promise.all([codeOf(waiting), codeOf(queued)])).toEqual(['CANCELLED', 'CANCELLED'])
    expect(await codeOf(swarm.get('t1', { signal }))).toBe('CANCELLED')
  })

  it.each([Number.POSITIVE_INFINITY, 30 * 24 * 3_600_000])('a time-out of %d ms is none', async (timeoutMs) => {
    const { daemon, swarm } = await open()
    daemon.answer = ({ method }) => (method === 'task.get' ? undefined : 'default')
    const asked = codeOf(swarm.get('t1', { timeoutMs }))
    await daemon.heard('task.get')
    await daemon.stop()
    const queued = codeOf(swarm.get('t1', { timeoutMs }))
    expect(await codeOf(swarm.get('t1', { timeoutMs: 30 }))).toBe('TIMEOUT')
    const back = await new ScriptedDaemon(daemon.path).start()
    ends.push(() => back.stop())
    expect(await Promise.all([asked, queued])).toEqual(['no error', 'no error'])
  })

  it('a wait that is over in the daemon before it is here goes on; a time-out of the caller ends it', async () => {
    const { daemon, swarm } = await open()
    let count = 0
    daemon.answer = ({ method }) => {
      if (method !== 'task.wait') return 'default'
      count += 1
      return count === 1 ? refusal('TIMEOUT') : { result: { task: 't1', state: 'failed' } }
    }
    expect(await swarm.wait('t1')).toMatchObject({ state: 'failed' })
    daemon.answer = () => refusal('TIMEOUT')
    expect(await codeOf(swarm.wait('t1', { timeoutMs: 20 }))).toBe('TIMEOUT')
  })
})

describe('a signal', () => {
  it('AC-10: ends the making of a connection at once, which is let go when it is there', async () => {
    const daemon = await new ScriptedDaemon(join(scratchDirectory(), 's')).start()
    ends.push(() => daemon.stop())
    daemon.answer = () => undefined
    const controller = new AbortController()
    const connecting = codeOf(connect({ socket: daemon.path, signal: controller.signal }))
    const [hello] = await daemon.heard('hello')
    controller.abort()
    expect(await connecting).toBe('CANCELLED')
    daemon.send({ id: hello?.id, result: { protocol: 1, node: 'n1', swarm: 's1', version: '0', features: [] } })
    await eventually('the connection to be closed', () => daemon.openCount === 0)
  })

  it('is let go by what has ended: a stream, a client, and a connection that was never made', async () => {
    const { signal } = new AbortController()
    const listeners = () => getEventListeners(signal, 'abort').length
    const { daemon, swarm } = await open({ signal })
    expect(listeners()).toBe(1)
    daemon.answer = ({ method }) => (method === 'events.subscribe' ? { result: { subscription: 's1' } } : 'default')
    const [left, kept] = [await swarm.events({}, { signal }), await swarm.events({}, { signal })]
    expect(listeners()).toBe(3)
    await left.return()
    expect(listeners()).toBe(2)
    swarm.close()
    expect(await codeOf(kept.next())).toBe('CANCELLED')
    expect(await codeOf(connect({ socket: join(scratchDirectory(), 's'), signal }))).toBe('NO_DAEMON')
    expect(listeners()).toBe(0)
  })
})

describe('bounds', () => {
  it('AC-3: so many are unanswered, the rest waits its turn; waits hold nothing up', async () => {
    const { daemon, swarm } = await open()
    daemon.answer = ({ method }) => (method === 'task.wait' ? undefined : 'default')
    const controller = new AbortController()
    const waits = Array.from({ length: 3000 }, () => codeOf(swarm.wait('t1', { signal: controller.signal })))
    const gets = Array.from({ length: 3000 }, () => swarm.get('t1'))
    await Promise.all(gets)
    expect(daemon.of('task.wait')).toHaveLength(2048)
    controller.abort()
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['CANCELLED']))
  })

  it('AC-3: who has given up waiting is in nobody’s way', async () => {
    const lost = gate()
    const { daemon, swarm } = await open({ onConnection: () => lost.resolve() })
    await daemon.stop()
    await lost.promise
    const hasty = () => codeOf(swarm.get('t1', { timeoutMs: 1 }))
    const codes = await Promise.all(Array.from({ length: 100_000 }, hasty))
    expect(new Set(codes)).toEqual(new Set(['TIMEOUT']))
    expect(await hasty()).toBe('TIMEOUT')
  })

  it('AC-3: one more than may wait is refused', async () => {
    const { daemon, swarm } = await open()
    daemon.answer = ({ method }) => (method === 'task.get' ? undefined : 'default')
    const codes: Promise<string>[] = []
    for (let i = 0; i < 100_000 + 2048; i += 1) codes.push(codeOf(swarm.get('t1')))
    expect(await codeOf(swarm.get('t1'))).toBe('OVERLOADED')
    swarm.close()
    expect(new Set(await Promise.all(codes))).toEqual(new Set(['CANCELLED']))
  })
})

describe('an agent', () => {
  it.each<[string, TaskHandler, object]>([
    ['an output', ({ input }) => input, { result: { output: 'x' } }],
    ['nothing', () => undefined, { result: { output: null } }],
    ['an error', () => Promise.reject(new Error('bad luck')), { error: failure('FAILED', 'bad luck', false) }],
    [
      'a TaskError',
      () => {
        throw new TaskError('later', { code: 'BUSY', retryable: true })
      },
      { error: failure('BUSY', 'later', true) },
    ],
    ['what JSON cannot say', () => 1n, { error: { data: { code: 'BAD_OUTPUT', retryable: false } } }],
    ['what fits no line', () => 'x'.repeat(1_100_000), { error: { data: { code: 'TOO_LARGE', retryable: false } } }],
  ])('AC-8: answers with %s', async (_, handler, expected) => {
    const { daemon, swarm } = await open()
    await swarm.attach(ECHO, handler)
    daemon.run('r1', { input: 'x' })
    expect(await daemon.answered('r1')).toMatchObject(expected)
    // The connection lives on.
    await swarm.get('t1')
    expect(daemon.answersTo('r1')).toHaveLength(1)
  })

  it('describes itself, and what is refused is an error with all that is wrong', async () => {
    const { daemon, swarm } = await open()
    await swarm.attach({ name: 'a', skills: ['x', { name: 'y', proficiency: 0.5 }], slots: 2, price: 1 }, () => null)
    expect(daemon.of('agent.attach')[0]?.params).toEqual({
      name: 'a',
      skills: [{ name: 'x' }, { name: 'y', proficiency: 0.5 }],
      slots: 2,
      price: 1,
    })
    daemon.answer = () => refusal('BAD_REQUEST')
    expect(await codeOf(swarm.attach({ name: '', skills: [] }, () => null))).toBe('BAD_REQUEST')
  })

  it('AC-13: promises to be heard of and is, unless it says otherwise or the daemon knows nothing of it', async () => {
    const { daemon, swarm } = await open({})
    await swarm.attach({ ...ECHO, heartbeatMs: 100 }, () => null)
    expect(daemon.of('agent.attach')[0]?.params).not.toHaveProperty('heartbeatMs')
    daemon.features = ['heartbeats']
    daemon.drop()
    await eventually('it to attach again', () => daemon.of('agent.attach').length === 2)
    expect(daemon.of('agent.attach')[1]?.params).toMatchObject({ heartbeatMs: 100 })
    await eventually('two heartbeats', () => daemon.of('agent.heartbeat').length >= 2)
    await swarm.attach({ ...ECHO, heartbeatMs: 0 }, () => null)
    await swarm.attach(ECHO, () => null)
    const promised = daemon.of('agent.attach').map(({ params }) => (params as { heartbeatMs?: number }).heartbeatMs)
    expect(promised.slice(2)).toEqual([undefined, 5_000])
  })

  it('gets extra input in order, also what came before it asked', async () => {
    const { daemon, swarm } = await open()
    const asked = gate()
    const inputs: unknown[] = []
    const enough = gate()
    await swarm.attach(ECHO, async (_, { onSteer }) => {
      await asked.promise
      onSteer((input) => {
        inputs.push(input)
        if (inputs.length === 3) enough.resolve()
      })
      await enough.promise
    })
    daemon.run('r1')
    const steer = (input: unknown) => ({ method: 'task.steer', params: { task: 't-r1', attempt: 1, input } })
    daemon.send(steer(1), steer({ $bytes: 'AQI=' }), {
      ...steer('else'),
      params: { task: 't-r2', attempt: 1, input: 0 },
    })
    await swarm.get('t1')
    asked.resolve()
    daemon.send(steer(3))
    await daemon.answered('r1')
    expect(inputs).toEqual([1, Uint8Array.of(1, 2), 3])
    await swarm.steer('t1', new Uint8Array([1]))
    expect(daemon.of('task.steer')[0]?.params).toEqual({ task: 't1', input: { $bytes: 'AQ==' } })
  })

  it('is told to stop by its signal, and answers all the same', async () => {
    const { daemon, swarm } = await open()
    const started = gate()
    const reasons: string[] = []
    await swarm.attach(ECHO, async (_, { signal }) => {
      started.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      reasons.push(signal.reason.code, signal.reason.message)
      return 'too late'
    })
    daemon.run('r1')
    await started.promise
    daemon.send({ method: 'task.cancel', params: { task: 't-r1', attempt: 1, reason: 'run-timeout' } })
    await daemon.answered('r1')
    expect(reasons).toEqual(['CANCELLED', 'the task is cancelled: run-timeout'])
  })

  it('AC-7: no more than its slots run at once; what was cancelled before its turn never does', async () => {
    const { daemon, swarm } = await open()
    const gates = new Map<string, () => void>()
    await swarm.attach({ ...ECHO, slots: 2 }, async ({ task }) => {
      await new Promise<void>((resolve) => gates.set(task, resolve))
    })
    for (const id of ['r1', 'r2', 'r3', 'r4']) daemon.run(id)
    await eventually('two to run', () => gates.size === 2)
    daemon.send({ method: 'task.cancel', params: { task: 't-r3', attempt: 1, reason: 'cancelled' } })
    await swarm.get('t1')
    expect([...gates.keys()]).toEqual(['t-r1', 't-r2'])
    gates.get('t-r1')?.()
    expect((await daemon.answered('r3')).error?.data.code).toBe('CANCELLED')
    await eventually('the fourth to run', () => gates.has('t-r4'))
    expect([...gates.keys()]).toEqual(['t-r1', 't-r2', 't-r4'])
  })

  it('AC-5, AC-6: is attached again as it was last described; what it had is lost', async () => {
    const { daemon, swarm } = await open()
    const log: string[] = []
    const aborted = gate()
    const attachment = await swarm.attach(
      ECHO,
      async (_, { signal }) => {
        if (log.includes('lost')) return 'again'
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        log.push(signal.reason.code)
        aborted.resolve()
        return 'of no use'
      },
      { onAttached: (agent) => log.push(agent), onLost: () => log.push('lost') },
    )
    await attachment.update({ slots: 3 })
    daemon.run('r1')
    await eventually('it to run', () => attachment.runningCount === 1)
    daemon.drop()
    await aborted.promise
    await daemon.heard('agent.attach', 2)
    expect(daemon.of('agent.attach')[1]?.params).toMatchObject({ name: 'echo', slots: 3 })
    await eventually('it to know', () => attachment.agent === 'a2')
    daemon.run('r2')
    expect((await daemon.answered('r2')).result).toEqual({ output: 'again' })
    expect(daemon.answersTo('r1')).toEqual([])
    expect(log).toEqual(['a1', 'lost', 'NO_DAEMON', 'a2'])
  })

  it('AC-5: a daemon that will not have it again ends it, and nothing else', async () => {
    const { daemon, swarm } = await open()
    const attachment = await swarm.attach(ECHO, () => null)
    daemon.answer = ({ method }) => (method === 'agent.attach' ? refusal('BAD_REQUEST') : 'default')
    daemon.drop()
    expect(await codeOf(attachment.ended)).toBe('BAD_REQUEST')
    await swarm.get('t1')
  })

  it('AC-11: detach takes nothing new and waits for what runs', async () => {
    const { daemon, swarm } = await open()
    const done = gate<string>()
    const attachment = await swarm.attach(ECHO, () => done.promise)
    daemon.run('r1')
    await eventually('it to run', () => attachment.runningCount === 1)
    let isDetached = false
    const detached = attachment.detach().then(() => {
      isDetached = true
    })
    await daemon.heard('agent.detach')
    await swarm.get('t1')
    expect(isDetached).toBe(false)
    done.resolve('bye')
    await detached
    expect((await daemon.answered('r1')).result).toEqual({ output: 'bye' })
    daemon.run('r2')
    expect((await daemon.answered('r2')).error?.data).toMatchObject({ code: 'NOT_FOUND', retryable: true })
  })

  it('AC-11: detach and update reach the daemon also while others are not attached again yet', async () => {
    const { daemon, swarm } = await open()
    const one = await swarm.attach(ECHO, () => null)
    const slow = await swarm.attach({ name: 'slow', skills: ['echo'] }, () => null)
    const isSlow = ({ params }: { params?: object }) => (params as { name?: string } | undefined)?.name === 'slow'
    daemon.answer = (said) => (said.method === 'agent.attach' && isSlow(said) ? undefined : 'default')
    daemon.drop()
    await eventually('the first to be attached again', () => one.agent === 'a3')
    await one.update({ slots: 2 })
    expect(daemon.of('agent.update')[0]?.params).toEqual({ agent: 'a3', slots: 2 })
    await one.detach()
    expect(daemon.of('agent.detach')[0]?.params).toEqual({ agent: 'a3' })

    // And of the other once it is: its attachment is on its way.
    const changed = slow.update({ slots: 3 })
    const detached = slow.detach()
    const attach = daemon.of('agent.attach').findLast(isSlow)
    daemon.send({ id: attach?.id, result: { agent: 'a4' } })
    await Promise.all([changed, detached])
    expect(daemon.of('agent.update')[1]?.params).toEqual({ agent: 'a4', slots: 3 })
    expect(daemon.of('agent.detach')[1]?.params).toEqual({ agent: 'a4' })
  })

  it('AC-3: of its progress the latest is what counts, and none comes after the answer', async () => {
    const { daemon, swarm } = await open()
    await swarm.attach(ECHO, (_, { progress }) => {
      progress({ fraction: 0.1 })
      progress({ fraction: 0.2, message: 'on the way' })
      return new Promise((resolve) => {
        setImmediate(() => {
          progress({ fraction: 0.9 })
          resolve(1)
        })
      })
    })
    daemon.run('r1')
    await daemon.answered('r1')
    const progress = daemon.of('task.progress').map(({ params }) => params)
    expect(progress[0]).toEqual({ task: 't-r1', attempt: 1, fraction: 0.2, message: 'on the way' })
    expect(daemon.said.at(-1)).toMatchObject({ id: 'r1' })
  })

  it('hears that its node drains', async () => {
    const { daemon, swarm } = await open()
    const heard = gate<number>()
    await swarm.attach(ECHO, () => null, { onDrain: heard.resolve })
    daemon.send({ method: 'drain', params: { deadlineMs: 5000 } })
    expect(await heard.promise).toBe(5000)
  })
})

describe('events', () => {
  it('AC-9: come in order, over a lost connection too, and are counted when they are lost', async () => {
    const { daemon, swarm } = await open()
    daemon.answer = ({ method }) => (method === 'events.subscribe' ? { result: { subscription: 's1' } } : 'default')
    const events = await swarm.events({ kinds: ['a'] })
    const emit = (n: number) =>
      daemon.send({ method: 'event', params: { subscription: 's1', kind: 'a', at: '2026-01-01T00:00:00.000Z', n } })
    for (let n = 0; n < 1030; n += 1) emit(n)
    await swarm.get('t1')
    const seen: unknown[] = []
    for (let i = 0; i < 1024; i += 1) seen.push((await events.next()).value?.n)
    expect(seen).toEqual(Array.from({ length: 1024 }, (_, n) => n))
    emit(1030)
    expect((await events.next()).value).toMatchObject({ kind: 'events.lost', count: 6 })
    expect((await events.next()).value).toMatchObject({ n: 1030 })
    daemon.drop()
    expect((await events.next()).value).toMatchObject({ kind: 'events.lost' })
    await daemon.heard('events.subscribe', 2)
    await swarm.get('t1')
    emit(7)
    for await (const event of events) {
      expect(event).toMatchObject({ n: 7 })
      break
    }
    await daemon.heard('events.unsubscribe')
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })
})

it('importing the package loads no libp2p', () => {
  const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
  const script = `
    import { registerHooks } from 'node:module'
    const urls = []
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
    const { connect } = await import(${JSON.stringify(index)})
    if (typeof connect !== 'function') throw new Error('no connect')
    console.log(JSON.stringify(urls.filter((url) => /libp2p|.src.net.index/.test(url))), urls.length)`
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(ran.stdout).toMatch(/^\[\] \d\d+\n$/)
})

function failure(code: string, message: string, retryable: boolean) {
  return { message, data: { code, retryable } }
}
