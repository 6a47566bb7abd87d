import type { MessageStream, Stream, StreamMuxer } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'

/*
 * Four habits of the streams below us cost more than the messages they carry: a TCP write for the two bytes of Noise's
 * length, an error with its stack for every read that ends with a whole frame, a Yamux window update for every frame
 * read, which wakes the peer for nothing, and an event for nobody whenever a stream has nothing left to send. They are
 * corrected on the single object, by its own methods; an object that no longer has them is left as it is. Measured on an
 * idle mesh of 16: half the writes, and half the wake-ups, of before; and the errors were 6 % of the processor time of a
 * council's member.
 */

/** Above this, the copy costs more than the second system call. */
const JOINED_BYTES_MAX = 64 * 1024

/** Has what is sent at once leave in one write (P-14). */
export function joinWrites(raw: MessageStream): void {
  const stream = raw as MessageStream & { sendData?: (data: Uint8ArrayList) => unknown }
  const { sendData } = stream
  if (sendData === undefined) return
  stream.sendData = (data) => {
    const joined = data.byteLength <= JOINED_BYTES_MAX ? new Uint8ArrayList(data.subarray()) : data
    return sendData.call(raw, joined)
  }
}

/** What a muxer calls its streams by when the connection below is full (@libp2p/utils 7). */
interface Waiting {
  onMuxerNeedsDrain?(): void
}

/**
 * Has what a muxer sends in one turn of the event loop leave as one: encrypted once, written once, and read at once at the
 * other end (P-14). It leaves when the code that now runs has come to its end, its microtasks included, so nothing waits
 * for anything that has not happened yet; at once when there is much, and before the connection is closed.
 */
export function gatherWrites(raw: MessageStream, secured: MessageStream, muxer: StreamMuxer): void {
  const send = secured.send.bind(secured)
  let gathered = new Uint8ArrayList()
  let isDue = false
  const flush = (): boolean => {
    const data = gathered
    gathered = new Uint8ArrayList()
    if (data.byteLength === 0 || raw.status !== 'open' || send(data)) return true
    for (const stream of muxer.streams) (stream as Waiting).onMuxerNeedsDrain?.()
    return false
  }
  const flushLater = (): void => {
    isDue = false
    flush()
  }
  secured.send = (data) => {
    // By its microtasks Yamux writes to what has just been closed; what that throws nobody catches.
    if (raw.status !== 'open') return false
    gathered.append(data)
    if (gathered.byteLength >= JOINED_BYTES_MAX) return flush()
    if (!isDue) queueMicrotask(() => process.nextTick(flushLater))
    isDue = true
    return !secured.writableNeedsDrain
  }
  beforeEnd(raw, flush)
}

/** Runs something before a stream is closed by either method. */
function beforeEnd(stream: MessageStream, run: () => void): void {
  const close = stream.close.bind(stream)
  const abort = stream.abort.bind(stream)
  stream.close = (options) => {
    run()
    return close(options)
  }
  stream.abort = (error) => {
    run()
    abort(error)
  }
}

/**
 * The decoder of a Noise connection (@libp2p/utils 7, `length-prefixed-decoder.ts`). It stops at a RangeError, or at a
 * message that is not all there.
 */
interface LengthPrefixedDecoder {
  lengthDecoder(data: Uint8Array | Uint8ArrayList): number
}

/** Bytes of a Noise message's length. */
const NOISE_LENGTH_BYTES = 2

/** Has the end of what has arrived found without an error: to throw one takes longer than to decode a frame (P-14). */
export function quietDecoder(secured: MessageStream): void {
  const { decoder } = secured as MessageStream & { decoder?: Partial<LengthPrefixedDecoder> }
  const { lengthDecoder } = decoder ?? {}
  if (decoder === undefined || lengthDecoder === undefined) return
  decoder.lengthDecoder = (data) => {
    // Even an empty message would have a length, which is not all there.
    if (data.byteLength < NOISE_LENGTH_BYTES) return 0
    return lengthDecoder(data)
  }
}

/** What a stream announces its state by (main-event 1), as `idle` after each write. */
interface Announcing {
  listenerCount(type: string): number
  safeDispatchEvent(type: string, detail?: object): boolean
}

/** Has events that nobody listens to not made: they were a fortieth of what an idle node does (P-14). */
export function quietEvents(stream: object): void {
  const announcing = stream as Partial<Announcing>
  const { safeDispatchEvent, listenerCount } = announcing
  if (safeDispatchEvent === undefined || listenerCount === undefined) return
  announcing.safeDispatchEvent = (type, detail) =>
    listenerCount.call(stream, type) === 0 || safeDispatchEvent.call(stream, type, detail)
}

/** The fields of a Yamux stream that its window updates go by (@libp2p/yamux 8, `stream.ts`). */
interface YamuxWindow {
  /** `StreamState.Established`, when no flag waits to be sent with an update. */
  readonly state: number
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
}

const YAMUX_ESTABLISHED = 3

/** Has all streams of a connection tuned: gossip's and identify's as well as the lanes'. */
export function tuneStreams(muxer: StreamMuxer): void {
  // Not by a listener: with one there, the muxer would no longer keep early streams for libp2p, which comes later.
  const dispatchEvent = muxer.dispatchEvent.bind(muxer)
  muxer.dispatchEvent = (event) => {
    if (event.type === 'stream' && event instanceof CustomEvent) tuneStream(event.detail)
    return dispatchEvent(event)
  }
  const createStream = muxer.createStream.bind(muxer)
  muxer.createStream = async (options) => {
    const stream = await createStream(options)
    tuneStream(stream)
    return stream
  }
}

function tuneStream(stream: Stream): void {
  batchWindowUpdates(stream)
  quietEvents(stream)
}

/** Has the window opened again only when half of it is used up, as the Yamux specification advises (P-14). */
export function batchWindowUpdates(stream: Stream): void {
  const window = stream as unknown as Partial<YamuxWindow>
  const { sendWindowUpdate } = window
  if (sendWindowUpdate === undefined) return
  window.sendWindowUpdate = () => {
    const { state, recvWindow = 0, recvWindowCapacity = 0 } = window
    if (state !== YAMUX_ESTABLISHED || recvWindowCapacity * 2 <= recvWindow) sendWindowUpdate.call(stream)
  }
}
