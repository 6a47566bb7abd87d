import { ClientCodec, Session } from '../../src/ipc/index.ts'
import { assert, type Millis } from '../../src/kernel/index.ts'
import { type FuzzTarget, INPUT_BYTES_MAX } from './target.ts'

const NOW = 1000 as Millis
/** Parsing and answering a hundred lines costs more than a shape. */
const WEIGHT = 5

/** What a local client can send to the daemon, and a daemon to its client. */
export function ipcTargets(): readonly FuzzTarget[] {
  return [
    {
      name: 'ipc/session',
      samples: [HELLO, ...REQUESTS, REQUESTS.join('')].map(bytesOf),
      bytesMax: INPUT_BYTES_MAX,
      weight: WEIGHT,
      attempt: (input) => {
        const session = new Session({ hello: { node: 'n1', swarm: 's1', version: '0.1.0', features: [] } }, NOW)
        session.step(NOW, { kind: 'received', bytes: bytesOf(HELLO) })
        for (const order of ORDERS) session.step(NOW, { kind: 'run', order, params: { ...RUN, ...order } })
        const effects = session.step(NOW, { kind: 'received', bytes: input })
        const outcomes = effects.filter(({ kind }) => kind === 'outcome')
        assert(outcomes.length <= ORDERS.length, 'an order has one outcome', { count: outcomes.length })
        const closes = effects.findIndex(({ kind }) => kind === 'close')
        assert(closes === -1 || closes === effects.length - 1, 'nothing follows a close')
        return closes === -1 ? 'accepted' : undefined
      },
    },
    {
      name: 'ipc/client-codec',
      samples: ANSWERS.map(bytesOf),
      bytesMax: INPUT_BYTES_MAX,
      weight: WEIGHT,
      attempt: (input) => {
        const events = new ClientCodec().receive(input)
        return events.some(({ kind }) => kind === 'broken') ? undefined : 'accepted'
      },
    },
  ]
}

const HELLO = '{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1,"client":"fuzz/1"}}\n'
const REQUESTS = [
  '{"jsonrpc":"2.0","id":2,"method":"node.status","params":{}}\n',
  '{"jsonrpc":"2.0","id":"x","method":"events.subscribe","params":{"kinds":["member.alive"]}}\n',
  '{"jsonrpc":"2.0","id":3,"method":"task.submit","params":{"skill":"s","input":{"a":[1,"\\""]},"require":["a==b"]}}\n',
  '{"jsonrpc":"2.0","id":4,"method":"agent.attach","params":{"name":"n","skills":[{"name":"s"}],"labels":{"a":"b"}}}\n',
  '{"jsonrpc":"2.0","id":"r1","result":{"output":{"b":[{}]}}}\n',
  '{"jsonrpc":"2.0","id":"r2","error":{"code":1,"message":"no","data":{"retryable":true}}}\n',
  '{"jsonrpc":"2.0","method":"task.progress","params":{"task":"t","attempt":1,"fraction":0.5}}\n',
]
/** What the agents of the connection were handed before. */
const ORDERS = [1, 2].map((attempt) => ({ agent: 'a1', task: 't', attempt }))
const RUN = { skill: 's', input: null, tenant: 'default', leaseMs: 1000 }
const ANSWERS = [
  '{"jsonrpc":"2.0","id":1,"result":{"node":"n1"}}\n',
  '{"jsonrpc":"2.0","id":"r1","method":"task.run","params":{"task":"t","attempt":1,"input":null}}\n',
  '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no","data":{"code":"BAD_REQUEST"}}}\n',
  '{"jsonrpc":"2.0","method":"event","params":{"subscription":"s","kind":"k"}}\n',
]

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
