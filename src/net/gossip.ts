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
  /** A hint of a known kind, within its size and rate. */
  onGossip(from: NodeId, kind: MessageKind, body: Uint8Array): void
  onPenalty(from: NodeId, points: number, reason: string): void
}

/** Publishing, and what is let in (P-8): checked before gossipsub passes it on, so bad hints end at the first node. */
export class Gossip {
  publishedCount = 0
  receivedCount = 0
  refusedCount = 0
  readonly #init: GossipInit
  readonly #kinds: ReadonlyMap<string, MessageKind>
  readonly #rates = new BoundedMap<string, TokenBucket>(CONNECTIONS_MAX * GOSSIP_KINDS.length)

  constructor(init: GossipInit) {
    this.#init = init
    this.#kinds = new Map(GOSSIP_KINDS.map((kind) => [topicOf(init.swarm, kind), kind]))
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
    if (!this.#rate(from, kind).take(this.#init.clock.now())) {
      this.#refuse(from, rules.penalty, `more than ${rules.perSecondMax} ${kind} a second`)
      return TopicValidatorResult.Ignore
    }
    return TopicValidatorResult.Accept
  }

  #refuse(from: NodeId, points: number, reason: string): void {
    this.refusedCount += 1
    this.#init.onPenalty(from, points, reason)
  }

  #rate(from: NodeId, kind: MessageKind): TokenBucket {
    const key = `${from}/${kind}`
    const known = this.#rates.get(key)
    if (known !== undefined) return known
    const { perSecondMax } = rulesOf(kind)
    const bucket = new TokenBucket(perSecondMax, perSecondMax, this.#init.clock.now())
    this.#rates.set(key, bucket)
    return bucket
  }
}
