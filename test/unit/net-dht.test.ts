import { expect, test } from 'vitest'
import type { Millis } from '../../src/kernel/index.ts'
import { limitQueries } from '../../src/net/dht.ts'
import { DHT_QUERIES_BURST, DHT_QUERIES_PER_SECOND } from '../../src/net/params.ts'
import { keyPair, NOW } from './identity-fixtures.ts'

class FakeStream extends EventTarget {
  direction = 'inbound'
  aborted = false

  abort(): void {
    this.aborted = true
  }

  query(): void {
    this.dispatchEvent(new Event('message'))
  }
}

let nowMs = 0
const clock = { now: () => nowMs as Millis, wallNow: () => NOW }
const limit = limitQueries(clock)

function opened(peer: number, direction = 'inbound'): FakeStream {
  const stream = new FakeStream()
  stream.direction = direction
  let passedOn = false
  limit(stream as never, { remotePeer: keyPair(peer).node } as never, () => {
    passedOn = true
  })
  expect(passedOn).toBe(true)
  return stream
}

test('P-13: a peer that asks too often is cut off, over all its streams; others are not', () => {
  const [first, second, other, ours] = [opened(4), opened(4), opened(5), opened(4, 'outbound')]
  for (let i = 0; i < DHT_QUERIES_BURST; i++) (i % 2 === 0 ? first : second)?.query()
  expect(first.aborted || second.aborted).toBe(false)
  first.query()
  expect(first.aborted).toBe(true)
  other.query()
  ours.query()
  expect(other.aborted || ours.aborted).toBe(false)
  nowMs += 1_000 / DHT_QUERIES_PER_SECOND
  second.query()
  expect(second.aborted).toBe(false)
})
