import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checked,
  METHODS,
  SESSION_LIMITS,
  Session,
  type SessionEffect,
  type SessionInput,
} from '../../src/ipc/index.ts'
import { InvariantError, type Millis } from '../../src/kernel/index.ts'

const utf8 = new TextEncoder()
const text = new TextDecoder()
const HELLO = { jsonrpc: '2.0', id: 0, method: 'hello', params: { protocol: 1, client: 'test/1' } }
const GREETING = { hello: { node: 'n1', swarm: 's1', version: '0.0.0', features: [] } }
const MANY = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, 1]))
const SMALL = checked({
  ...SESSION_LIMITS,
  lineBytesMax: 4096,
  requestsInFlightMax: 4,
  subscriptionsMax: 2,
  eventBacklogBytesMax: 1000,
  pauseReadingBytes: 2000,
  outputBytesMax: 8000,
  linesPerSecond: 10,
  linesBurst: 20,
})

interface Line {
  readonly id?: unknown
  readonly result?: Record<string, unknown>
  readonly error?: { readonly code: number; readonly message: string; readonly data: Record<string, unknown> }
  readonly method?: string
  readonly params?: Record<string, unknown>
}

/** A session with a hand on its clock, that keeps what it said. */
class Bench {
  readonly session: Session
  readonly lines: Line[] = []
  readonly effects: SessionEffect[] = []
  now = 1000
  writeCount = 0
  writtenBytes = 0

  constructor(options: { token?: string; limits?: typeof SESSION_LIMITS } = {}) {
    this.session = new Session({ ...GREETING, token: options.token }, this.now as Millis, options.limits ?? SMALL)
  }

  step(input: SessionInput | { kind: 'tick' }): readonly SessionEffect[] {
    const effects = this.#stepped(input)
    for (const effect of effects) {
      this.effects.push(effect)
      if (effect.kind !== 'write') continue
      this.writeCount += 1
      this.writtenBytes += effect.bytes.length
      for (const line of text.decode(effect.bytes).split('\n').slice(0, -1)) this.lines.push(JSON.parse(line))
    }
    return effects
  }

  /** As in a turn of the loop with this input alone. */
  #stepped(input: SessionInput | { kind: 'tick' }): readonly SessionEffect[] {
    const effects = this.session.step(this.now as Millis, input)
    const rest = effects.filter(({ kind }) => kind !== 'ready')
    if (rest.length === effects.length) return effects
    return [...rest, ...this.session.step(this.now as Millis, { kind: 'flush' })]
  }

  send(...messages: readonly unknown[]): readonly SessionEffect[] {
    const lines = messages.map((m) => (typeof m === 'string' ? m : JSON.stringify(m)))
    return this.step({ kind: 'received', bytes: utf8.encode(`${lines.join('\n')}\n`) })
  }

  greet(): this {
    this.send(HELLO)
    this.lines.length = 0
    this.effects.length = 0
    return this
  }

  call(id: string | number, method = 'node.status', params: unknown = {}): readonly SessionEffect[] {
    return this.send({ jsonrpc: '2.0', id, method, params })
  }

  get last(): Line | undefined {
    return this.lines.at(-1)
  }

  get closeReason(): string | undefined {
    const close = this.effects.find((e) => e.kind === 'close')
    return close?.kind === 'close' ? close.reason : undefined
  }
}

describe('handshake (I-3)', () => {
  it('answers hello with who it is', () => {
    const bench = new Bench()
    bench.send(HELLO)
    expect(bench.lines).toEqual([{ jsonrpc: '2.0', id: 0, result: { protocol: 1, ...GREETING.hello } }])
    expect(bench.session.deadline()).toBe(Number.POSITIVE_INFINITY)
  })

  it.each([
    ['a request', { jsonrpc: '2.0', id: 7, method: 'node.status', params: {} }, 7],
    ['a notification', { jsonrpc: '2.0', method: 'hello' }, null],
    ['an answer', { jsonrpc: '2.0', id: 1, result: {} }, null],
    ['something that is no message', { id: 1 }, null],
  ])('refuses and closes on %s before hello', (_, message, id) => {
    const bench = new Bench()
    bench.send(message, HELLO)
    expect(bench.lines).toHaveLength(1)
    expect(bench.last).toMatchObject({ id, error: { data: { code: 'BAD_REQUEST' } } })
    expect(bench.closeReason).toBe('no-hello')
    expect(bench.session.closed).toBe(true)
  })

  it.each([
    ['a version from the future', { protocol: 2, client: 'x/1' }, 'UNSUPPORTED_VERSION'],
    ['no client', { protocol: 1 }, 'BAD_REQUEST'],
    ['no parameters', undefined, 'BAD_REQUEST'],
  ])('refuses %s', (_, params, code) => {
    const bench = new Bench()
    bench.send({ ...HELLO, params })
    expect(bench.last).toMatchObject({ id: 0, error: { data: { code } } })
    expect(bench.closeReason).toBe('refused')
  })

  it.each([
    ['the right token', 'sesame', undefined],
    ['a wrong token', 'sesamE', 'refused'],
    ['a longer one that begins right', 'sesamesesame', 'refused'],
    ['an empty one', '', 'refused'],
    ['none', undefined, 'refused'],
  ])('with a shared socket: %s', (_, token, reason) => {
    const bench = new Bench({ token: 'sesame' })
    bench.send({ ...HELLO, params: { ...HELLO.params, ...(token === undefined ? {} : { token }) } })
    expect(bench.closeReason).toBe(reason)
    if (reason !== undefined) expect(bench.last?.error?.data.code).toBe('UNAUTHORISED')
  })

  it('takes requests sent in the same bytes as hello', () => {
    const bench = new Bench()
    const effects = bench.send(HELLO, { jsonrpc: '2.0', id: 1, method: 'node.peers' })
    expect(effects.map((e) => e.kind)).toEqual(['call', 'write'])
  })

  it('says hello once only', () => {
    const bench = new Bench().greet()
    bench.send({ ...HELLO, id: 5 })
    expect(bench.last).toMatchObject({ id: 5, error: { data: { code: 'BAD_REQUEST' } } })
    expect(bench.session.closed).toBe(false)
  })

  it('closes a connection that says nothing, at its deadline and not before', () => {
    const bench = new Bench()
    bench.now = bench.session.deadline() - 1
    expect(bench.step({ kind: 'tick' })).toEqual([])
    bench.now += 1
    bench.step({ kind: 'tick' })
    expect(bench.last).toMatchObject({ id: null, error: { data: { code: 'TIMEOUT' } } })
    expect(bench.closeReason).toBe('no-hello')
  })
})

describe('requests', () => {
  it('I-4: answers in the order in which the host answers, under the ids of the client', () => {
    const bench = new Bench().greet()
    bench.call('a')
    bench.call(2, 'node.peers')
    bench.step({ kind: 'respond', id: 2, outcome: { ok: true, result: { peers: [] } } })
    bench.step({ kind: 'respond', id: 'a', outcome: { ok: false, error: { code: 'INTERNAL', message: 'no' } } })
    expect(bench.lines.map((l) => l.id)).toEqual([2, 'a'])
    expect(bench.last?.error).toEqual({ code: -32603, message: 'no', data: { code: 'INTERNAL' } })
  })

  it('I-4: an id may be used again once it is answered, not before', () => {
    const bench = new Bench().greet()
    bench.call(1)
    bench.call(1)
    expect(bench.last).toMatchObject({ id: 1, error: { data: { code: 'BAD_REQUEST' } } })
    bench.step({ kind: 'respond', id: 1, outcome: { ok: true, result: {} } })
    expect(bench.call(1).map((e) => e.kind)).toEqual(['call'])
  })

  it('a host that answers twice is a bug of ours', () => {
    const bench = new Bench().greet()
    bench.call(1)
    const respond = { kind: 'respond', id: 1, outcome: { ok: true, result: {} } } as const
    bench.step(respond)
    expect(() => bench.step(respond)).toThrow(InvariantError)
  })

  it('I-5: names every wrong, missing and unknown field at once', () => {
    const bench = new Bench().greet()
    bench.call(1, 'ticket.create', { roles: 'worker', ttlMs: 1.5, uses: 0, colour: 'red' })
    const problems = bench.last?.error?.data.problems as { path: string }[]
    expect(problems.map((p) => p.path).sort()).toEqual(['', 'roles', 'ttlMs', 'uses'])
    for (const word of ['roles', 'ttlMs', 'uses', 'colour']) expect(bench.last?.error?.message).toContain(word)
  })

  it.each([
    ['unknown fields', { ...MANY }, /^Unrecognized keys: .*…$/],
    ['labels', { name: 'n', skills: [{ name: 'x' }], labels: MANY }, /^at most 23 entries$/],
    [
      'a long name of a label',
      { name: 'n', skills: [{ name: 'x' }], labels: { ['x'.repeat(100_000)]: '' } },
      /Invalid/,
    ],
    ['wrong skills', { name: 'n', skills: Array.from({ length: 64 }, () => ({})) }, /^and 32 more$/],
  ])('I-5, I-11: of very many %s the error names some', (_, params, problem) => {
    const bench = new Bench({ limits: SESSION_LIMITS }).greet()
    bench.call(1, 'agent.attach', params)
    expect(bench.last?.error?.data).toMatchObject({ code: 'BAD_REQUEST' })
    const problems = bench.last?.error?.data.problems as { problem: string }[]
    expect(problems.at(-1)?.problem).toMatch(problem)
    expect(JSON.stringify(bench.last).length).toBeLessThan(32 * 1024)
  })

  it('I-5: before the token is asked for, too', () => {
    const bench = new Bench({ token: 'sesame', limits: SESSION_LIMITS })
    bench.send({ ...HELLO, params: { ...HELLO.params, ...MANY } })
    expect(bench.closeReason).toBe('refused')
    const close = bench.effects.find(({ kind }) => kind === 'close')
    expect(JSON.stringify(close).length).toBeLessThan(2 * 1024)
  })

  it.each(['resources', 'labels'])('refuses %s of a name that objects have of themselves', (field) => {
    const bench = new Bench().greet()
    const params = `{"name":"n","skills":[{"name":"x"}],"${field}":{"__proto__":5}}`
    bench.send(`{"jsonrpc":"2.0","id":1,"method":"agent.attach","params":${params}}`)
    expect(bench.last?.error?.data).toMatchObject({
      code: 'BAD_REQUEST',
      problems: [{ path: field, problem: '__proto__ is no name' }],
    })
  })

  it.each([
    ['an unknown method', { jsonrpc: '2.0', id: 1, method: 'node.statos' }, 'UNKNOWN_METHOD'],
    ['a method of the object prototype', { jsonrpc: '2.0', id: 1, method: 'toString' }, 'UNKNOWN_METHOD'],
    ['a batch', [HELLO], 'BAD_REQUEST'],
    ['a number', 5, 'BAD_REQUEST'],
    ['another JSON-RPC', { jsonrpc: '1.0', id: 1, method: 'node.status' }, 'BAD_REQUEST'],
    ['an id that is an object', { jsonrpc: '2.0', id: {}, method: 'node.status' }, 'BAD_REQUEST'],
    ['an id that is too long', { jsonrpc: '2.0', id: 'x'.repeat(129), method: 'node.status' }, 'BAD_REQUEST'],
    ['an id that no number can be', '{"jsonrpc":"2.0","id":1e999,"method":"node.status"}', 'BAD_REQUEST'],
    [
      'an id that would be another',
      '{"jsonrpc":"2.0","id":12345678901234567890,"method":"node.status"}',
      'BAD_REQUEST',
    ],
    ['an id that is a fraction', '{"jsonrpc":"2.0","id":1.5,"method":"node.status"}', 'BAD_REQUEST'],
    ['a method that is a number', { jsonrpc: '2.0', id: 1, method: 1 }, 'BAD_REQUEST'],
    ['neither method nor result', { jsonrpc: '2.0', id: 1 }, 'BAD_REQUEST'],
  ])('answers %s with a code and goes on', (_, message, code) => {
    const bench = new Bench().greet()
    bench.send(message)
    expect(bench.last?.error?.data.code).toBe(code)
    expect(bench.call(9).map((e) => e.kind)).toEqual(['call'])
  })

  it('passes over what wants no answer', () => {
    const bench = new Bench().greet()
    const effects = bench.send(
      { jsonrpc: '2.0', method: 'task.progress', params: {} },
      { jsonrpc: '2.0', id: 1, result: {} },
    )
    expect(effects).toEqual([])
  })

  it('I-6: refuses more in flight than it holds, says when to ask again, and goes on', () => {
    const bench = new Bench().greet()
    for (let id = 0; id < 5; id++) bench.call(id)
    expect(bench.lines).toHaveLength(1)
    expect(bench.last).toMatchObject({ id: 4, error: { data: { code: 'OVERLOADED', retryAfterMs: 50 } } })
    bench.step({ kind: 'respond', id: 0, outcome: { ok: true, result: {} } })
    expect(bench.call(4).map((e) => e.kind)).toEqual(['call'])
  })

  it('answers what is in flight when the daemon stops, refuses the rest, and closes', () => {
    const bench = new Bench().greet()
    bench.call(1)
    bench.step({ kind: 'shut-down' })
    bench.call(2)
    expect(bench.last).toMatchObject({ id: 2, error: { data: { code: 'SHUTTING_DOWN' } } })
    expect(bench.session.closed).toBe(false)
    bench.step({ kind: 'respond', id: 1, outcome: { ok: true, result: {} } })
    expect(bench.last).toMatchObject({ id: 1, result: {} })
    expect(bench.closeReason).toBe('shutting-down')
  })

  it('I-9: an answer longer than a line becomes TOO_LARGE', () => {
    const bench = new Bench().greet()
    bench.call(1)
    bench.call(2)
    // 2,000 characters of two bytes each: fewer units than the limit, more bytes.
    bench.step({ kind: 'respond', id: 1, outcome: { ok: true, result: 'é'.repeat(2040) } })
    expect(bench.last?.error?.data.code).toBe('TOO_LARGE')
    bench.step({ kind: 'respond', id: 2, outcome: { ok: true, result: 'é'.repeat(1000) } })
    expect(bench.last?.result).toBe('é'.repeat(1000))
  })

  it('I-10: a client that ends its side gets its answers, then the connection closes', () => {
    const bench = new Bench().greet()
    bench.call(1)
    bench.step({ kind: 'ended' })
    expect(bench.session.closed).toBe(false)
    bench.step({ kind: 'respond', id: 1, outcome: { ok: true, result: {} } })
    expect(bench.effects.slice(-2).map((e) => e.kind)).toEqual(['write', 'close'])
    expect(bench.closeReason).toBe('finished')
  })

  it('I-10: a subscriber that ends its side goes on getting events', () => {
    const bench = new Bench().greet()
    bench.call(1, 'events.subscribe')
    bench.step({ kind: 'ended' })
    bench.step({ kind: 'event', event: { kind: 'x', at: 't' } })
    expect(bench.last?.params).toMatchObject({ kind: 'x' })
  })
})

describe('hostile input (I-2, I-6, I-11)', () => {
  it.each([
    ['text that is not JSON', utf8.encode('{"jsonrpc":\n'), 'PARSE_ERROR'],
    ['bytes that are not UTF-8', Uint8Array.of(0xff, 0x0a), 'PARSE_ERROR'],
    ['a line without end', utf8.encode('x'.repeat(4097)), 'TOO_LARGE'],
  ])('answers %s once and closes', (_, bytes, code) => {
    const bench = new Bench().greet()
    bench.step({ kind: 'received', bytes })
    expect(bench.lines).toHaveLength(1)
    expect(bench.last).toMatchObject({ id: null, error: { data: { code } } })
    expect(bench.effects.at(-1)?.kind).toBe('close')
    expect(bench.step({ kind: 'received', bytes })).toEqual([])
  })

  it('I-2: what follows in the same bytes is not looked at', () => {
    const bench = new Bench().greet()
    const effects = bench.send('not JSON', 'nor this', { jsonrpc: '2.0', id: 1, method: 'node.status' })
    expect(effects.map((e) => e.kind)).toEqual(['write', 'close'])
  })

  it('I-6: a flood is answered and closed, blank lines included; a steady stream is not', () => {
    const flood = new Bench().greet()
    flood.send(...new Array(20).fill(''))
    expect(flood.last).toMatchObject({ id: null, error: { data: { code: 'OVERLOADED' } } })
    expect(flood.closeReason).toBe('flood')

    const steady = new Bench().greet()
    for (let i = 0; i < 200; i++) {
      steady.now += 100
      steady.send('')
    }
    expect(steady.session.closed).toBe(false)
  })

  it('I-11: any bytes give effects, never a throw, and at most one close, at the end', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map((json) => utf8.encode(`${json}\n`)),
      fc
        .record(
          {
            jsonrpc: fc.constantFrom('2.0', 2),
            id: fc.oneof(fc.nat(3), fc.string(), fc.constant(null)),
            method: fc.oneof(fc.constantFrom('hello', ...Object.keys(METHODS)), fc.string(), fc.nat()),
            params: fc.oneof(fc.constant({ protocol: 1, client: 'x' }), fc.jsonValue()),
          },
          { requiredKeys: [] },
        )
        .map((message) => utf8.encode(`${JSON.stringify(message)}\n`)),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, greeted) => {
        const bench = new Bench()
        if (greeted) bench.greet()
        for (const bytes of pieces) bench.step({ kind: 'received', bytes })
        const closes = bench.effects.filter((e) => e.kind === 'close')
        expect(closes.length).toBe(bench.session.closed ? 1 : 0)
        if (bench.session.closed) expect(bench.effects.at(-1)?.kind).toBe('close')
        for (const line of bench.lines) expect(line.error ?? line.result).toBeDefined()
      }),
      { numRuns: 300 },
    )
  })
})

describe('slow readers (I-7, I-8)', () => {
  const event = { kind: 'x', at: '2026-01-01T00:00:00.000Z', text: 'y'.repeat(100) }

  it('drops events above the backlog and says how many before the next one', () => {
    const bench = new Bench().greet()
    bench.step({ kind: 'sent', byteCount: bench.writtenBytes })
    bench.writtenBytes = 0
    bench.call(1, 'events.subscribe')
    for (let i = 0; i < 50; i++) bench.step({ kind: 'event', event })
    const got = bench.lines.filter((l) => l.params?.kind === 'x').length
    expect(bench.writtenBytes).toBeLessThan(SMALL.eventBacklogBytesMax + 400)
    expect(got).toBeGreaterThan(2)

    bench.step({ kind: 'sent', byteCount: bench.writtenBytes })
    bench.lines.length = 0
    bench.step({ kind: 'event', event })
    expect(bench.lines.map((l) => l.params?.kind)).toEqual(['events.lost', 'x'])
    expect(bench.lines[0]?.params?.count).toBe(50 - got)
    bench.step({ kind: 'event', event })
    expect(bench.lines).toHaveLength(3)
  })

  it('pauses reading while answers are not taken, keeps further ones unwritten, and goes on when they are', () => {
    const bench = new Bench().greet()
    const kinds = (id: number) => {
      bench.call(id)
      return bench.step({ kind: 'respond', id, outcome: { ok: true, result: 'z'.repeat(900) } }).map((e) => e.kind)
    }
    expect(kinds(1)).toEqual(['write'])
    expect(kinds(2)).toEqual(['write'])
    expect(kinds(3)).toEqual(['write', 'pause'])
    expect(kinds(4)).toEqual([])
    bench.call(4)
    expect(bench.last).toMatchObject({ id: 4, error: { data: { code: 'BAD_REQUEST' } } })
    expect(bench.step({ kind: 'sent', byteCount: bench.writtenBytes }).map((e) => e.kind)).toEqual(['resume', 'write'])
    expect(bench.last).toMatchObject({ id: 4, result: 'z'.repeat(900) })
  })

  it('answers that nobody takes cost what they are, and the connection lives', () => {
    const bench = new Bench().greet()
    for (let id = 0; id < 4; id++) bench.call(id)
    for (let id = 0; id < 4; id++) {
      bench.step({ kind: 'respond', id, outcome: { ok: true, result: 'z'.repeat(3000) } })
    }
    expect(bench.closeReason).toBeUndefined()
    expect(bench.writtenBytes).toBeLessThanOrEqual(SMALL.pauseReadingBytes + SMALL.lineBytesMax)
    const respond = { kind: 'respond', id: 3, outcome: { ok: true, result: {} } } as const
    expect(() => bench.step(respond)).toThrow(InvariantError)
  })

  it('closes when a flood of wrong lines costs too much', () => {
    const bench = new Bench({ limits: { ...SMALL, linesBurst: 1000 } }).greet()
    bench.send(...Array(100).fill('{}'))
    expect(bench.closeReason).toBe('slow-reader')
  })

  it('refuses limits that do not fit together', () => {
    expect(() => checked({ ...SESSION_LIMITS, outputBytesMax: 1000 })).toThrow(InvariantError)
    expect(() => checked({ ...SESSION_LIMITS, linesBurst: 10 })).toThrow(InvariantError)
  })
})

describe('subscriptions', () => {
  it('filters by kind and by task', () => {
    const bench = new Bench().greet()
    bench.call(1, 'events.subscribe', { kinds: ['a'] })
    bench.call(2, 'events.subscribe', { task: 't1' })
    bench.lines.length = 0
    bench.step({ kind: 'event', event: { kind: 'a', at: 't' } })
    bench.step({ kind: 'event', event: { kind: 'b', at: 't', task: 't1' } })
    bench.step({ kind: 'event', event: { kind: 'b', at: 't', task: 't2' } })
    expect(bench.lines.map((l) => l.params)).toEqual([
      { subscription: 's1', kind: 'a', at: 't' },
      { subscription: 's2', kind: 'b', at: 't', task: 't1' },
    ])
  })

  it('are bounded, and end when asked', () => {
    const bench = new Bench().greet()
    for (const id of [1, 2, 3]) bench.call(id, 'events.subscribe')
    expect(bench.last?.error?.data.code).toBe('QUOTA_EXCEEDED')
    bench.call(4, 'events.unsubscribe', { subscription: 's1' })
    bench.call(5, 'events.unsubscribe', { subscription: 's1' })
    expect(bench.last?.error?.data.code).toBe('NOT_FOUND')
    bench.call(6, 'events.unsubscribe', { subscription: 's2' })
    expect(bench.session.subscribed).toBe(false)
    expect(bench.step({ kind: 'event', event: { kind: 'a', at: 't' } })).toEqual([])
  })

  it('several lines of one step leave in one write', () => {
    const bench = new Bench().greet()
    bench.call(1, 'events.subscribe')
    bench.call(2, 'events.subscribe')
    bench.writeCount = 0
    bench.step({ kind: 'event', event: { kind: 'a', at: 't' } })
    expect(bench.writeCount).toBe(1)
  })
})
