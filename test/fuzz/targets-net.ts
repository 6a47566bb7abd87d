import { assert, ERROR_CODES, type NodeId } from '../../src/kernel/index.ts'
import { dialable } from '../../src/net/dialer.ts'
import { dialError } from '../../src/net/refusal.ts'
import { CHEAP_WEIGHT, COSTLY_WEIGHT, type FuzzTarget, INPUT_BYTES_MAX } from './target.ts'

const PEER = '12D3KooWCRWpLhJ4WyFiwLa3Vp7VUnGHjvqoF8xRWQbPnXGj8sxu' as NodeId
const ADDRESSES = [
  '/ip4/192.0.2.7/tcp/4001',
  `/ip6/2001:db8::1/tcp/4001/p2p/${PEER}`,
  `/dns4/node.example/tcp/443/p2p/${PEER}/p2p-circuit/p2p/${PEER}`,
]

/** What `src/net` reads itself; its frames are `link/*`, its handshake is `identity/handshake-*`. */
export function netTargets(): readonly FuzzTarget[] {
  return [
    {
      // Addresses come from tickets, presences, the LAN and the hash table.
      name: 'net/address',
      samples: ADDRESSES.map((text) => Buffer.from(text)),
      // The longest that a presence may hold.
      bytesMax: 160,
      weight: COSTLY_WEIGHT,
      attempt: (input) => {
        const targets = dialable(PEER, [Buffer.from(input).toString('utf8')])
        assert(
          targets.every((target) => target.toString().endsWith(`/p2p/${PEER}`)),
          'only the peer itself is dialled',
        )
        return targets.length > 0 ? 'accepted' : undefined
      },
    },
    {
      // The words of a peer that refuses, as libp2p hands them on.
      name: 'net/refusal',
      samples: ['TICKET_EXPIRED: it ended yesterday', 'TIMEOUT: '].map((text) => Buffer.from(text)),
      bytesMax: INPUT_BYTES_MAX,
      weight: CHEAP_WEIGHT,
      attempt: (input) => {
        const text = Buffer.from(input).toString('latin1')
        const { code } = dialError(new AggregateError([new Error('refused'), new Error(text)]))
        assert(Object.hasOwn(ERROR_CODES, code), 'what a dial fails with is registered', { code })
        return code === 'HANDSHAKE_FAILED' ? undefined : 'accepted'
      },
    },
  ]
}
