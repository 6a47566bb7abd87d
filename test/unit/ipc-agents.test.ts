import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutMember } from '../../src/ipc/cut.ts'
import {
  ClientCodec,
  checked,
  JsonText,
  type Order,
  type RunParams,
  SESSION_LIMITS,
  Session,
  type SessionEffect,
  type SessionInput,
} from '../../src/ipc/index.ts'
import type { Millis } from '../../src/kernel/index.ts'

const utf8 = new TextEncoder()
const NOW = 1000 as Millis
const HELLO = '{"jsonrpc":"2.0","id":0,"method":"hello","params":{"protocol":1,"client":"test/1"}}'
const GREETING = { hello: { node: 'n1', swarm: 's1', version: '0.0.0', features: [] } }
const SMALL = checked({
  ...SESSION_LIMITS,
  lineBytesMax: 4096,
  requestsInFlightMax: 4,
  ordersMax: 3,
  eventBacklogBytesMax: 1000,
  pauseReadingBytes: 2000,
  outputBytesMax: 8000,
})

/** The daemon's session with an agent on the other side that says exactly what the test says. */
class Line {
  readonly session = new Session(GREETING, NOW, SMALL)
  readonly effects: SessionEffect[] = []
  readonly written: string[] = []
  untakenBytes = 0

  constructor() {
    this.say(HELLO)
    this.take()
    this.effects.length = 0
    this.written.length = 0
  }

  step(input: SessionInput): void {
    for (const effect of this.session.step(NOW, input)) {
      this.effects.push(effect)
      if (effect.kind === 'ready') this.step({ kind: 'flush' })
      if (effect.kind !== 'write') continue
      this.untakenBytes += effect.bytes.length
      this.written.push(...new TextDecoder().decode(effect.bytes).split('\n').slice(0, -1))
    }
  }

  say(...lines: readonly (string | object)[]): void {
    const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify({ jsonrpc: '2.0', ...line })))
    this.step({ kind: 'received', bytes: utf8.encode(`${texts.join('\n')}\n`) })
  }

  /** The agent reads all there is. */
  take(): void {
    const byteCount = this.untakenBytes
    this.untakenBytes = 0
    this.step({ kind: 'sent', byteCount })
  }

  run(task: string, input = '"x"', attempt = 1): Order {
    const order = { agent: 'a1', task, attempt }
    this.step({ kind: 'run', order, params: runParams(order, input) })
    return order
  }

  /** Ids of the `task.run` requests that were written. */
  get asked(): readonly string[] {
    return this.written.map((line) => JSON.parse(line)).flatMap(({ method, id }) => (method === 'task.run' ? [id] : []))
  }

  get outcomes(): readonly unknown[] {
    return this.effects.flatMap((effect) => (effect.kind === 'outcome' ? [[effect.order.task, said(effect)]] : []))
  }
}

function said({ outcome }: Extract<SessionEffect, { kind: 'outcome' }>): unknown {
  return outcome.kind === 'completed' ? outcome.output.text : outcome.error
}

function runParams({ agent, task, attempt }: Order, input: string): RunParams {
  const payload = new JsonText(utf8.encode(input))
  return { agent, task, attempt, skill: 'echo', input: payload, tenant: 'default', leaseMs: 10_000 }
}

describe('a task at an agent', () => {
  it('is handed over as a request, whose answer is the outcome', () => {
    const line = new Line()
    line.run('t1')
    expect(JSON.parse(line.written[0] ?? '')).toEqual({
      jsonrpc: '2.0',
      id: 'r1',
      method: 'task.run',
      params: { agent: 'a1', task: 't1', attempt: 1, skill: 'echo', input: 'x', tenant: 'default', leaseMs: 10_000 },
    })
    line.say({ id: 'r1', result: { output: { done: true } } })
    expect(line.outcomes).toEqual([['t1', '{"done":true}']])
  })

  it.each([
    ['numbers that no double holds', '12345678901234567890'],
    ['a number as it was written', '[1.0,1e2]'],
    ['keys twice and in their order', '{"b":1,"a":2,"b":3}'],
    ['bytes', '{"$bytes":"AAEC"}'],
    ['letters beyond ASCII', '"ä→𝄞"'],
  ])('I-12: the input crosses untouched: %s', (_, input) => {
    const line = new Line()
    line.run('t1', input)
    expect(line.written[0]).toContain(`"input":${input}`)
  })

  it('I-13: a second answer, and one to what was never asked, change nothing', () => {
    const line = new Line()
    line.run('t1')
    line.say({ id: 'r1', result: { output: 1 } }, { id: 'r1', result: { output: 2 } }, { id: 'r2', result: {} })
    line.say({ id: 1, result: {} }, { id: null, result: {} }, { id: 'toString', error: { code: 1, message: 'x' } })
    expect(line.outcomes).toEqual([['t1', '1']])
    expect(line.session.closed).toBe(false)
  })

  it.each([
    ['a number', { result: 5 }, { code: 'BAD_ANSWER', retryable: true }],
    ['null', { result: null }, { code: 'BAD_ANSWER', retryable: true }],
    ['a list', { result: [1] }, { code: 'BAD_ANSWER', retryable: true }],
    ['no output', { result: {} }, 'null'],
    ['an error without words', { error: {} }, { code: 'FAILED', retryable: false }],
    ['an error by the number', { error: { code: -32000, message: 'no' } }, { code: 'FAILED', message: 'no' }],
    [
      'an error by its word',
      { error: { code: 1, message: 'no', data: { code: 'X', retryable: true } } },
      { code: 'X', retryable: true },
    ],
    [
      'retryable that is no flag',
      { error: { code: 1, message: 'no', data: { retryable: 'yes' } } },
      { retryable: false },
    ],
  ])('I-14: an answer that is %s is an outcome', (_, answer, outcome) => {
    const line = new Line()
    line.run('t1')
    line.say({ id: 'r1', ...answer })
    expect(line.outcomes).toHaveLength(1)
    const expected = typeof outcome === 'string' ? outcome : expect.objectContaining(outcome)
    expect(line.outcomes).toEqual([['t1', expected]])
  })

  it('I-15: beyond the bound it fails, to be tried elsewhere', () => {
    const line = new Line()
    for (const task of ['t1', 't2', 't3', 't4']) line.run(task)
    expect(line.asked).toEqual(['r1', 'r2', 'r3'])
    expect(line.outcomes).toEqual([['t4', expect.objectContaining({ code: 'OVERLOADED', retryable: true })]])
    line.say({ id: 'r1', result: {} })
    line.run('t5')
    expect(line.asked).toEqual(['r1', 'r2', 'r3', 'r4'])
  })

  it('I-15: one that fits no line fails for good, and its number is free for nothing else', () => {
    const line = new Line()
    line.run('t1', JSON.stringify('x'.repeat(5000)))
    expect(line.written).toEqual([])
    expect(line.outcomes).toEqual([['t1', expect.objectContaining({ code: 'TOO_LARGE', retryable: false })]])
    line.say({ id: 'r1', result: {} })
    expect(line.outcomes).toHaveLength(1)
  })

  it('I-7: waits unwritten while the agent takes nothing, and what is said of it behind it', () => {
    const line = new Line()
    const big = JSON.stringify('x'.repeat(1500))
    for (const task of ['t1', 't2', 't3']) line.run(task, big)
    line.step({ kind: 'notify', method: 'task.cancel', params: { task: 't3', attempt: 1, reason: 'cancelled' } })
    expect(line.asked).toEqual(['r1', 'r2'])
    line.take()
    expect(line.asked).toEqual(['r1', 'r2', 'r3'])
    expect(line.written.map((text) => JSON.parse(text).method)).toEqual([...Array(3).fill('task.run'), 'task.cancel'])
  })
})

describe('an agent that attaches', () => {
  const attach = (line: Line, id: number) =>
    line.say({ id, method: 'agent.attach', params: { name: 'n', skills: [{ name: 'echo' }] } })
  const answer = (line: Line, id: number) =>
    line.step({ kind: 'respond', id, outcome: { ok: true, result: { agent: `a${id}` } } })
  const heard = (line: Line) => line.written.map((text) => JSON.parse(text)).map(({ method, id }) => method ?? id)

  it('I-17: knows its name before its first task, and before a word about it', () => {
    const line = new Line()
    attach(line, 1)
    line.run('t1')
    line.step({ kind: 'notify', method: 'task.cancel', params: { task: 't1', attempt: 1, reason: 'cancelled' } })
    expect(line.written).toEqual([])
    answer(line, 1)
    line.run('t2')
    expect(heard(line)).toEqual([1, 'task.run', 'task.cancel', 'task.run'])
    line.say({ id: 'r1', result: { output: 1 } })
    expect(line.outcomes).toEqual([['t1', '1']])
  })

  it('I-17: so do several at once, and one that is refused holds up nothing', () => {
    const line = new Line()
    attach(line, 1)
    attach(line, 2)
    line.run('t1')
    answer(line, 2)
    expect(heard(line)).toEqual([2])
    line.step({ kind: 'respond', id: 1, outcome: { ok: false, error: { code: 'QUOTA_EXCEEDED', message: 'no' } } })
    expect(heard(line)).toEqual([2, 1, 'task.run'])
  })

  it('I-15, I-17: what is held for it is bounded', () => {
    const line = new Line()
    attach(line, 1)
    for (let n = 1; n <= 7; n++) line.run(`t${n}`)
    expect(line.outcomes).toEqual([['t7', expect.objectContaining({ code: 'OVERLOADED', retryable: true })]])
    answer(line, 1)
    expect(line.asked).toEqual(['r1', 'r2', 'r3'])
    expect(line.outcomes).toHaveLength(4)
  })

  it('I-7, I-17: its answer comes first also when the client takes nothing yet', () => {
    const line = new Line()
    const big = JSON.stringify('x'.repeat(1500))
    for (const task of ['t1', 't2']) line.run(task, big)
    attach(line, 1)
    line.run('t3')
    answer(line, 1)
    line.take()
    expect(heard(line)).toEqual(['task.run', 'task.run', 1, 'task.run'])
  })
})

describe('progress', () => {
  it('I-15: counts for an open task, and is ignored otherwise', () => {
    const line = new Line()
    line.run('t1')
    const progress = (params: object) => line.say({ method: 'task.progress', params })
    progress({ task: 't1', attempt: 1, fraction: 0.5, partial: { rows: 2 } })
    progress({ task: 't1', attempt: 2, fraction: 0.6 })
    progress({ task: 't2', attempt: 1, fraction: 0.7 })
    progress({ task: 't1', attempt: 'one', fraction: 0.8 })
    progress({ task: 't1', attempt: 1, colour: 'red' })
    line.say({ id: 'r1', result: {} })
    progress({ task: 't1', attempt: 1, fraction: 0.9 })
    const seen = line.effects.flatMap((effect) => (effect.kind === 'progress' ? [effect] : []))
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ order: { task: 't1', attempt: 1 }, fraction: 0.5 })
    expect(seen[0]?.partial?.text).toBe('{"rows":2}')
  })
})

describe('both ends together', () => {
  it("the client's codec reads what is asked of it and answers so that it is understood", () => {
    const line = new Line()
    const codec = new ClientCodec()
    line.run('t1', '{"n":1}')
    line.run('t2')
    const asked = codec.receive(utf8.encode(`${line.written.join('\n')}\n`))
    expect(asked).toMatchObject([
      { kind: 'request', id: 'r1', method: 'task.run', params: { task: 't1', input: { n: 1 } } },
      { kind: 'request', id: 'r2', method: 'task.run' },
    ])
    const error = { code: 'BUSY', message: 'later', retryable: true }
    line.step({ kind: 'received', bytes: codec.respond('r1', { kind: 'completed', output: [1] }) })
    line.step({ kind: 'received', bytes: codec.notify('task.progress', { task: 't2', attempt: 1, fraction: 1 }) })
    line.step({ kind: 'received', bytes: codec.respond('r2', { kind: 'failed', error }) })
    expect(line.outcomes).toEqual([
      ['t1', '[1]'],
      ['t2', error],
    ])
    expect(line.effects.filter(({ kind }) => kind === 'progress')).toHaveLength(1)
  })

  it('I-12: what is submitted is handed to the host as bytes', () => {
    const line = new Line()
    line.say({ id: 1, method: 'task.submit', params: { skill: 'echo', input: { $bytes: 'AAEC' } } })
    const call = line.effects.find(({ kind }) => kind === 'call')
    expect(call).toMatchObject({ method: 'task.submit', params: { skill: 'echo' } })
    const params = call?.kind === 'call' && call.method === 'task.submit' ? call.params : undefined
    expect(params?.input).toEqual(JsonText.of({ $bytes: 'AAEC' }))
  })

  it.each(['12345678901234567890', '{"b":1.0,"a":2,"b":3}', '" \\" \\\\"', '[ {"]":"}"} , -1e2 ]', 'null'])(
    'I-12: a payload that comes in is cut out as it was written: %s',
    (payload) => {
      const line = new Line()
      const odd = '"in\\u0070ut"'
      for (const text of [
        `{"params":{"input":${payload},"skill":"x"},"method":"task.submit","id":1,"jsonrpc":"2.0"}`,
        `{ "jsonrpc" : "2.0" , "id" : 2 , "method" : "task.submit" , "params" : { "skill" : "x" , "input" : ${payload} } }`,
        `{"jsonrpc":"2.0","id":3,"method":"task.submit","params":{"input":1,"skill":"input",${odd}:${payload}}}`,
        `{"jsonrpc":"2.0","id":4,"method":"task.call","params":{"skill":"x","input":${payload},"timeoutMs":5}}`,
      ]) {
        line.say(text)
      }
      line.run('t1')
      line.say(`{"jsonrpc":"2.0","id":"r1","result":{"output":${payload}}}`)
      const inputs = line.effects.flatMap((effect) =>
        effect.kind === 'call' && (effect.method === 'task.submit' || effect.method === 'task.call')
          ? [(effect.params.input as JsonText).text]
          : [],
      )
      expect(inputs).toEqual([payload, payload, payload, payload])
      expect(line.outcomes).toEqual([['t1', payload]])
    },
  )

  it('I-12: cutting finds what parsing finds', () => {
    const key = fc.constantFrom('params', 'input', 'in"put', '\\', '', 'é')
    const leaf = fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(null, true))
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        leaf,
        fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
        fc.array(tie('tree'), { maxLength: 4 }),
      ),
    }))
    const value = fc.record({ a: tree, params: fc.oneof(tree, fc.record({ a: tree, input: tree, b: tree })), b: tree })
    let found = 0
    fc.assert(
      fc.property(value, fc.constantFrom('', ' ', '\t'), (any, blank) => {
        const json = JSON.stringify(any, undefined, blank)
        const cut = cutMember(json, 'params', 'input')
        const params = Object(JSON.parse(json).params) as { readonly input?: unknown }
        const isThere = Object.hasOwn(params, 'input') && !Array.isArray(params)
        found += Number(isThere)
        expect(cut === undefined ? undefined : JSON.parse(cut)).toEqual(isThere ? params.input : undefined)
      }),
      { numRuns: 500 },
    )
    expect(found).toBeGreaterThan(100)
  })

  it('I-5: names every wrong field of an agent and of a task', () => {
    const line = new Line()
    const skills = [{ name: '' }, { name: 'x', proficiency: 2 }]
    line.say({
      id: 1,
      method: 'agent.attach',
      params: { skills, slots: 0, price: -1, kind: 'boss', resources: { cpu: 'two' } },
    })
    line.say({
      id: 2,
      method: 'task.submit',
      params: { priority: 10, deadlineMs: 0, key: '', guarantee: 'maybe', require: 'a', durable: 1 },
    })
    const problems = line.written.map((text) =>
      JSON.parse(text).error.data.problems.map((p: { path: string }) => p.path),
    )
    expect(problems[0].sort()).toEqual([
      'kind',
      'name',
      'price',
      'resources.cpu',
      'skills.0.name',
      'skills.1.proficiency',
      'slots',
    ])
    expect(problems[1].sort()).toEqual(['deadlineMs', 'durable', 'guarantee', 'key', 'priority', 'require'])
  })
})
