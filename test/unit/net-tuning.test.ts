import type { MessageStream, Stream } from '@libp2p/interface'
import { LengthPrefixedDecoder, multiaddrConnectionPair } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { Uint8ArrayList } from 'uint8arraylist'
import { describe, expect, it } from 'vitest'
import {
  batchWindowUpdates,
  gatherWrites,
  joinWrites,
  quietDecoder,
  quietEvents,
  tuneStreams,
} from '../../src/net/stream-tuning.ts'
import { eventually } from '../support/eventually.ts'

type Raw = MessageStream & { sendData(data: Uint8ArrayList): unknown }

/** Sees every write that leaves by this connection. */
function watched(raw: MessageStream): Uint8ArrayList[] {
  const writes: Uint8ArrayList[] = []
  const stream = raw as Raw
  const { sendData } = stream
  stream.sendData = (data) => {
    writes.push(data)
    return sendData.call(stream, data)
  }
  return writes
}

describe('one write for what is sent at once (P-14)', () => {
  const pieces = (byteLength: number) => new Uint8ArrayList(Uint8Array.of(1, 2), new Uint8Array(byteLength).fill(3))

  function partsWritten(data: Uint8ArrayList, tuned: boolean): number {
    const [ours] = multiaddrConnectionPair({ delay: 0 })
    const writes = watched(ours)
    if (tuned) joinWrites(ours)
    ours.send(data)
    expect(writes.map((write) => write.subarray())).toEqual([data.subarray()])
    return [...(writes[0] ?? [])].length
  }

  it('joins the pieces, unless copying them costs more', () => {
    expect(partsWritten(pieces(100), false)).toBe(2)
    expect(partsWritten(pieces(100), true)).toBe(1)
    expect(partsWritten(pieces(64 * 1024), true)).toBe(2)
  })

  it('leaves alone what works otherwise', () => {
    const other = { send: () => true } as unknown as MessageStream
    joinWrites(other)
    expect(Object.keys(other)).toEqual(['send'])
  })
})

describe('what a muxer sends in one turn (P-14)', () => {
  function gathering() {
    const [ours, theirs] = multiaddrConnectionPair({ delay: 0 })
    const muxer = yamux({ enableKeepAlive: false })().createStreamMuxer(ours)
    const writes = watched(ours)
    gatherWrites(ours, ours, muxer)
    return { ours, theirs, muxer, writes }
  }

  it('leaves as one when the code that sent it is done, in the order in which it was sent', async () => {
    const { ours, writes } = gathering()
    ours.send(Uint8Array.of(1))
    await Promise.resolve()
    ours.send(Uint8Array.of(2))
    expect(writes).toEqual([])
    await eventually('the write', () => writes.length > 0)
    expect(writes.map((write) => [...write.subarray()])).toEqual([[1, 2]])
  })

  it('nothing is thrown at nobody when a stream is made in the moment in which the connection closes', async () => {
    const { ours, muxer } = gathering()
    const made = muxer.createStream()
    await ours.close()
    await made
    expect(muxer.streams).toEqual([])
  })

  it('leaves at once when it is much', () => {
    const { ours, writes } = gathering()
    ours.send(Uint8Array.of(1))
    ours.send(new Uint8Array(64 * 1024))
    expect(writes.reduce((sum, write) => sum + write.byteLength, 0)).toBe(1 + 64 * 1024)
  })

  it('is not lost when the connection is closed in the same turn', async () => {
    const { ours, theirs } = gathering()
    const heard = new Uint8ArrayList()
    theirs.addEventListener('message', ({ data }) => heard.append(data))
    ours.send(Uint8Array.of(7))
    await ours.close()
    await eventually('the last word', () => heard.byteLength > 0)
    expect([...heard.subarray()]).toEqual([7])
  })

  it('stops the streams when the connection below takes no more', async () => {
    const { ours, muxer, writes } = gathering()
    const stream = await muxer.createStream()
    await eventually('its opening', () => writes.length > 0)
    const raw = ours as MessageStream as Raw
    raw.sendData = (data) => ({ sentBytes: data.byteLength, canSendMore: false })
    stream.send(Uint8Array.of(1))
    await eventually('the stop', () => stream.writableNeedsDrain)
    expect(stream.send(Uint8Array.of(2))).toBe(false)
  })
})

describe('the end of what has arrived (P-14)', () => {
  /** As Noise makes it; counts the errors that it meets. */
  function noiseDecoder() {
    const errors = new Set<unknown>()
    const lengthDecoder = (data: Uint8Array | Uint8ArrayList) => {
      if (data.byteLength < 2) throw new RangeError('not yet')
      const [high = 0, low = 0] = data.subarray(0, 2)
      return high * 256 + low
    }
    const decoder = new LengthPrefixedDecoder({ lengthDecoder, encodingLength: () => 2, maxBufferSize: 1024 })
    quietDecoder({ decoder } as unknown as MessageStream)
    const seen = decoder as unknown as { lengthDecoder: typeof lengthDecoder }
    const tuned = seen.lengthDecoder
    seen.lengthDecoder = (data) => {
      try {
        return tuned(data)
      } catch (cause) {
        errors.add(cause)
        throw cause
      }
    }
    return { decoder, errors }
  }

  it('costs no error, wherever the bytes are cut', () => {
    const bytes = Uint8Array.of(0, 1, 7, 0, 2, 8, 9)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { decoder, errors } = noiseDecoder()
      const parts = [bytes.subarray(0, cut), bytes.subarray(cut)].filter(({ length }) => length > 0)
      const frames = parts.flatMap((part) => [...decoder.decode(part)].map((frame) => [...frame.subarray()]))
      expect(frames).toEqual([[7], [8, 9]])
      expect(errors.size).toBe(0)
    }
  })

  it('is found as before where there is no such decoder', () => {
    const other = { send: () => true } as unknown as MessageStream
    quietDecoder(other)
    expect(Object.keys(other)).toEqual(['send'])
  })
})

describe('window updates (P-14)', () => {
  const FRAME_TYPE_AT = 1
  const WINDOW_UPDATE = 1
  const FLAGS_AT = 2

  /** The answer to a new stream has a flag, and is no news of the window. */
  function isUpdate(write: Uint8ArrayList): boolean {
    return write.get(FRAME_TYPE_AT) === WINDOW_UPDATE && write.get(FLAGS_AT + 1) === 0
  }

  /** Over a real Yamux stream, one message at a time as on an idle link: how often the receiver opens the window. */
  async function updatesAfter(messages: number, messageBytes: number, tuned: boolean): Promise<number> {
    const [ours, theirs] = multiaddrConnectionPair({ delay: 0 })
    const sender = yamux()().createStreamMuxer(ours)
    const receiver = yamux()().createStreamMuxer(theirs)
    const writes = watched(theirs)
    let received = 0
    receiver.addEventListener('stream', ({ detail }: CustomEvent<Stream>) => {
      if (tuned) batchWindowUpdates(detail)
      detail.addEventListener('message', ({ data }) => {
        received += data.byteLength
      })
    })
    const stream = await sender.createStream()
    for (let sent = 1; sent <= messages; sent++) {
      stream.send(new Uint8Array(messageBytes))
      await eventually('the message', () => received === sent * messageBytes)
    }
    sender.abort(new Error('over'))
    receiver.abort(new Error('over'))
    return writes.filter(isUpdate).length
  }

  it('come once per half window, and not once per message', async () => {
    expect(await updatesAfter(20, 200, false)).toBeGreaterThan(10)
    expect(await updatesAfter(20, 200, true)).toBe(0)
  })

  it('are batched on all streams of a connection, and early streams still wait for who comes for them', async () => {
    const [ours, theirs] = multiaddrConnectionPair({ delay: 0 })
    const sender = yamux()().createStreamMuxer(ours)
    const receiver = yamux()().createStreamMuxer(theirs)
    for (const muxer of [sender, receiver]) tuneStreams(muxer)
    const writes = [watched(ours), watched(theirs)].map((all) => () => all.filter(isUpdate).length)
    const stream = await sender.createStream()
    stream.send(new Uint8Array(200))
    await eventually('an early stream', () => receiver.streams.length === 1)
    let received = 0
    receiver.addEventListener('stream', ({ detail }: CustomEvent<Stream>) => {
      detail.addEventListener('message', ({ data }) => {
        received += data.byteLength
        detail.send(data)
      })
    })
    let echoed = 0
    stream.addEventListener('message', ({ data }) => {
      echoed += data.byteLength
    })
    for (let sent = 2; sent <= 10; sent++) {
      stream.send(new Uint8Array(200))
      await eventually('the echo', () => echoed === sent * 200)
    }
    expect([received, ...writes.map((count) => count())]).toEqual([2000, 0, 0])
    for (const muxer of [sender, receiver]) muxer.abort(new Error('over'))
  })

  it('come before the window is used up: a sender is never stuck', async () => {
    const updates = await updatesAfter(24, 64 * 1024, true)
    expect(updates).toBeGreaterThan(1)
    expect(updates).toBeLessThan(13)
  })

  it('are as they were where a stream works otherwise', () => {
    const other = { send: () => true } as unknown as Stream
    batchWindowUpdates(other)
    expect(Object.keys(other)).toEqual(['send'])
  })
})

describe('events that nobody listens to (P-14)', () => {
  it('are not made, and those who listen hear of every one', () => {
    const [ours] = multiaddrConnectionPair({ delay: 0 })
    let made = 0
    const dispatchEvent = ours.dispatchEvent.bind(ours)
    ours.dispatchEvent = (event) => {
      made += 1
      return dispatchEvent(event)
    }
    const idles = (): number => {
      made = 0
      ours.send(Uint8Array.of(1))
      return made
    }
    expect(idles()).toBe(1)
    quietEvents(ours)
    expect(idles()).toBe(0)
    let heard = 0
    const listen = (): void => {
      heard += 1
    }
    ours.addEventListener('idle', listen)
    expect([idles(), heard]).toEqual([1, 1])
    ours.removeEventListener('idle', listen)
    expect([idles(), heard]).toEqual([0, 1])
  })

  it('are not made by any stream of a connection, whoever opened it', async () => {
    const [ours, theirs] = multiaddrConnectionPair({ delay: 0 })
    const sender = yamux()().createStreamMuxer(ours)
    const receiver = yamux()().createStreamMuxer(theirs)
    for (const muxer of [sender, receiver]) tuneStreams(muxer)
    receiver.addEventListener('stream', () => {})
    const opened = await sender.createStream()
    opened.send(Uint8Array.of(1))
    await eventually('the stream', () => receiver.streams.length === 1)
    for (const stream of [opened, ...receiver.streams]) {
      let made = 0
      const dispatchEvent = stream.dispatchEvent.bind(stream)
      stream.dispatchEvent = (event) => {
        made += 1
        return dispatchEvent(event)
      }
      stream.send(Uint8Array.of(2))
      expect(made).toBe(0)
    }
    for (const muxer of [sender, receiver]) muxer.abort(new Error('over'))
  })

  it('are as they were where a stream works otherwise', () => {
    const other = { send: () => true }
    quietEvents(other)
    expect(Object.keys(other)).toEqual(['send'])
  })
})
