import type { PeerId, Stream, StreamMiddleware } from '@libp2p/interface'
import { type KadDHT, kadDHT, type QueryEvent } from '@libp2p/kad-dht'
import { pipe } from 'it-pipe'
import type { Libp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import { BoundedMap, type NodeId, SwarmError, type SwarmId, TokenBucket } from '../kernel/index.ts'
import { PROTOCOL_PREFIX } from '../wire/index.ts'
import type { DhtOptions, NetworkClock } from './options.ts'
import {
  CONNECTIONS_MAX,
  DHT_QUERIES_BURST,
  DHT_QUERIES_PER_SECOND,
  DHT_SELF_QUERY_MS,
  DHT_STREAMS_PER_PEER_MAX,
} from './params.ts'

export function dhtProtocol(swarm: SwarmId): string {
  return `${PROTOCOL_PREFIX}/${swarm}/kad/1`
}

/** Kademlia for provider records and nothing else (P-13): a validator that accepts no key keeps no value. */
export function dhtService(swarm: SwarmId, options: DhtOptions): ReturnType<typeof kadDHT> {
  return kadDHT({
    protocol: dhtProtocol(swarm),
    clientMode: !options.serve,
    validators: { pk: refuseValue },
    allowQueryWithZeroPeers: true,
    querySelfInterval: DHT_SELF_QUERY_MS,
    maxInboundStreams: DHT_STREAMS_PER_PEER_MAX,
    maxOutboundStreams: DHT_STREAMS_PER_PEER_MAX,
    // Everybody here is a member, and members on private networks are the rule: no address is filtered out.
    peerInfoMapper: (peer) => peer,
  })
}

function refuseValue(): never {
  throw new SwarmError('BAD_REQUEST', 'this swarm keeps no values in its hash table')
}

/** Whoever asks too often is cut off: the package itself limits no message rate. */
export function limitQueries(clock: NetworkClock): StreamMiddleware {
  const buckets = new BoundedMap<string, TokenBucket>(CONNECTIONS_MAX)
  return (stream, connection, next) => {
    if (stream.direction === 'inbound') watch(stream, bucketOf(buckets, clock, connection.remotePeer), clock)
    next(stream, connection)
  }
}

function bucketOf(buckets: BoundedMap<string, TokenBucket>, clock: NetworkClock, peer: PeerId): TokenBucket {
  const key = peer.toString()
  const known = buckets.get(key)
  if (known !== undefined) return known
  const bucket = new TokenBucket(DHT_QUERIES_PER_SECOND, DHT_QUERIES_BURST, clock.now())
  buckets.set(key, bucket)
  return bucket
}

/**
 * A query is a message or more, so counting chunks of bytes counts no fewer than the queries. Not by a listener: what has
 * come with the stream's name would be told to it, and be gone before the handler listens.
 */
function watch(stream: Stream, bucket: TokenBucket, clock: NetworkClock): void {
  const dispatchEvent = stream.dispatchEvent.bind(stream)
  stream.dispatchEvent = (event) => {
    if (event.type === 'message' && !bucket.take(clock.now())) stream.abort(new Error('too many queries'))
    return dispatchEvent(event)
  }
}

/** Who holds what, as far as anyone has heard: hints, to be verified on contact. Keys are SHA-256 digests. */
export class ProviderTable {
  readonly #dht: KadDHT

  constructor(dht: KadDHT) {
    this.#dht = dht
  }

  /** Says that this node holds the content; it is repeated until the content is withdrawn or the node stops. */
  async provide(digest: Uint8Array, signal: AbortSignal): Promise<void> {
    await pipe(this.#dht.provide(keyOf(digest), { signal }), toItsEnd)
  }

  async withdraw(digest: Uint8Array): Promise<void> {
    await this.#dht.cancelReprovide(keyOf(digest))
  }

  /** Up to `countMax` nodes that say they hold it. */
  find(digest: Uint8Array, countMax: number, signal: AbortSignal): Promise<readonly NodeId[]> {
    const events = this.#dht.findProviders(keyOf(digest), { signal })
    return pipe(events, providersIn, (nodes) => distinct(nodes, countMax))
  }
}

async function toItsEnd(events: AsyncIterable<QueryEvent>): Promise<void> {
  for await (const _progress of events);
}

async function* providersIn(events: AsyncIterable<QueryEvent>): AsyncGenerator<NodeId> {
  for await (const event of events) {
    if (event.name === 'PROVIDER') for (const { id } of event.providers) yield id.toString() as NodeId
  }
}

async function distinct(nodes: AsyncIterable<NodeId>, countMax: number): Promise<readonly NodeId[]> {
  const found = new Set<NodeId>()
  for await (const node of nodes) if (found.add(node).size >= countMax) break
  return [...found]
}

function keyOf(digest: Uint8Array): CID {
  return CID.createV1(raw.code, createDigest(sha256.code, digest))
}

/** Registers the limit in front of a node's DHT handler. */
export function guardDht(node: Libp2p, swarm: SwarmId, clock: NetworkClock): void {
  node.use(dhtProtocol(swarm), limitQueries(clock))
}
