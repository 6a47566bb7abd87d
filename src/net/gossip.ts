import { hash } from 'node:crypto'
import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  type Message,
  StrictNoSign,
  TopicValidatorResult,
} from '@chainsafe/libp2p-gossipsub'
import type { PeerId } from '@libp2p/interface'
import { concat } from 'uint8arrays/concat'
import { fromString } from 'uint8arrays/from-string'
import { BoundedMap, type NodeId, type SwarmId, TokenBucket } from '../kernel/index.ts'
import { MESSAGE_KINDS, type MessageKind, PROTOCOL_PREFIX, rulesOf } from '../wire/index.ts'
import type { NetworkClock } from './options.ts'
import {
  CONNECTIONS_MAX,
  GOSSIP_BYTES_MAX,
  GOSSIP_DECODE_LIMITS,
  GOSSIP_HEARTBEAT_MS,
  GOSSIP_MESH,
  GOSSIP_OUT_BUFFER_BYTES,
  GOSSIP_SEEN_MS,
  GOSSIP_SENT_BURST_SECONDS,
  GOSSIP_SENT_FACTOR,
  GOSSIP_TAKEN_BURST_SECONDS,
  GOSSIP_WHOLE_FACTOR,
} from './params.ts'

/** The kinds that are gossiped: one topic each, and no other topic exists (P-8). */
export const GOSSIP_KINDS: readonly MessageKind[] = (Object.keys(MESSAGE_KINDS) as MessageKind[]).filter(
  (kind) => rulesOf(kind).via === 'gossip',
)

export function topicOf(swarm: SwarmId, kind: MessageKind): string {
  return `${PROTOCOL_PREFIX}/${swarm}/${kind}`
}

/**
 * The gossipsub service with the settings that are not optional (dependencies.md). Messages are unsigned and named by
 * their content: what must be believed carries its author's own signature in its body. So the same body published
 * again within `GOSSIP_SEEN_MS` goes nowhere; its author numbers it if it is to be news.
 */
export function gossipService(swarm: SwarmId): (components: GossipSubComponents) => GossipSub {
  return gossipsub({
    allowedTopics: GOSSIP_KINDS.map((kind) => topicOf(swarm, kind)),
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: (message) => hash('sha256', concat([fromString(message.topic), message.data]), 'buffer'),
    decodeRpcLimits: GOSSIP_DECODE_LIMITS,
    maxInboundDataLength: GOSSIP_BYTES_MAX,
    maxOutboundBufferSize: GOSSIP_OUT_BUFFER_BYTES,
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    heartbeatInterval: GOSSIP_HEARTBEAT_MS,
    seenTTL: GOSSIP_SEEN_MS,
    D: GOSSIP_MESH.d,
    Dlo: GOSSIP_MESH.low,
    Dhi: GOSSIP_MESH.high,
    Dout: GOSSIP_MESH.outbound,
    Dlazy: GOSSIP_MESH.lazy,
    gossipFactor: 0,
    floodPublish: false,
    fallbackToFloodsub: false,
    doPX: false,
    tagMeshPeers: false,
    emitSelf: false,
    canRelayMessage: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    runOnLimitedConnection: true,
    // More than 10 peers behind one address are a test machine, a NAT or a Docker host here, not an attack.
    scoreParams: { IPColocationFactorWeight: 0 },
  })
}

export interface GossipInit {
  readonly swarm: SwarmId
  readonly clock: NetworkClock
  readonly pubsub: GossipSub
  /** What is wrong with the form of a hint, if anything. */
  faultOf(kind: MessageKind, body: Uint8Array): string | undefined
  /** A hint of a known kind, within its size and rate and of proper form. */
  onGossip(from: NodeId, kind: MessageKind, body: Uint8Array): void
  onPenalty(from: NodeId, points: number, reason: string): void
}

/** How often one peer sends one kind. */
interface PeerRates {
  /** What is taken of it. */
  readonly taken: TokenBucket
  /** What a correct node may send: empty, and the peer is charged. */
  readonly sent: TokenBucket
}

/**
 * Publishing, and what is let in (P-8): checked before gossipsub passes it on, so bad hints end at the first node. Whoever
 * passes on what is malformed is to blame; whoever passes on much is not, until it is more than a correct node takes in.
 */
export class Gossip {
  publishedCount = 0
  receivedCount = 0
  refusedCount = 0
  readonly #init: GossipInit
  readonly #kinds: ReadonlyMap<string, MessageKind>
  readonly #rates = new BoundedMap<string, PeerRates>(CONNECTIONS_MAX * GOSSIP_KINDS.length)
  /** All that this node takes of each kind, from whomever: so much it may pass on. */
  readonly #whole: ReadonlyMap<MessageKind, TokenBucket>

  constructor(init: GossipInit) {
    this.#init = init
    this.#kinds = new Map(GOSSIP_KINDS.map((kind) => [topicOf(init.swarm, kind), kind]))
    this.#whole = new Map(
      GOSSIP_KINDS.map((kind) => [kind, this.#bucket(kind, GOSSIP_WHOLE_FACTOR, GOSSIP_TAKEN_BURST_SECONDS)]),
    )
  }

  /** Joins all topics. Call once, when the host has started. */
  start(): void {
    const { pubsub } = this.#init
    for (const topic of this.#kinds.keys()) {
      pubsub.topicValidators.set(topic, (peer, message) => this.#validate(peer, message))
      pubsub.subscribe(topic)
    }
    pubsub.addEventListener('gossipsub:message', ({ detail }) => {
      const kind = this.#kinds.get(detail.msg.topic)
      if (kind === undefined) return
      this.receivedCount += 1
      this.#init.onGossip(detail.propagationSource.toString() as NodeId, kind, detail.msg.data)
    })
  }

  /** Hands a hint to the mesh; whether anyone hears it is not known. */
  publish(kind: MessageKind, body: Uint8Array): void {
    this.publishedCount += 1
    this.#init.pubsub.publish(topicOf(this.#init.swarm, kind), body).catch(() => {
      // A hint that could not be sent is a hint that was lost; its owner repeats it.
    })
  }

  #validate(peer: PeerId, message: Message): TopicValidatorResult {
    const kind = this.#kinds.get(message.topic)
    if (kind === undefined) return TopicValidatorResult.Reject
    const from = peer.toString() as NodeId
    const rules = rulesOf(kind)
    if (message.data.length > rules.bytesMax) {
      this.#refuse(from, rules.penalty, `a ${kind} is longer than it may be`)
      return TopicValidatorResult.Reject
    }
    if (!this.#isWithinRate(from, kind)) return TopicValidatorResult.Ignore
    const fault = this.#init.faultOf(kind, message.data)
    if (fault !== undefined) {
      this.#refuse(from, rules.penalty, `${kind}: ${fault}`)
      return TopicValidatorResult.Reject
    }
    return TopicValidatorResult.Accept
  }

  #isWithinRate(from: NodeId, kind: MessageKind): boolean {
    const now = this.#init.clock.now()
    const { taken, sent } = this.#ratesOf(from, kind)
    if (!sent.take(now)) {
      this.#refuse(from, rulesOf(kind).penalty, `more ${kind} than a correct node passes on`)
      return false
    }
    if (taken.take(now) && this.#whole.get(kind)?.take(now) === true) return true
    this.refusedCount += 1
    return false
  }

  #refuse(from: NodeId, points: number, reason: string): void {
    this.refusedCount += 1
    this.#init.onPenalty(from, points, reason)
  }

  #ratesOf(from: NodeId, kind: MessageKind): PeerRates {
    const key = `${from}/${kind}`
    const known = this.#rates.get(key)
    if (known !== undefined) return known
    const rates = {
      taken: this.#bucket(kind, 1, GOSSIP_TAKEN_BURST_SECONDS),
      sent: this.#bucket(kind, GOSSIP_SENT_FACTOR, GOSSIP_SENT_BURST_SECONDS),
    }
    this.#rates.set(key, rates)
    return rates
  }

  /** So many times what one peer may have taken of this kind, and so many seconds' worth at once. */
  #bucket(kind: MessageKind, factor: number, burstSeconds: number): TokenBucket {
    const perSecond = rulesOf(kind).perSecondMax * factor
    return new TokenBucket(perSecond, perSecond * burstSeconds, this.#init.clock.now())
  }
}
