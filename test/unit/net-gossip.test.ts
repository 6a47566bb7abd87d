import { type GossipSub, type Message, TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import { peerIdFromString } from '@libp2p/peer-id'
import { expect, test } from 'vitest'
import type { Millis, NodeId, SwarmId, WallMillis } from '../../src/kernel/index.ts'
import { Gossip, topicOf } from '../../src/net/gossip.ts'
import { type MessageKind, rulesOf } from '../../src/wire/index.ts'
import { keyPair } from './identity-fixtures.ts'

const swarm = 'swarm' as SwarmId
const KIND = 'directory.digest' satisfies MessageKind
const { perSecondMax, penalty } = rulesOf(KIND)

/** Gossip over a pubsub that does nothing, and what it says of messages of one kind. */
class Door {
  now = 0
  readonly charged: { readonly from: NodeId; readonly points: number; readonly reason: string }[] = []
  readonly #topics = new Map<string, (peer: ReturnType<typeof peerIdFromString>, message: Message) => unknown>()
  #number = 0

  constructor() {
    const pubsub = { topicValidators: this.#topics, subscribe: () => {}, addEventListener: () => {} }
    const gossip = new Gossip({
      swarm,
      clock: { now: () => this.now as Millis, wallNow: () => 0 as WallMillis },
      pubsub: pubsub as unknown as GossipSub,
      faultOf: (_kind, body) => (body[0] === 0xff ? 'it begins with 255' : undefined),
      onGossip: () => {},
      onPenalty: (from, points, reason) => this.charged.push({ from, points, reason }),
    })
    gossip.start()
  }

  hear(from: NodeId, data = Uint8Array.of(1, this.#number++ % 256)): unknown {
    const topic = topicOf(swarm, KIND)
    return this.#topics.get(topic)?.(peerIdFromString(from), { type: 'unsigned', topic, data })
  }

  /** How many of so many messages are taken. */
  taken(from: NodeId, count: number): number {
    let taken = 0
    for (let i = 0; i < count; i++) if (this.hear(from) === TopicValidatorResult.Accept) taken += 1
    return taken
  }
}

const [ann, bob, cid] = [1, 2, 3].map((number) => keyPair(number).node) as [NodeId, NodeId, NodeId]

test('P-8: what is malformed is not passed on, so whoever passes it on is to blame', () => {
  const door = new Door()
  expect(door.hear(ann, Uint8Array.of(0xff))).toBe(TopicValidatorResult.Reject)
  expect(door.charged).toEqual([{ from: ann, points: penalty, reason: `${KIND}: it begins with 255` }])
  expect(door.hear(ann, Uint8Array.of(1))).toBe(TopicValidatorResult.Accept)
})

test('P-8: one peer gets no more than its share in, and others theirs', () => {
  const door = new Door()
  // A newcomer hears of a swarm at once.
  expect(door.taken(ann, 20 * perSecondMax)).toBe(10 * perSecondMax)
  expect(door.taken(bob, 10)).toBe(10)
  door.now += 1000
  expect(door.taken(ann, 20 * perSecondMax)).toBe(perSecondMax)
  // A hint that all have to check costs each of them a millisecond or two: one liar may cost nobody a tenth of a core.
  expect(perSecondMax).toBeLessThanOrEqual(50)
})

test('P-8: no correct node is blamed for what others have sent through it', () => {
  // All that ann can be made to pass on, by as many liars as there are: what her own door lets in.
  const door = new Door()
  let passedOn = 0
  for (let i = 0; i < 20; i++) passedOn += door.taken(keyPair(100 + i).node, 10 * perSecondMax)
  const next = new Door()
  next.taken(ann, passedOn)
  for (let second = 0; second < 60; second++) {
    next.now += 1000
    door.now += 1000
    let more = 0
    for (let i = 0; i < 20; i++) more += door.taken(keyPair(100 + i).node, 10 * perSecondMax)
    next.taken(ann, more)
  }
  expect(next.charged.length).toBe(0)
})

test('P-8: nor after a pause, when what has waited comes at once', () => {
  const door = new Door()
  door.taken(ann, 8 * 2 * perSecondMax)
  expect(door.charged.length).toBe(0)
})

test('P-8: who sends more than any correct node passes on is charged', () => {
  const door = new Door()
  for (let second = 0; second < 20; second++) {
    door.now += 1000
    door.taken(cid, 10 * perSecondMax)
  }
  expect(door.charged.length).toBeGreaterThan(100 / penalty)
  expect(door.charged.every(({ from }) => from === cid)).toBe(true)
})
