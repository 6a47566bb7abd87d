import { describe, expect, it } from 'vitest'
import { ClientCodec, JsonText, Session } from '../../src/ipc/index.ts'
import type { Millis } from '../../src/kernel/index.ts'

const utf8 = new TextEncoder()

describe('ClientCodec', () => {
  it('is understood by a session, and understands it', () => {
    const codec = new ClientCodec()
    const greeting = { hello: { node: 'n', swarm: 's', version: '1', features: ['x'] } }
    const session = new Session(greeting, 0 as Millis)
    const hello = codec.request('hello', { protocol: 1, client: 'test/1' })
    session.step(0 as Millis, { kind: 'received', bytes: hello.bytes })
    const [effect] = session.step(0 as Millis, { kind: 'flush' })
    if (effect?.kind !== 'write') throw new Error('expected a write')
    expect(codec.receive(effect.bytes)).toEqual([
      { kind: 'answer', id: hello.id, outcome: { ok: true, result: { protocol: 1, ...greeting.hello } } },
    ])
    expect(codec.request('node.status', {}).id).not.toBe(hello.id)
  })

  it('reads answers, notifications, refusals and requests', () => {
    const codec = new ClientCodec()
    const lines = [
      { jsonrpc: '2.0', id: 3, error: { code: -32003, message: 'gone', data: { code: 'NOT_FOUND', task: 't' } } },
      { jsonrpc: '2.0', id: 4, error: { code: 1, message: 'odd', data: { code: 'A_CODE_OF_LATER' } } },
      { jsonrpc: '2.0', method: 'event', params: { kind: 'x' } },
      { jsonrpc: '2.0', id: null, error: { code: -32700, message: 'bad', data: { code: 'PARSE_ERROR' } } },
      { jsonrpc: '2.0', id: 'r1', method: 'task.run', params: {} },
    ]
    expect(codec.receive(utf8.encode(lines.map((l) => `${JSON.stringify(l)}\n`).join('')))).toEqual([
      {
        kind: 'answer',
        id: 3,
        outcome: { ok: false, error: { code: 'NOT_FOUND', message: 'gone', data: { code: 'NOT_FOUND', task: 't' } } },
      },
      {
        kind: 'answer',
        id: 4,
        outcome: { ok: false, error: { code: 'INTERNAL', message: 'odd', data: { code: 'A_CODE_OF_LATER' } } },
      },
      { kind: 'notification', method: 'event', params: { kind: 'x' } },
      { kind: 'refused', error: { code: 'PARSE_ERROR', message: 'bad', data: { code: 'PARSE_ERROR' } } },
      { kind: 'request', id: 'r1', method: 'task.run', params: {} },
    ])
  })

  it('I-12: hands over payloads as they were written, if it is to be exact', () => {
    const payload = '{"n":12345678901234567890,"x":1e999}'
    const lines = [
      `{"jsonrpc":"2.0","id":"r1","method":"task.run","params":{"task":"t","input":${payload}}}`,
      `{"jsonrpc":"2.0","id":1,"result":{"task":"t","output":${payload}}}`,
      '{"jsonrpc":"2.0","id":2,"result":{"task":"t"}}',
      '{"jsonrpc":"2.0","id":3,"result":null}',
      `{"jsonrpc":"2.0","method":"task.steer","params":{"task":"t","input":${payload}}}`,
      `{"jsonrpc":"2.0","method":"event","params":{"kind":"task-progress","partial":${payload}}}`,
    ]
    const [run, ...others] = new ClientCodec({ isExact: true }).receive(utf8.encode(`${lines.join('\n')}\n`))
    const text = new JsonText(utf8.encode(payload))
    expect(run).toMatchObject({ kind: 'request', params: { task: 't', input: text } })
    const [answers, notices] = [others.slice(0, 3), others.slice(3)]
    expect(notices).toMatchObject([{ params: { input: text } }, { params: { partial: text } }])
    expect(answers.map((event) => event.kind === 'answer' && event.outcome)).toEqual([
      { ok: true, result: { task: 't', output: text } },
      { ok: true, result: { task: 't' } },
      { ok: true, result: null },
    ])
  })

  it('says so when the other side does not speak the protocol', () => {
    expect(new ClientCodec().receive(utf8.encode('HTTP/1.1 400 Bad Request\n'))[0]?.kind).toBe('broken')
    expect(new ClientCodec().receive(Uint8Array.of(0xff, 0x0a))[0]?.kind).toBe('broken')
  })

  it('I-11: takes an error that has no words for one, whatever stands in their place', () => {
    const line = '{"jsonrpc":"2.0","id":1,"error":{"message":{"toString":1},"data":[]}}\n'
    expect(new ClientCodec().receive(utf8.encode(line))).toEqual([
      {
        kind: 'answer',
        id: 1,
        outcome: { ok: false, error: { code: 'INTERNAL', message: 'no reason given', data: {} } },
      },
    ])
  })
})
