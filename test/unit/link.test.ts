import { describe, expect, test } from 'vitest'
import { type Millis, TICK } from '../../src/kernel/index.ts'
import {
  ACK_DELAY_MS,
  FRAME_BYTES,
  FRAME_BYTES_MAX,
  FrameSplitter,
  LINK_PARAMS,
  Link,
  type LinkEffect,
  type LinkInput,
  LinkKinds,
} from '../../src/link/index.ts'
import type { Lane, MessageKindRules } from '../../src/wire/index.ts'
import { SMALL_PARAMS, type TestKind, testKinds } from '../property/link-world.ts'

const at = (ms: number) => ms as Millis

/** A body that says which it is. */
const body = (n: number, bytes = 1) => new Uint8Array(bytes).fill(n)

/** One end under test, with what it wrote and said. */
class End {
  readonly link: Link<TestKind>
  readonly effects: LinkEffect<TestKind>[] = []
  readonly written: Uint8Array[] = []
  nowMs = 0

  constructor(epoch: number, params = LINK_PARAMS, kinds = testKinds) {
    this.link = new Link({ epoch, kinds, params })
  }

  step(input: LinkInput<TestKind>): readonly LinkEffect<TestKind>[] {
    const effects = this.link.step(at(this.nowMs), input)
    for (const effect of effects) {
      if (effect.kind === 'write') this.written.push(...new FrameSplitter().push(effect.bytes))
      else this.effects.push(effect)
    }
    return effects
  }

  send(message: TestKind, ...numbers: readonly number[]): void {
    for (const n of numbers) this.step({ kind: 'send', message, body: body(n) })
  }

  /** Everything that can be written now on this lane. */
  flush(lane: Lane = 'work'): Uint8Array[] {
    while (this.step({ kind: 'writable', lane }).length > 0);
    return this.written.splice(0)
  }

  hear(frames: readonly Uint8Array[], lane: Lane = 'work'): void {
    for (const frame of frames) this.step({ kind: 'frame', lane, body: frame })
  }

  get delivered(): number[] {
    return this.effects.flatMap((each) =>
      each.kind === 'deliver' ? each.messages.map((message) => message.body[0] ?? -1) : [],
    )
  }

  said(kind: LinkEffect<TestKind>['kind']): readonly LinkEffect<TestKind>[] {
    return this.effects.filter((each) => each.kind === kind)
  }
}

function connect(a: End, b: End, lane: Lane = 'work'): void {
  for (const end of [a, b]) {
    end.written.length = 0
    end.step({ kind: 'down', lane })
    end.step({ kind: 'up', lane })
  }
  const [fromA, fromB] = [a.written.splice(0), b.written.splice(0)]
  b.hear(fromA, lane)
  a.hear(fromB, lane)
}

function exchange(a: End, b: End, lane: Lane = 'work'): void {
  for (let round = 0; round < 5; round++) {
    for (const end of [a, b]) end.nowMs += ACK_DELAY_MS
    b.hear(a.flush(lane), lane)
    a.hear(b.flush(lane), lane)
  }
}

/** Frames by hand, from the README's table. */
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
const helloBy = (fields: {
  epoch?: number
  peerEpoch?: number
  received?: number
  base?: number
  window?: number
}): Uint8Array => {
  const { epoch = 9, peerEpoch = 0, received = 0, base = 1, window = 1 << 20 } = fields
  return Uint8Array.from([0, ...[epoch, peerEpoch, received, base, window].flatMap(varint)])
}
const dataBy = (ack: number, limit: number, first: number, ...messages: readonly number[]): Uint8Array =>
  Uint8Array.from([1, ...varint(ack), ...varint(limit), ...varint(first), ...messages])
const WORK_RESUMED = 3

function opened(params = LINK_PARAMS): { a: End; b: End } {
  const a = new End(1, params)
  const b = new End(2, params)
  connect(a, b)
  return { a, b }
}

/** An end that has been greeted by a peer we play ourselves, of epoch 9. */
function openedByHand(): End {
  const end = new End(1)
  end.step({ kind: 'up', lane: 'work' })
  end.hear([helloBy({})])
  end.written.length = 0
  end.effects.length = 0
  return end
}

function expectViolation(end: End, reason: RegExp): void {
  expect(end.said('penalise')).toEqual([{ kind: 'penalise', points: 100, reason: expect.stringMatching(reason) }])
  expect(end.said('close')).toHaveLength(1)
  expect(end.link.isOpen('work')).toBe(false)
  expect(end.said('deliver')).toEqual([])
}

describe('N-1 order', () => {
  test('messages of both kinds arrive in the order sent, many to a frame', () => {
    const { a, b } = opened()
    a.send('work.resumed', 1, 2)
    a.send('work.momentary', 3)
    a.send('work.resumed', 4)
    const frames = a.flush()
    expect(frames).toHaveLength(1)
    b.hear(frames)
    expect(b.delivered).toEqual([1, 2, 3, 4])
  })

  test('nothing but a hello goes out before the peer has said hello', () => {
    const a = new End(1)
    a.send('work.resumed', 1)
    expect(a.flush()).toEqual([])
    a.step({ kind: 'up', lane: 'work' })
    expect(a.written.splice(0).map((frame) => frame[0])).toEqual([0])
    expect(a.flush()).toEqual([])
    a.hear([helloBy({})])
    expect(a.flush().map((frame) => frame[0])).toEqual([1])
  })
})

describe('N-2, N-4 resumption', () => {
  test('what the peer has not received is sent again after a reconnect, the rest is not', () => {
    const { a, b } = opened()
    a.send('work.resumed', 1, 2)
    b.hear(a.flush())
    a.send('work.resumed', 3, 4)
    a.flush()
    a.send('work.resumed', 5)
    connect(a, b)
    exchange(a, b)
    expect(b.delivered).toEqual([1, 2, 3, 4, 5])
    expect([...a.said('gap'), ...b.said('gap')]).toEqual([])
    expect(a.link.stats().work).toMatchObject({ unackedMessages: 0, unackedBytes: 0, queuedBytes: 0 })
  })

  test('a peer that never got our hello, and says it does not know us, has received nothing', () => {
    const a = openedByHand()
    a.send('work.resumed', 1, 2)
    a.flush()
    a.step({ kind: 'up', lane: 'work' })
    a.written.length = 0
    a.hear([helloBy({})])
    expect(a.said('penalise')).toEqual([])
    expect(a.flush().at(0)).toEqual(dataBy(0, LINK_PARAMS.work.windowBytes, 1, WORK_RESUMED, 1, 1, WORK_RESUMED, 1, 2))
  })
})

describe('N-3 cuts', () => {
  test('a restarted peer is a gap; what was accepted before it is not sent to it', () => {
    const { a, b } = opened()
    a.send('work.resumed', 1, 2)
    exchange(a, b)
    a.send('work.resumed', 3)
    a.flush()
    a.send('work.resumed', 4)
    const b2 = new End(3)
    connect(a, b2)
    expect(a.said('gap')).toEqual([{ kind: 'gap', lane: 'work', reason: 'peer-restarted' }])
    expect(b2.said('gap')).toEqual([])
    a.send('work.resumed', 5)
    exchange(a, b2)
    expect(b2.delivered).toEqual([5])
    expect(a.said('penalise')).toEqual([])
  })

  test('the survivor hears of the gap too when it is the sender that restarted', () => {
    const { a, b } = opened()
    a.send('work.resumed', 1)
    const a2 = new End(3)
    connect(a2, b)
    expect(b.said('gap')).toHaveLength(1)
    a2.send('work.resumed', 2)
    exchange(a2, b)
    expect(b.delivered).toEqual([2])
  })

  test('forgetting is a gap on every lane that was ever open', () => {
    const { a } = opened()
    a.send('work.resumed', 1)
    expect(a.step({ kind: 'forget' })).toEqual([{ kind: 'gap', lane: 'work', reason: 'forgotten' }])
  })
})

describe('N-5, N-6 bounds', () => {
  test('a full queue refuses, drops and counts, and reports room once when half of it is free', () => {
    const { a, b } = opened(SMALL_PARAMS)
    const { queueMessagesMax } = SMALL_PARAMS.work
    for (let i = 0; i < queueMessagesMax; i++) a.send('work.resumed', i)
    expect(a.said('full')).toEqual([])
    a.send('work.resumed', 99)
    a.send('work.momentary', 99)
    expect(a.said('full')).toHaveLength(2)
    expect(a.link.stats().work).toMatchObject({ refusedCount: 1, droppedCount: 1, queuedMessages: queueMessagesMax })
    expect(a.said('room')).toEqual([])
    exchange(a, b)
    expect(a.said('room')).toHaveLength(1)
    expect(b.delivered).toHaveLength(queueMessagesMax)
  })

  test('a queue full in bytes refuses as well', () => {
    const { a } = opened()
    const big = body(1, 100_000)
    const fits = Math.floor(LINK_PARAMS.work.queueBytesMax / (big.length + 4))
    for (let i = 0; i < fits; i++) a.step({ kind: 'send', message: 'work.resumed', body: big })
    expect(a.said('full')).toEqual([])
    a.step({ kind: 'send', message: 'work.resumed', body: big })
    expect(a.said('full')).toHaveLength(1)
  })

  test('a peer that grants and never acknowledges stops the lane, not our memory', () => {
    const a = openedByHand()
    let limit = 1 << 30
    for (let i = 0; i < 20_000; i++) {
      a.send('work.resumed', 1)
      a.flush()
      a.hear([dataBy(0, ++limit, 1)])
    }
    const { unackedMessages, queuedMessages, refusedCount } = a.link.stats().work
    expect(unackedMessages).toBe(LINK_PARAMS.work.unackedMessagesMax)
    expect(queuedMessages).toBe(LINK_PARAMS.work.queueMessagesMax)
    expect(refusedCount).toBeGreaterThan(0)
  })
})

describe('N-7 credit', () => {
  test('the sender stops at the limit and goes on when it is raised', () => {
    const a = new End(1)
    a.step({ kind: 'up', lane: 'work' })
    a.written.length = 0
    a.hear([helloBy({ window: 8 })])
    a.send('work.momentary', 1, 2, 3, 4)
    expect(a.flush().map((frame) => frame.slice(-1)[0])).toEqual([2])
    a.hear([dataBy(0, 9, 1)])
    expect(a.flush().map((frame) => frame.slice(-1)[0])).toEqual([3])
  })

  test('more bytes than were granted are a violation', () => {
    const a = openedByHand()
    const message = [4, 0xa0, 0x8d, 0x06, ...body(7, 100_000)]
    const { windowBytes } = LINK_PARAMS.work
    const honest = Math.floor(windowBytes / message.length)
    for (let i = 0; i < honest; i++) a.hear([dataBy(0, 1 << 20, 1, ...message)])
    expect(a.said('penalise')).toEqual([])
    a.effects.length = 0
    a.hear([dataBy(0, 1 << 20, 1, ...message)])
    expectViolation(a, /granted/)
  })

  test('credit comes back after a quarter of the window without anything to ride on', () => {
    const { a, b } = opened()
    a.step({ kind: 'send', message: 'work.momentary', body: body(1, 100_000) })
    b.hear(a.flush())
    expect(b.flush()).toEqual([])
    for (let i = 0; i < 2; i++) a.step({ kind: 'send', message: 'work.momentary', body: body(1, 100_000) })
    b.hear(a.flush())
    expect(b.flush()).toHaveLength(1)
  })
})

test('N-8 momentary messages do not outlive their stream', () => {
  const { a, b } = opened()
  a.send('work.momentary', 1)
  a.flush()
  a.send('work.momentary', 2)
  a.send('work.resumed', 3)
  connect(a, b)
  exchange(a, b)
  expect(b.delivered).toEqual([3])
  expect(a.link.stats().work.droppedCount).toBe(1)
})

describe('N-9 hostile peers', () => {
  const lies: readonly [string, readonly Uint8Array[], RegExp][] = [
    ['an empty frame', [new Uint8Array(0)], /not a data frame/],
    ['a second hello', [helloBy({})], /not a data frame/],
    ['an unknown frame type', [Uint8Array.from([7])], /not a data frame/],
    ['a header cut short', [Uint8Array.from([1, 0])], /too early/],
    ['an acknowledgement of what was never sent', [dataBy(1, 1 << 20, 1)], /never sent/],
    ['a limit taken back', [dataBy(0, (1 << 20) - 1, 1)], /taken back/],
    ['a number out of turn', [dataBy(0, 1 << 20, 2, WORK_RESUMED, 0)], /message 2 where 1/],
    ['a repeated number', Array(2).fill(dataBy(0, 1 << 20, 1, WORK_RESUMED, 0)), /message 1 where 2/],
    ['an unknown kind', [dataBy(0, 1 << 20, 1, 99, 0)], /no place/],
    ['a kind of another lane', [dataBy(0, 1 << 20, 1, 1, 0)], /no place/],
    ['a body longer than its frame', [dataBy(0, 1 << 20, 1, WORK_RESUMED, 5, 1)], /too early/],
    ['half a message behind a good one', [dataBy(0, 1 << 20, 1, WORK_RESUMED, 0, WORK_RESUMED)], /too early/],
  ]
  test.each(lies)('%s is a violation', (_name, frames, reason) => {
    const a = openedByHand()
    a.hear(frames.slice(0, -1))
    a.effects.length = 0
    a.hear(frames.slice(-1))
    expectViolation(a, reason)
  })

  const badHellos: readonly [string, Uint8Array, RegExp][] = [
    ['data before the hello', dataBy(0, 0, 1), /before the hello/],
    ['an epoch of zero', helloBy({ epoch: 0 }), /zero/],
    ['left over bytes', Uint8Array.from([...helloBy({}), 1]), /left over/],
    ['a base of zero', helloBy({ base: 0 }), /zero/],
    ['numbers we never used', helloBy({ peerEpoch: 1, received: 1 }), /never sent/],
    ['an epoch beyond its bound', helloBy({ epoch: 2 ** 49 }), /above/],
  ]
  test.each(badHellos)('%s is a violation', (_name, frame, reason) => {
    const a = new End(1)
    a.step({ kind: 'up', lane: 'work' })
    a.hear([frame])
    expectViolation(a, reason)
  })

  test('a peer that keeps its epoch can neither forget us nor skip its own numbers', () => {
    const a = openedByHand()
    a.send('work.resumed', 1)
    a.flush()
    a.hear([dataBy(1, 1 << 20, 1)])
    for (const [frame, reason] of [
      [helloBy({ peerEpoch: 0 }), /forgotten us/],
      [helloBy({ peerEpoch: 1, received: 0 }), /never sent/],
      [helloBy({ peerEpoch: 1, received: 1, base: 2 }), /not received/],
    ] as const) {
      a.step({ kind: 'up', lane: 'work' })
      a.effects.length = 0
      a.hear([frame])
      expectViolation(a, reason)
    }
  })

  test('after a violation the lane is deaf until it has a new stream, and resumes on it', () => {
    const { a, b } = opened()
    a.send('work.resumed', 1)
    b.hear(a.flush())
    b.hear([Uint8Array.from([7])])
    a.send('work.resumed', 2)
    b.hear(a.flush())
    expect(b.delivered).toEqual([1])
    connect(a, b)
    exchange(a, b)
    expect(b.delivered).toEqual([1, 2])
  })

  const strict: Record<TestKind, MessageKindRules> = Object.fromEntries(
    (['control', 'work', 'bulk'] as const).flatMap((lane, i) =>
      (['resumed', 'momentary'] as const).map((delivery, j): [string, MessageKindRules] => [
        `${lane}.${delivery}`,
        {
          code: 1 + 2 * i + j,
          via: 'link',
          lane,
          delivery,
          whenFull: 'refuse',
          bytesMax: 10,
          perSecondMax: 5,
          penalty: 10,
        },
      ]),
    ),
  ) as Record<TestKind, MessageKindRules>

  function strictEnd(): End {
    const end = new End(1, LINK_PARAMS, new LinkKinds(strict))
    end.step({ kind: 'up', lane: 'work' })
    end.hear([helloBy({})])
    end.effects.length = 0
    return end
  }

  test('a message too long is not delivered and costs its points; a resumed one is a gap', () => {
    const end = strictEnd()
    end.hear([dataBy(0, 1 << 20, 1, 4, 11, ...body(1, 11), 4, 1, 2)])
    expect(end.delivered).toEqual([2])
    expect(end.said('penalise')).toMatchObject([{ points: 10 }])
    expect(end.said('gap')).toEqual([])
    end.hear([dataBy(0, 1 << 20, 1, 3, 11, ...body(1, 11))])
    expect(end.said('gap')).toMatchObject([{ reason: 'message-refused' }])
    expect(end.link.isOpen('work')).toBe(true)
  })

  test('messages over their rate are not delivered and cost their points, until time has passed', () => {
    const end = strictEnd()
    const momentary = dataBy(0, 1 << 20, 1, 4, 1, 1)
    for (let i = 0; i < 50; i++) end.hear([momentary])
    expect(end.delivered).toHaveLength(50)
    end.hear([momentary])
    expect(end.delivered).toHaveLength(50)
    expect(end.said('penalise')).toMatchObject([{ points: 10, reason: expect.stringMatching(/more work.momentary/) }])
    end.nowMs += 1000
    end.hear([momentary])
    expect(end.delivered).toHaveLength(51)
  })
})

describe('N-10 acknowledgements', () => {
  test('ride on data', () => {
    const { a, b } = opened()
    a.send('work.resumed', 1)
    b.hear(a.flush())
    b.send('work.resumed', 2)
    a.hear(b.flush())
    expect(a.link.stats().work.unackedMessages).toBe(0)
    expect(b.link.deadline()).toBe(Number.POSITIVE_INFINITY)
  })

  test('go alone after their delay', () => {
    const { a, b } = opened()
    a.send('work.resumed', 1)
    b.hear(a.flush())
    expect(b.flush()).toEqual([])
    expect(b.link.deadline()).toBe(ACK_DELAY_MS)
    b.nowMs = ACK_DELAY_MS
    b.link.step(at(b.nowMs), TICK)
    expect(b.link.deadline()).toBe(Number.POSITIVE_INFINITY)
    a.hear(b.flush())
    expect(a.link.stats().work.unackedMessages).toBe(0)
    expect(a.flush()).toEqual([])
  })

  test('are not owed for momentary messages', () => {
    const { a, b } = opened()
    a.send('work.momentary', 1)
    b.hear(a.flush())
    expect(b.link.deadline()).toBe(Number.POSITIVE_INFINITY)
  })
})

test('N-11 a frame ends at its size unless one message is longer', () => {
  const { a } = opened()
  for (let i = 0; i < 8; i++) a.step({ kind: 'send', message: 'work.resumed', body: body(i, 30_000) })
  a.step({ kind: 'send', message: 'work.resumed', body: body(9, 100_000) })
  const sizes = a.flush().map((frame) => frame.length)
  expect(sizes).toHaveLength(5)
  for (const size of sizes.slice(0, -1)) expect(size).toBeLessThan(FRAME_BYTES)
  expect(sizes.at(-1)).toBeGreaterThan(100_000)
})

describe('frames on the stream', () => {
  const framed = (...bodies: readonly number[][]) =>
    Uint8Array.from(bodies.flatMap((each) => [0, 0, each.length >> 8, each.length & 255, ...each]))

  test('come out whole wherever the chunks are cut', () => {
    const bodies = [[1], [2, 3], Array.from({ length: 300 }, () => 4), [5]]
    const bytes = framed(...bodies)
    for (let cut = 0; cut <= bytes.length; cut++) {
      for (const second of [cut, Math.min(cut + 1, bytes.length), bytes.length]) {
        const splitter = new FrameSplitter()
        const parts = [bytes.subarray(0, cut), bytes.subarray(cut, second), bytes.subarray(second)]
        expect(parts.flatMap((part) => splitter.push(part)).map((frame) => [...frame])).toEqual(bodies)
      }
    }
  })

  test('are views when they lie in one chunk', () => {
    const bytes = framed([1, 2, 3])
    expect(new FrameSplitter().push(bytes)[0]?.buffer).toBe(bytes.buffer)
  })

  test.each([0, FRAME_BYTES_MAX + 1, 0xffff_ffff])('a length of %i is a fault, and the end', (length) => {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setUint32(0, length)
    for (const cut of [0, 2, 4]) {
      const splitter = new FrameSplitter()
      expect([...splitter.push(bytes.subarray(0, cut)), ...splitter.push(bytes.subarray(cut))]).toEqual([])
      expect(splitter.fault).toBe(`a frame of ${length} bytes`)
      expect(splitter.push(framed([1]))).toEqual([])
    }
  })
})
