import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { IpcServer } from '../../node/ipc-server.ts'
import { openLog } from '../../node/log.ts'
import { LOOK_MS } from '../../node/visit.ts'
import {
  type ClaimsHostEffect,
  type Clock,
  ControlClient,
  connect as connectSwarm,
  InvariantError,
  JsonText,
  type Millis,
  realClock,
  SwarmError,
} from '../../src/index.ts'
import { SESSION_LIMITS } from '../../src/ipc/params.ts'
import { eventually } from '../support/eventually.ts'
import { FakeNode } from '../support/fake-node.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { WireAgent } from '../support/wire-agent.ts'

const log = openLog({ level: 'fatal', to: 'stderr' }).module('ipc')
const servers: IpcServer[] = []

interface ServeOptions {
  readonly path?: string
  readonly token?: string
  readonly access?: 'owner' | 'group' | 'everyone'
  readonly connectionsMax?: number
  readonly clock?: Clock
}

async function serve(options: ServeOptions = {}) {
  const path = options.path ?? join(scratchDirectory(), 's')
  const node = new FakeNode()
  const stops: string[] = []
  const faults: unknown[] = []
  const server = await IpcServer.listen({
    access: options.access ?? 'owner',
    connectionsMax: options.connectionsMax ?? 1_000,
    path,
    node,
    token: options.token,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    log,
    metrics: async () => ({ metrics: [] }),
    requestStop: (reason) => stops.push(reason),
    fatal: (cause) => faults.push(cause),
  })
  servers.push(server)
  return { path, node, server, stops, faults }
}

function client(path: string, options: { token?: string; timeoutMs?: number } = {}) {
  return ControlClient.connect({ socket: path, client: 'test/1', ...options })
}

async function attach(path: string, node: FakeNode) {
  const agent = await WireAgent.connect(path, { name: 'n', skills: [{ name: 'echo' }], slots: 4 })
  const said = node.told[0]
  if (said?.kind !== 'agent-attach') throw new Error('an agent was to attach')
  return { agent, attached: said.agent }
}

function orderFor(agent: string, task: string): ClaimsHostEffect {
  const said = { task, attempt: 1, skills: ['echo'], tenant: 'default', leaseMs: 1000 }
  return { kind: 'run', agent, order: { ...said, input: JsonText.of('x').bytes } } as unknown as ClaimsHostEffect
}

/** Told of every write with tasks in it, and of how many. */
function onWrittenOrders(written: (count: number) => void): void {
  const write = Socket.prototype.write
  vi.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, bytes) {
    const count =
      Buffer.from(bytes as Uint8Array)
        .toString()
        .split('"task.run"').length - 1
    if (count > 0) written(count)
    return Reflect.apply(write, this, [bytes])
  })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const cause = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  return cause instanceof SwarmError ? cause.code : `not a SwarmError: ${String(cause)}`
}

afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

describe('who does not say hello', () => {
  it('is let go, also after everybody had left and nothing was looked at any more', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    let passedMs = 0
    const clock = { ...realClock, now: () => (realClock.now() + passedMs) as Millis }
    const { path, server } = await serve({ clock })
    for (let round = 0; round < 2; round++) {
      const silent = connect(path)
      await eventually('the connection', () => server.connectionCount === 1)
      expect(vi.getTimerCount()).toBe(1)
      passedMs += SESSION_LIMITS.helloTimeoutMs
      vi.advanceTimersByTime(LOOK_MS)
      await once(silent.resume(), 'close')
      await eventually('its end', () => server.connectionCount === 0)
      vi.advanceTimersByTime(LOOK_MS)
      expect(vi.getTimerCount()).toBe(0)
    }
  })
})

describe('the socket', () => {
  it('is for its owner only, and gone after the stop', async () => {
    const { path, server } = await serve({ path: join(scratchDirectory(), 'new', 's') })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
    await server.stop()
    expect(existsSync(path)).toBe(false)
  })

  it.each([
    ['group', 0o660],
    ['everyone', 0o666],
  ] as const)('shared with %s, others of this host may connect', async (access, mode) => {
    const { path } = await serve({ access, token: 'x'.repeat(16) })
    expect(statSync(path).mode & 0o777).toBe(mode)
    expect(await codeOf(client(path))).toBe('UNAUTHORISED')
  })

  it('takes the place of a stale one, on which nobody answers', async () => {
    const path = join(scratchDirectory(), 's')
    const child = (await import('node:child_process')).spawnSync(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ])
    expect(child.signal).toBe('SIGKILL')
    expect(statSync(path).isSocket()).toBe(true)
    await serve({ path })
    expect((await client(path)).hello.node).toBe('12D3KooWFake')
  })

  it('is refused where another daemon answers, which goes on undisturbed', async () => {
    const { path } = await serve()
    expect(await codeOf(serve({ path }))).toBe('ADDRESS_IN_USE')
    expect((await client(path)).hello.protocol).toBe(1)
  })

  it('never removes a file that is no socket', async () => {
    const path = join(scratchDirectory(), 'precious')
    writeFileSync(path, 'data')
    expect(await codeOf(serve({ path }))).toBe('BAD_USAGE')
    expect(statSync(path).size).toBe(4)
  })

  it('says so when the path is longer than a socket address', async () => {
    const path = join(scratchDirectory(), 'x'.repeat(120))
    await expect(serve({ path })).rejects.toThrow(/--socket/)
    expect(await codeOf(client(path))).toBe('BAD_USAGE')
  })
})

describe('calls', () => {
  it('are answered, many at once and in any order', async () => {
    const { path } = await serve()
    const control = await client(path)
    const answers = await Promise.all([
      control.call('node.status', {}),
      control.call('node.peers', {}),
      control.call('node.agents', {}),
      control.call('config.show', {}),
      control.call('ticket.create', { uses: 2 }),
      control.call('node.metrics', {}),
    ])
    expect(answers[0].node).toBe('12D3KooWFake')
    expect(answers[1].peers).toHaveLength(2)
    expect(answers[4].ticket).toBe('swarm-ticket-1')
  })

  it('a pipeline is answered in one write', async () => {
    const { path } = await serve()
    const control = await client(path)
    const write = vi.spyOn(Socket.prototype, 'write')
    await Promise.all(Array.from({ length: 100 }, () => control.call('node.status', {})))
    // AC-1: the client's is one too.
    expect(write.mock.calls.length).toBeLessThan(10)
  })

  it('come after the task that they are about has gone to its agent', async () => {
    const { path, node } = await serve()
    const { agent, attached } = await attach(path, node)
    const order: string[] = []
    node.onTold = (input) => {
      if (input.kind !== 'request') return
      node.work.perform(orderFor(attached, 't1'))
      order.push('the rest')
      const value = { kind: 'accepted', task: 't1', duplicate: false }
      node.work.perform({
        kind: 'reply',
        request: input.request,
        outcome: { ok: true, value },
      } as unknown as ClaimsHostEffect)
      queueMicrotask(() => order.push('answered'))
    }
    onWrittenOrders(() => order.push('handed over'))
    expect(await agent.ask('task.submit', { skill: 'echo' })).toMatchObject({ ok: true, result: { task: 't1' } })
    expect(order).toEqual(['handed over', 'the rest', 'answered'])
  })

  it('I-17: a task that waited for an agent comes after the answer by which it knows its name', async () => {
    const { path, node } = await serve()
    node.onTold = (input) => {
      if (input.kind === 'agent-attach') node.work.perform(orderFor(input.agent, 't1'))
    }
    const swarm = await connectSwarm({ socket: path })
    await swarm.attach({ name: 'n', skills: ['echo'] }, ({ task }) => `${task} done`)
    const said = await eventually('its outcome', () =>
      node.told.find(({ kind }) => kind === 'agent-result' || kind === 'agent-failed'),
    )
    expect(said).toMatchObject({ kind: 'agent-result', task: 't1', output: JsonText.of('t1 done').bytes })
    swarm.close()
  })

  it('wait for no peer: tasks that one brought go to their agent before anything is told it', async () => {
    const { path, node } = await serve()
    const { agent, attached } = await attach(path, node)
    const order: string[] = []
    onWrittenOrders((count) => order.push(`${count} handed over`))
    for (const task of ['t1', 't2']) node.work.perform(orderFor(attached, task))
    // As the network does with what one turn of the loop has to say.
    queueMicrotask(() =>
      process.nextTick(() => {
        order.push('the peer told')
        for (const task of ['t3', 't4']) node.work.perform(orderFor(attached, task))
      }),
    )
    await eventually('four tasks', () => agent.handed.length === 4)
    expect(order).toEqual(['1 handed over', '1 handed over', 'the peer told', '2 handed over'])
  })

  it('pass coded errors on, and hide what is nobody’s business', async () => {
    const { path, node } = await serve()
    const control = await client(path)
    expect(await codeOf(control.call('ticket.create', { org: 'stranger' }))).toBe('NOT_AUTHORITY')
    node.ticketError = new Error('secret path')
    const refused = control.call('ticket.create', {})
    expect(await codeOf(refused)).toBe('INTERNAL')
    await expect(refused).rejects.not.toThrow(/secret/)
  })

  it('that meet a broken invariant are not answered: the process is to end', async () => {
    const { path, node, faults } = await serve()
    const control = await client(path)
    node.ticketError = new InvariantError('a bug')
    const answer = control.call('ticket.create', {}).catch(({ code }: SwarmError) => code)
    await eventually('the fault', () => faults.length === 1)
    expect(faults).toEqual([node.ticketError])
    control.close()
    expect(await answer).not.toBe('INTERNAL')
  })

  it('stop the daemon only after they were answered', async () => {
    const { path, stops } = await serve()
    const control = await client(path)
    expect(await control.call('node.stop', {})).toEqual({ pid: process.pid })
    await eventually('the stop', () => stops.length === 1)
  })

  it('time out when the daemon stands still', async () => {
    const path = join(scratchDirectory(), 's')
    const mute = createServer().listen(path)
    await once(mute, 'listening')
    expect(await codeOf(client(path, { timeoutMs: 50 }))).toBe('TIMEOUT')
    mute.close()
  })

  it('fail with NO_DAEMON when there is none, or no longer', async () => {
    expect(await codeOf(client(join(scratchDirectory(), 's')))).toBe('NO_DAEMON')
    const { path, server } = await serve()
    const control = await client(path)
    await server.stop()
    await control.closed
    expect(await codeOf(control.call('node.status', {}))).toBe('NO_DAEMON')
  })

  it('need the token when the socket is shared', async () => {
    const { path } = await serve({ token: 'sesame' })
    expect(await codeOf(client(path))).toBe('UNAUTHORISED')
    expect(await codeOf(client(path, { token: 'wrong' }))).toBe('UNAUTHORISED')
    await expect(client(path)).rejects.toThrow('wants a token')
    await expect(client(path, { token: 'wrong' })).rejects.toThrow('is not the one of this socket')
    expect((await client(path, { token: 'sesame' })).hello.protocol).toBe(1)
  })

  it('a client that is no client is told so, and sees why before the close', async () => {
    const { path, server } = await serve()
    const socket = connect(path)
    let text = ''
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
    // More than the daemon reads of it: the error must not get lost in the reset.
    socket.write('GET / HTTP/1.1\n'.repeat(20_000))
    await once(socket, 'close')
    expect(JSON.parse(text).error.data.code).toBe('PARSE_ERROR')
    await eventually('the connection to be forgotten', () => server.connectionCount === 0)
  })

  it('a script may pipe its requests in and close its side', async () => {
    const { path } = await serve()
    const socket = connect(path)
    socket.end(
      '{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1,"client":"nc"}}\n' +
        '{"jsonrpc":"2.0","id":2,"method":"node.peers"}\n',
    )
    const lines: string[] = []
    for await (const piece of socket.setEncoding('utf8')) lines.push(...String(piece).split('\n').filter(Boolean))
    expect(lines.map((line) => JSON.parse(line).id)).toEqual([1, 2])
  })
})

describe('events', () => {
  it('reach who subscribed, in order, until unsubscribed', async () => {
    const { path, node } = await serve()
    const [all, some] = [await client(path), await client(path)]
    const seen: string[] = []
    const seenOfKind: string[] = []
    const unsubscribe = await all.subscribe({}, (event) => seen.push(event.kind))
    await some.subscribe({ kinds: ['b'] }, (event) => seenOfKind.push(event.kind))
    for (const kind of ['a', 'b', 'c']) node.emit(kind)
    await eventually('three events', () => seen.length === 3)
    await eventually('one event', () => seenOfKind.length === 1)
    expect(seen).toEqual(['a', 'b', 'c'])
    await unsubscribe()
    node.emit('d')
    await all.call('node.status', {})
    expect(seen).toHaveLength(3)
  })

  it('of the past are filtered and bounded', async () => {
    const { path, node } = await serve()
    for (let i = 0; i < 5; i++) node.emit(i % 2 === 0 ? 'even' : 'odd', { i })
    const control = await client(path)
    const { events } = await control.call('node.events', { kinds: ['even'], limit: 2 })
    expect(events.map((event) => event.i)).toEqual([2, 4])
  })
})

describe('agents', () => {
  const facts = { name: 'one', skills: [{ name: 'work' }] }

  it('are lost with their connection, and with its sending side', async () => {
    const { path, node } = await serve()
    for (const end of ['destroy', 'end'] as const) {
      const socket = connect(path)
      // One that reads on, because it is subscribed, answers no more all the same.
      socket.write(
        '{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1,"client":"x"}}\n' +
          '{"jsonrpc":"2.0","id":2,"method":"events.subscribe","params":{}}\n' +
          `{"jsonrpc":"2.0","id":3,"method":"agent.attach","params":${JSON.stringify(facts)}}\n`,
      )
      await eventually('the agent to attach', () => node.work.agentCount === 1)
      socket[end]()
      await eventually('the agent to be lost', () => node.work.agentCount === 0)
      expect(node.told.map(({ kind }) => kind)).toEqual(['agent-attach', 'agent-lost'])
      node.told.length = 0
      socket.destroy()
    }
  })

  it('that let go of nothing are sent away with a word', async () => {
    const { path, node } = await serve()
    const agent = await WireAgent.connect(path, facts)
    const attached = node.told[0]
    if (attached?.kind !== 'agent-attach') throw new Error('an agent was to attach')
    const waiting = agent.ask('task.wait', { task: 't1' })
    await eventually('the question to be asked', () => node.told.length === 2)
    node.work.perform({ kind: 'expel', agent: attached.agent, reason: 'it hangs' })
    await eventually('the connection to be closed', () => agent.isClosed)
    expect(node.told.map(({ kind }) => kind)).toEqual(['agent-attach', 'request', 'agent-lost', 'abandon'])
    expect(await Promise.race([waiting, 'not answered'])).toBe('not answered')
  })
})

describe('many clients', () => {
  it('500 at once are all served, and forgotten when they leave', async () => {
    const { path, server } = await serve()
    const clients = await Promise.all(Array.from({ length: 500 }, () => client(path)))
    await Promise.all(clients.map((control) => control.call('node.status', {})))
    expect(server.connectionCount).toBe(500)
    for (const control of clients) control.close()
    await eventually('all to be forgotten', () => server.connectionCount === 0)
  })

  it('one too many is told so and turned away; there is room again when another leaves', async () => {
    const { path } = await serve({ connectionsMax: 2 })
    const [first] = [await client(path), await client(path)]
    expect(await codeOf(client(path))).toBe('OVERLOADED')
    first.close()
    await eventually('room', () => client(path).then(Boolean, () => false))
  })

  it('one too many is cut off though it goes on talking', async () => {
    const { path } = await serve({ connectionsMax: 1 })
    await client(path)
    const refused = connect({ path, allowHalfOpen: true }).resume()
    const talking = setInterval(() => refused.write('\n'), 100)
    try {
      refused.on('error', () => {})
      await eventually('the end of a connection that talks', () => refused.destroyed)
    } finally {
      clearInterval(talking)
      refused.destroy()
    }
  })

  it('one that reads nothing loses events and is told how many, while the others get all', async () => {
    const { path, node } = await serve()
    const deaf = connect(path).setEncoding('utf8').pause()
    deaf.write(
      '{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1,"client":"deaf"}}\n' +
        '{"jsonrpc":"2.0","id":2,"method":"events.subscribe","params":{"kinds":["big","last"]}}\n',
    )
    const control = await client(path)
    let seenCount = 0
    await control.subscribe({}, () => {
      seenCount += 1
    })
    const text = 'x'.repeat(10_000)
    for (let round = 0; round < 250; round++) {
      for (let i = 0; i < 20; i++) node.emit('big', { text })
      await control.call('node.agents', {})
    }
    await eventually('5,000 events', () => seenCount === 5_000)

    const lines: string[] = []
    let rest = ''
    deaf.on('data', (piece: string) => {
      const parts = (rest + piece).split('\n')
      rest = parts.pop() ?? ''
      lines.push(...parts)
    })
    deaf.resume()
    await eventually('the deaf one to hear again', () => {
      node.emit('last')
      return lines.some((line) => line.includes('"last"'))
    })
    deaf.destroy()
    const kinds = lines.slice(2).map((line) => JSON.parse(line).params)
    const lost = kinds.filter((params) => params.kind === 'events.lost')
    const got = kinds.filter((params) => params.kind === 'big').length
    expect(got).toBeLessThan(1_000)
    expect(lost.reduce((sum, params) => sum + params.count, 0)).toBeGreaterThanOrEqual(5_000 - got)
  })
})

it('listens to the node only while somebody listens to it', async () => {
  const { node, server, path } = await serve()
  const [one, other] = [await client(path), await client(path)]
  expect(node.listenerCount).toBe(0)
  const unsubscribe = await one.subscribe({}, () => {})
  await other.subscribe({}, () => {})
  expect(node.listenerCount).toBe(1)
  await unsubscribe()
  expect(node.listenerCount).toBe(1)
  other.close()
  // Whoever ends its sending side may still read: that it does not is found out with the next event.
  await eventually('nobody to listen', () => {
    node.emit('x')
    return node.listenerCount === 0
  })
  await client(path).then((third) => third.subscribe({}, () => {}))
  expect(node.listenerCount).toBe(1)
  await server.stop()
  expect(node.listenerCount).toBe(0)
})
