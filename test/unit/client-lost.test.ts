import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { backOffMs } from '../../src/client/reconnection.ts'
import { ControlClient, connect } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { codeOf, ends, gate, open } from '../support/scripted-client.ts'
import { refusal, ScriptedDaemon } from '../support/scripted-daemon.ts'

const ECHO = { name: 'echo', skills: ['echo'] }

describe('a lost connection', () => {
  it('AC-2: is made again; AC-4: what is repeatable is asked again, what is not fails and says so', async () => {
    const states: string[] = []
    const { daemon, swarm } = await open({ onConnection: (state) => states.push(state) })
    daemon.answer = ({ method }) => (method === 'hello' ? 'default' : undefined)
    const keyed = swarm.submit('echo', 1, { key: 'k' })
    const unkeyed = swarm.submit('echo', 2)
    const waiting = swarm.wait('t1')
    const failing = codeOf(unkeyed)
    await daemon.heard('task.submit', 2)
    await daemon.heard('task.wait')
    daemon.answer = ({ method }) => {
      if (method === 'task.submit') return { result: { task: 't2', state: 'accepted', duplicate: true } }
      return method === 'task.wait' ? { result: { task: 't1', state: 'completed' } } : 'default'
    }
    daemon.drop()
    expect(await failing).toBe('NO_DAEMON')
    await expect(unkeyed).rejects.toThrow('may have been accepted')
    expect(await keyed).toMatchObject({ task: 't2' })
    expect(await waiting).toMatchObject({ state: 'completed' })
    expect(daemon.of('task.submit').map(({ params }) => params?.key)).toEqual(['k', undefined, 'k'])
    expect(states).toEqual(['lost', 'connected'])
  })

  it.each(['node.peers', 'council.status', 'council.show'] as const)('AC-4: %s is asked again', async (method) => {
    const { daemon, swarm } = await open()
    daemon.answer = (said) => (said.method === method ? undefined : 'default')
    const asked = codeOf(swarm.call(method, { section: 'roles' } as never))
    await daemon.heard(method)
    daemon.answer = () => 'default'
    daemon.drop()
    expect(await asked).toBe('no error')
  })

  it('what is asked meanwhile waits for its return, as long as it is asked to', async () => {
    const { daemon, swarm } = await open()
    await daemon.stop()
    const patient = swarm.get('t1')
    const hasty = codeOf(swarm.get('t1', { timeoutMs: 30 }))
    expect(await hasty).toBe('TIMEOUT')
    const back = await new ScriptedDaemon(daemon.path).start()
    ends.push(() => back.stop())
    await patient
    expect(back.of('task.get')).toHaveLength(1)
  })

  it('a run without a time-out waits for longer than it is asked to wait at once', async () => {
    const lost = gate()
    const { daemon, swarm } = await open({ onConnection: () => lost.resolve() })
    await daemon.stop()
    await lost.promise
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    ends.push(() => vi.useRealTimers())
    const run = swarm.run('echo')
    const hasty = codeOf(swarm.run('echo', 1, { timeoutMs: 30_000 }))
    vi.advanceTimersByTime(60_000)
    expect(await hasty).toBe('TIMEOUT')
    vi.useRealTimers()
    const back = new ScriptedDaemon(daemon.path)
    back.answer = ({ method }) => (method === 'task.call' ? { result: { task: 't1', state: 'completed' } } : 'default')
    ends.push(() => back.stop())
    await back.start()
    expect(await run).toMatchObject({ state: 'completed' })
    expect(back.of('task.call')).toHaveLength(1)
  })

  it('a daemon that stands still is noticed by a run, too', async () => {
    const { daemon, swarm } = await open()
    daemon.answer = () => undefined
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    ends.push(() => vi.useRealTimers())
    const run = codeOf(swarm.run('echo'))
    vi.advanceTimersByTime(60_000)
    expect(await run).toBe('TIMEOUT')
  })

  it('AC-5: who is closed while it is attached again stays closed, whatever the daemon still answers', async () => {
    const { daemon, swarm } = await open()
    const attachedAs: string[] = []
    const attachment = await swarm.attach(ECHO, () => null, { onAttached: (agent) => attachedAs.push(agent) })
    daemon.answer = ({ method }) => (method === 'agent.attach' ? undefined : 'default')
    daemon.drop()
    const [, again] = await daemon.heard('agent.attach', 2)
    swarm.close()
    daemon.send({ id: again?.id, result: { agent: 'a2' } })
    await eventually('the connection to be closed', () => daemon.openCount === 0)
    expect(attachedAs).toEqual(['a1'])
    expect(attachment.agent).toBeUndefined()
  })

  it('is not what a daemon means that has an output fetched from far away: it is given a minute', async () => {
    const { daemon, swarm } = await open()
    const client = await ControlClient.connect({ socket: daemon.path, client: 'test/1' })
    ends.push(() => client.close())
    daemon.answer = () => undefined
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    ends.push(() => vi.useRealTimers())
    const asked = {
      status: client.call('node.status', {}),
      get: client.call('task.get', { task: 't1' }),
      patient: swarm.get('t1'),
    }
    const late: string[] = []
    for (const [name, answer] of Object.entries(asked)) void codeOf(answer).then((code) => late.push(`${name} ${code}`))
    await vi.advanceTimersByTimeAsync(59_000)
    expect(late).toEqual(['status TIMEOUT'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(late.slice(1).sort()).toEqual(['get TIMEOUT', 'patient TIMEOUT'])
  })

  it('AC-2: a daemon that refuses us for good, or stays away for too long, ends the client', async () => {
    const { daemon, swarm } = await open()
    const { ended } = await swarm.attach(ECHO, () => null)
    daemon.answer = () => refusal('UNAUTHORISED')
    daemon.drop()
    expect(await Promise.all([codeOf(swarm.get('t1')), codeOf(ended)])).toEqual(['UNAUTHORISED', 'UNAUTHORISED'])
    expect(await codeOf(swarm.get('t1'))).toBe('UNAUTHORISED')

    const other = await open({ giveUpAfterMs: 100 })
    await other.daemon.stop()
    expect(await codeOf(other.swarm.wait('t1'))).toBe('NO_DAEMON')
  })

  it('AC-2: the first connection is tried once', async () => {
    expect(await codeOf(connect({ socket: join(scratchDirectory(), 's') }))).toBe('NO_DAEMON')
  })

  it('AC-2: pauses double up to a bound, half of them by chance', () => {
    expect([0, 1, 2, 50].map((count) => backOffMs(count, 1))).toEqual([50, 100, 200, 5000])
    expect([0, 1, 2, 50].map((count) => backOffMs(count, 0))).toEqual([25, 50, 100, 2500])
  })
})
