import type { GossipSub } from '@chainsafe/libp2p-gossipsub'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { ConnectionGater, PeerDiscovery, PrivateKey, StreamMuxerFactory } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p, type Libp2pOptions, type ServiceFactoryMap } from 'libp2p'
import { concat } from 'uint8arrays/concat'
import { KeyPair } from '../identity/index.ts'
import { type NodeId, SwarmError } from '../kernel/index.ts'
import { PROTOCOL_PREFIX } from '../wire/index.ts'
import { Acquaintance, spareProtocols } from './acquaintance.ts'
import { announced, sourceOf, withoutPeer } from './addresses.ts'
import type { AdmissionControl } from './admission.ts'
import type { ProviderTable } from './dht.ts'
import type { Turned } from './gate.ts'
import { gossipService } from './gossip.ts'
import type { NetworkOptions } from './options.ts'
import {
  ADDRESS_DIAL_TIMEOUT_MS,
  ADDRESSES_PER_PEER_MAX,
  ADMISSION_TIMEOUT_MS,
  CONNECTIONS_MAX,
  DIAL_TIMEOUT_MS,
  GOODBYE_MS,
  INBOUND_PER_SECOND_PER_SOURCE,
  PARALLEL_DIALS_MAX,
  PENDING_ADMISSIONS_MAX,
  RELAY_RESERVATIONS_MAX,
  RELAYED_STREAMS_MAX,
  RELAYS_WANTED,
  SOCKET_IDLE_MS,
  STREAM_READ_BUFFER_BYTES,
  STREAM_WINDOW_BYTES,
  STREAM_WINDOW_BYTES_MAX,
  STREAM_WRITE_BUFFER_BYTES,
  STREAMS_PER_CONNECTION_MAX,
} from './params.ts'
import { silentLogger } from './silent-logger.ts'

/** The libp2p node, configured, and the parts of it that the port talks to. */
export interface Host {
  readonly node: Libp2p<Services>
  readonly pubsub: GossipSub
  readonly providers: ProviderTable | undefined
  readonly acquaintance: Acquaintance
  readonly parts: HostParts
}

interface HostParts {
  readonly transportManager: TransportManager
  readonly addressManager: AddressManager
  readonly registrar: Components['registrar']
}

type Services = { pubsub: GossipSub; dht?: KadDHT; parts: HostParts }
type Components = Parameters<ServiceFactoryMap[string]>[0]
type TransportManager = Components['transportManager']
type AddressManager = Components['addressManager']

/** Builds the node without starting it. What is not configured is not even loaded. */
export async function createHost(
  options: NetworkOptions,
  admission: AdmissionControl,
  turnedAway: Partial<Record<Turned, number>>,
): Promise<Host> {
  const prefix = `${PROTOCOL_PREFIX.slice(1)}/${options.swarm}`
  const dhtModule = options.dht === undefined ? undefined : await import('./dht.ts')
  const services = {
    identify: identify({ protocolPrefix: prefix, runOnConnectionOpen: asksPeers(options) }),
    ping: ping({ protocolPrefix: prefix }),
    pubsub: gossipService(options.swarm),
    ...(options.relay?.serve === true && { relay: relayService() }),
    ...(dhtModule !== undefined &&
      options.dht !== undefined && { dht: dhtModule.dhtService(options.swarm, options.dht) }),
    // Not a service: the factory is where libp2p shows its parts.
    parts: ({ transportManager, addressManager, registrar }: Components): HostParts => ({
      transportManager,
      addressManager,
      registrar,
    }),
  }
  const node = await createLibp2p({
    start: false,
    logger: silentLogger,
    privateKey: privateKeyOf(options.seed),
    nodeInfo: { name: 'swarm-node', version: '1', userAgent: 'swarm-node/1' },
    addresses: addressesOf(options),
    transports: [tcp(TCP_OPTIONS), circuitRelayTransport({ reservationCompletionTimeout: DIAL_TIMEOUT_MS })],
    connectionEncrypters: [admission.encrypter()],
    streamMuxers: [() => watched(yamux(YAMUX_OPTIONS)(), admission)],
    connectionGater: gater(options, admission, turnedAway),
    connectionManager: CONNECTION_OPTIONS,
    connectionMonitor: { enabled: false },
    peerDiscovery: await discoveries(options),
    services: services as unknown as ServiceFactoryMap<Services>,
  })
  dhtModule?.guardDht(node, options.swarm, options.clock)
  if (!asksPeers(options)) spareProtocols(node.peerStore, node.peerId)
  const { pubsub, dht, parts } = node.services
  const acquaintance = new Acquaintance(parts.registrar, pubsub)
  return { node, pubsub, acquaintance, parts, providers: dht && dhtModule && new dhtModule.ProviderTable(dht) }
}

/** Not every member serves the hash table or relays: whoever uses those asks its peers what they speak. */
function asksPeers({ dht, relay }: NetworkOptions): boolean {
  return dht !== undefined || relay?.reserve === true
}

/** @throws SwarmError ADDRESS_IN_USE, BAD_CONFIGURATION for other listen addresses that cannot be had. */
export async function startHost(host: Host): Promise<void> {
  try {
    await host.node.start()
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw listenError(message, cause)
  }
  // libp2p keeps a public address to itself until a stranger has dialled it; ours were chosen by the operator.
  const { transportManager, addressManager } = host.parts
  for (const address of transportManager.getAddrs()) addressManager.confirmObservedAddr(address, { type: 'transport' })
}

/** libp2p puts the reason of each address, with its stack, into one text. */
function listenError(message: string, cause: unknown): SwarmError {
  const [, address, why = ''] = /^\s*(\/\S+): (?:\w*Error: )?(.*)$/m.exec(message) ?? []
  if (address === undefined) {
    const [sentence] = message.split('\n')
    return new SwarmError('BAD_CONFIGURATION', `cannot listen: ${sentence}; see network.listen, --listen`, { cause })
  }
  if (why.includes('EADDRINUSE')) {
    const what = `${address} is in use by another program: stop it, or choose another address with --listen`
    return new SwarmError('ADDRESS_IN_USE', what, { cause })
  }
  return new SwarmError('BAD_CONFIGURATION', `cannot listen on ${address}: ${listenAdvice(address, why)}`, { cause })
}

function listenAdvice(address: string, why: string): string {
  if (why.includes('EADDRNOTAVAIL')) {
    const everywhere = address.replace(/^\/ip4\/[^/]+/, '/ip4/0.0.0.0').replace(/^\/ip6\/[^/]+/, '/ip6/::')
    return (
      `this host does not have that address. Listen on one that it has, or on all (--listen ${everywhere}); ` +
      'an address where others reach it through a router belongs into network.announce'
    )
  }
  if (why.includes('EACCES')) return 'this user may not listen on that port; choose one from 1024 on'
  return `${why}; choose another address with --listen`
}

/** Addresses that this node tells others, as texts without its own id (P-11). */
export function addressesToAnnounce(host: Host, options: NetworkOptions): readonly string[] {
  const listening = host.parts.transportManager.getAddrs().map((address) => withoutPeer(String(address)))
  return announced((options.announce ?? []).map(withoutPeer), listening)
}

const TCP_OPTIONS = {
  inboundSocketInactivityTimeout: SOCKET_IDLE_MS,
  outboundSocketInactivityTimeout: SOCKET_IDLE_MS,
  maxConnections: CONNECTIONS_MAX + PENDING_ADMISSIONS_MAX,
} as const

const YAMUX_OPTIONS = {
  // Probes of our own cross every link every few seconds; a second heartbeat would only wake the process up.
  enableKeepAlive: false,
  maxInboundStreams: STREAMS_PER_CONNECTION_MAX,
  maxOutboundStreams: STREAMS_PER_CONNECTION_MAX,
  streamOptions: {
    initialStreamWindowSize: STREAM_WINDOW_BYTES,
    maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX,
    maxReadBufferLength: STREAM_READ_BUFFER_BYTES,
    maxWriteBufferLength: STREAM_WRITE_BUFFER_BYTES,
  },
} as const

const CONNECTION_OPTIONS = {
  maxConnections: CONNECTIONS_MAX,
  maxIncomingPendingConnections: PENDING_ADMISSIONS_MAX,
  inboundConnectionThreshold: INBOUND_PER_SECOND_PER_SOURCE,
  inboundUpgradeTimeout: ADMISSION_TIMEOUT_MS,
  maxParallelDials: PARALLEL_DIALS_MAX,
  maxPeerAddrsToDial: ADDRESSES_PER_PEER_MAX,
  dialTimeout: DIAL_TIMEOUT_MS,
  addressDialTimeout: ADDRESS_DIAL_TIMEOUT_MS,
  connectionCloseTimeout: GOODBYE_MS,
} as const

function addressesOf(options: NetworkOptions): NonNullable<Libp2pOptions['addresses']> {
  const relayed = options.relay?.reserve === true ? new Array<string>(RELAYS_WANTED).fill('/p2p-circuit') : []
  return {
    listen: [...options.listen, ...relayed],
    announce: [...(options.announce ?? [])],
    announceFilter: (found) => announced([], found.map(String)).map((text) => multiaddr(text)),
  }
}

function relayService(): ReturnType<typeof circuitRelayServer> {
  return circuitRelayServer({
    maxInboundHopStreams: RELAYED_STREAMS_MAX,
    maxOutboundStopStreams: RELAYED_STREAMS_MAX,
    // Members only reach this, and a link must last: no limit of 2 minutes and 128 KiB as for strangers.
    reservations: { maxReservations: RELAY_RESERVATIONS_MAX, applyDefaultLimit: false },
  })
}

/** P-2: the gate stands before the first byte of a handshake is read. */
function gater(
  options: NetworkOptions,
  admission: AdmissionControl,
  turnedAway: Partial<Record<Turned, number>>,
): ConnectionGater {
  return {
    denyInboundConnection: (raw) => {
      const passage = admission.gate.enter(options.clock.now(), sourceOf(raw.remoteAddr.toString()))
      if (typeof passage === 'string') {
        turnedAway[passage] = (turnedAway[passage] ?? 0) + 1
        return true
      }
      admission.holdPlace(raw, passage)
      return false
    },
  }
}

/** Tells admission of every muxer: how a connection ended shows there, and P-1 is checked by counting them. */
function watched(factory: StreamMuxerFactory, admission: AdmissionControl): StreamMuxerFactory {
  return {
    protocol: factory.protocol,
    createStreamMuxer: (secured) => {
      const muxer = factory.createStreamMuxer(secured)
      admission.onMuxer(secured, muxer)
      return muxer
    },
  }
}

type Discovery = NonNullable<Libp2pOptions['peerDiscovery']>[number]

async function discoveries(options: NetworkOptions): Promise<Discovery[]> {
  const factories: Discovery[] = []
  if (options.bootstrap !== undefined && options.bootstrap.length > 0) {
    const { bootstrap } = await import('@libp2p/bootstrap')
    factories.push(bootstrap({ list: [...options.bootstrap], timeout: 0 }) as Discovery)
  }
  if (options.mdns !== undefined) {
    const { lanDiscovery } = await import('./lan.ts')
    factories.push(lanDiscovery(options.swarm, options.mdns) as Discovery)
  }
  return factories.map((factory) => (components) => reporting(factory(components), options))
}

/** libp2p tells of a peer once, when it is new to it; a hint is worth repeating, since it may have come too early. */
function reporting(discovery: PeerDiscovery, options: NetworkOptions): PeerDiscovery {
  discovery.addEventListener('peer', ({ detail }) => {
    options.onDiscovered?.(detail.id.toString() as NodeId, detail.multiaddrs.map(String))
  })
  return discovery
}

/** From its seed alone libp2p would derive the public half in JavaScript, which takes it 10 ms of a cold start. */
function privateKeyOf(seed: Uint8Array): PrivateKey {
  return privateKeyFromRaw(concat([seed, KeyPair.fromSeed(seed).publicKey]))
}
