import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { type Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { expect, test } from 'vitest'
import type { Millis, NodeId } from '../../src/kernel/index.ts'
import { LinkDriver, type LinkHandler } from '../../src/net/link-driver.ts'
import { LANES, type Lane } from '../../src/wire/index.ts'
import { TEST_KINDS, type TestKind } from '../property/link-world.ts'

/** The driver over streams made by hand, where back-pressure is what the test says it is. */

const A = 'a' as NodeId
const B = 'b' as NodeId

/** One side of a stream, as far as a link uses it. */
class HandStream extends EventTarget {
  readonly lane: Lane
  readonly log: string[]
  other: HandStream | undefined
  status = 'open'
  writeStatus = 'writable'
  writableNeedsDrain = false

  constructor(lane: Lane, log: string[]) {
    super()
    this.lane = lane
    this.log = log
  }

  send(bytes: Uint8Array): boolean {
    this.log.push(this.lane)
    queueMicrotask(() => this.other?.dispatchEvent(new StreamMessageEvent(bytes)))
    return !this.writableNeedsDrain
  }

  abort(): void {
    for (const side of [this, this.other]) {
      if (side === undefined || side.status !== 'open') continue
      side.status = 'aborted'
      side.writeStatus = 'closed'
      side.dispatchEvent(new StreamCloseEvent())
    }
  }

  pause(): void {}
  resume(): void {}
}

interface Seen {
  readonly calls: string[]
  readonly handler: LinkHandler<TestKind>
}

function seen(): Seen {
  const calls: string[] = []
  return {
    calls,
    handler: {
      onOpen: (peer) => calls.push(`open ${peer}`),
      onFailed: (peer) => calls.push(`failed ${peer}`),
      onMessage: (peer, kind) => calls.push(`${kind} from ${peer}`),
      onRoom: (peer, lane) => calls.push(`room ${peer} ${lane}`),
      onGap: (peer, lane) => calls.push(`gap ${peer} ${lane}`),
      onPenalty: (peer, points) => calls.push(`${points} points for ${peer}`),
    },
  }
}

/** Two drivers, and the streams of the first by lane, with the order in which it writes to them. */
async function pair() {
  const written: string[] = []
  const streams = new Map<string, HandStream>()
  const inbound = new Map<string, (stream: Stream, peer: NodeId) => void>()
  const [a, b] = [seen(), seen()]
  let opened = 0
  const driver = (self: NodeId, { handler }: Seen, open: (protocol: string) => Promise<Stream>, listen: boolean) =>
    new LinkDriver<TestKind>({
      self,
      kinds: TEST_KINDS,
      protocolOf: (lane) => lane,
      handler,
      now: () => 0 as Millis,
      streams: {
        open: (_peer, protocol) => open(protocol),
        handle: async (protocol, onStream) => {
          if (listen) inbound.set(protocol, onStream)
        },
        unhandle: async () => {},
      },
    })
  const drivers = {
    a: driver(
      A,
      a,
      async (protocol) => {
        opened += 1
        const [near, far] = [new HandStream(protocol as Lane, written), new HandStream(protocol as Lane, [])]
        near.other = far
        far.other = near
        streams.set(protocol, near)
        inbound.get(protocol)?.(far as unknown as Stream, A)
        return near as unknown as Stream
      },
      false,
    ),
    b: driver(B, b, () => Promise.reject(new Error('the larger id never opens')), true),
  }
  await drivers.a.start()
  await drivers.b.start()
  drivers.a.attach(B)
  drivers.b.attach(A)
  await turns()
  expect(a.calls).toEqual(['open b'])
  expect(b.calls).toEqual(['open a'])
  a.calls.length = 0
  b.calls.length = 0
  written.length = 0
  return { ...drivers, calls: { a: a.calls, b: b.calls }, streams, written, opened: () => opened }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await turnOfTheLoop()
}

const body = new Uint8Array(8)

test('what is sent in one go leaves in one frame per lane, control first', async () => {
  const { a, calls, written } = await pair()
  for (const lane of LANES.toReversed()) {
    for (let i = 0; i < 10; i++) expect(a.send(B, `${lane}.momentary`, body)).toBe('queued')
  }
  await Promise.resolve()
  expect(written).toEqual(['control', 'work', 'bulk'])
  await turns()
  expect(calls.b).toHaveLength(30)
  expect(calls.b.slice(0, 11)).toEqual([...Array(10).fill('control.momentary from a'), 'work.momentary from a'])
})

test('nothing is written to a stream that is full; when it drains, the highest lane goes first', async () => {
  const { a, streams, written } = await pair()
  for (const stream of streams.values()) stream.writableNeedsDrain = true
  for (const lane of LANES) a.send(B, `${lane}.momentary`, body)
  await turns()
  expect(written).toEqual([])
  // As a muxer tells them: one after the other, in no order that we could choose.
  for (const lane of ['bulk', 'work', 'control']) {
    const stream = streams.get(lane)
    if (stream === undefined) continue
    stream.writableNeedsDrain = false
    stream.dispatchEvent(new Event('drain'))
  }
  await turns()
  expect(written).toEqual(['control', 'work', 'bulk'])
})

test('the second burst of a turn waits for its end, together with the third', async () => {
  const { a, written } = await pair()
  for (let burst = 0; burst < 3; burst++) {
    a.send(B, 'work.momentary', body)
    await Promise.resolve()
  }
  expect(written).toEqual(['work'])
  await turns()
  expect(written).toEqual(['work', 'work'])
})

test('a link is not there before attach, after detach, and for strangers', async () => {
  const { a, calls } = await pair()
  expect(a.send('c' as NodeId, 'work.resumed', body)).toBe('no-link')
  expect(a.send(B, 'work.resumed', body)).toBe('queued')
  a.detach(B, { forget: true })
  expect(a.send(B, 'work.resumed', body)).toBe('no-link')
  // Never from inside the call.
  expect(calls.a).toEqual([])
  await turns()
  expect(calls.a).toEqual(LANES.map((lane) => `gap b ${lane}`))
  expect(a.stats(B)).toBeUndefined()
})

test('nothing more is opened or told after stop', async () => {
  const { a, b, calls, streams, opened } = await pair()
  await a.stop()
  expect([...streams.values()].map(({ status }) => status)).toEqual(['aborted', 'aborted', 'aborted'])
  a.attach(B)
  await turns()
  expect(opened()).toBe(3)
  expect(calls.a).toEqual([])
  expect(b.isOpen(A)).toBe(true)
  await b.stop()
})
