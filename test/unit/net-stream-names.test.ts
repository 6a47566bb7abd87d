import type { PeerId, PeerStore, Stream, StreamMuxer, Topology } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { Uint8ArrayList } from 'uint8arraylist'
import { describe, expect, it } from 'vitest'
import { Acquaintance, spareProtocols } from '../../src/net/acquaintance.ts'
import { nameStreams } from '../../src/net/stream-names.ts'
import { eventually } from '../support/eventually.ts'

const SPOKEN = '/swarm-node/test/1'

/** Two muxers that name their streams, and the streams that reached the second. */
function pair(): { readonly sender: StreamMuxer; readonly receiver: StreamMuxer; readonly streams: Stream[] } {
  const [ours, theirs] = multiaddrConnectionPair({ delay: 0 })
  const [sender, receiver] = [ours, theirs].map((raw) => {
    const muxer: StreamMuxer = yamux({ enableKeepAlive: false })().createStreamMuxer(raw)
    nameStreams(muxer, (protocol) => protocol === SPOKEN)
    return muxer
  }) as [StreamMuxer, StreamMuxer]
  const streams: Stream[] = []
  receiver.addEventListener('stream', ({ detail }: CustomEvent<Stream>) => streams.push(detail))
  return { sender, receiver, streams }
}

function reading(stream: Stream): Uint8ArrayList {
  const heard = new Uint8ArrayList()
  stream.addEventListener('message', ({ data }) => heard.append(data))
  return heard
}

describe('P-15: a stream says what it is for with its first bytes', () => {
  it('is known by its name at both ends, and what follows the name is for its handler', async () => {
    const { sender, streams } = pair()
    const stream = await sender.createStream({ protocol: SPOKEN })
    expect(stream.protocol).toBe(SPOKEN)
    stream.send(Uint8Array.of(1, 2, 3))
    await eventually('the stream', () => streams.length === 1)
    const [inbound] = streams as [Stream]
    expect(inbound.protocol).toBe(SPOKEN)
    const heard = reading(inbound)
    stream.send(Uint8Array.of(4))
    await eventually('what was said', () => heard.byteLength === 4)
    expect([...heard.subarray()]).toEqual([1, 2, 3, 4])
  })

  it('without one name it is left to be negotiated', async () => {
    const { sender, streams } = pair()
    const stream = await sender.createStream()
    expect(stream.protocol).toBe('')
    stream.send(Uint8Array.of(9))
    await eventually('the stream', () => streams.length === 1)
    const heard = reading(streams[0] as Stream)
    await eventually('what was said', () => heard.byteLength === 1)
    expect([streams[0]?.protocol, ...heard.subarray()]).toEqual(['', 9])
  })

  it('a name that comes in pieces is waited for', async () => {
    const { sender, receiver, streams } = pair()
    const raw = yamuxOf(sender)
    const stream = await raw.createStream()
    stream.send(Uint8Array.of(SPOKEN.length))
    stream.send(Buffer.from(SPOKEN.slice(0, 5)))
    await eventually('half a name', () => receiver.streams.length === 1)
    expect(streams).toEqual([])
    stream.send(Buffer.from(SPOKEN.slice(5)))
    await eventually('the stream', () => streams.length === 1)
    expect(streams[0]?.protocol).toBe(SPOKEN)
  })

  it('a name that nobody here knows ends the stream, and no handler is told', async () => {
    const { sender, receiver, streams } = pair()
    const stream = await sender.createStream({ protocol: '/swarm-node/other/1' })
    await eventually('the end', () => stream.status === 'reset')
    expect([streams, receiver.streams]).toEqual([[], []])
  })
})

/** The muxer's own way to open a stream, by which nothing is said. */
function yamuxOf(muxer: StreamMuxer): { createStream(): Promise<Stream> } {
  const { createStream } = Object.getPrototypeOf(muxer) as StreamMuxer
  return { createStream: () => createStream.call(muxer) as Promise<Stream> }
}

describe('P-16: what every member speaks is not asked for', () => {
  const peer = { equals: () => false, toString: () => 'peer' } as unknown as PeerId

  it('gossip is told of who came and who went', () => {
    const told: string[] = []
    const topology: Topology = { onConnect: () => void told.push('came'), onDisconnect: () => void told.push('went') }
    const pubsub = { protocols: ['/meshsub/2', '/meshsub/1'] }
    const getTopologies = (protocol: string) => (protocol === '/meshsub/2' ? [topology] : [])
    const acquaintance = new Acquaintance({ getTopologies }, pubsub)
    acquaintance.met({ remotePeer: peer } as Parameters<Acquaintance['met']>[0])
    acquaintance.parted(peer)
    expect([told, pubsub.protocols]).toEqual([['came', 'went'], ['/meshsub/2']])
  })

  it('the table of peers is written for what is news, and for this node itself', async () => {
    const self = { equals: (other: unknown) => other === self } as unknown as PeerId
    const merged: unknown[] = []
    const store = { merge: async (_: PeerId, data: object) => void merged.push(Object.keys(data)) }
    spareProtocols(store as unknown as PeerStore, self)
    const spared = store as unknown as PeerStore
    expect(await spared.merge(peer, { protocols: [SPOKEN] })).toMatchObject({ id: peer, protocols: [SPOKEN] })
    await spared.merge(peer, { protocols: [SPOKEN], multiaddrs: [] })
    await spared.merge(self, { protocols: [SPOKEN] })
    expect(merged).toEqual([['protocols', 'multiaddrs'], ['protocols']])
  })
})
