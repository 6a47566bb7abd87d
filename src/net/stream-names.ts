import type { Stream, StreamMessageEvent, StreamMuxer } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { STREAM_NAME_TIMEOUT_MS } from './params.ts'

/*
 * What a stream is for is said by its first bytes: a length of one byte and the protocol's name. Members of one swarm
 * speak the same protocols, so whoever opens a stream need not ask first, as multistream-select does with a round trip
 * and six messages. Length 0 says that multistream-select follows: for whoever offers more than one protocol.
 */

const NAME_BYTES_MAX = 255

/** Whether this node has a handler for a protocol. */
export type IsSpoken = (protocol: string) => boolean

/** Has all streams of this muxer named by who opens them (P-15). Both ends must. */
export function nameStreams(muxer: StreamMuxer, isSpoken: IsSpoken): void {
  const createStream = muxer.createStream.bind(muxer)
  muxer.createStream = async (options) => {
    const stream = await createStream(options)
    stream.protocol = say(stream, options?.protocol ?? '')
    return stream
  }
  // Not by a listener: with one there, the muxer would no longer keep early streams for libp2p, which comes later.
  const dispatchEvent = muxer.dispatchEvent.bind(muxer)
  muxer.dispatchEvent = (event) => {
    if (event.type !== 'stream' || !(event instanceof CustomEvent)) return dispatchEvent(event)
    hear(event.detail, isSpoken, () => dispatchEvent(event))
    return true
  }
}

/** Says what the stream is for, and returns it; the empty name when that is still to be negotiated. */
function say(stream: Stream, protocol: string): string {
  const name = Buffer.from(protocol)
  const said = name.length > NAME_BYTES_MAX ? '' : protocol
  stream.send(said === '' ? Uint8Array.of(0) : Buffer.concat([Uint8Array.of(name.length), name]))
  return said
}

/** Waits for the name, hands back what came after it, and only then lets the stream be known. */
function hear(stream: Stream, isSpoken: IsSpoken, named: () => void): void {
  const heard = new Uint8ArrayList()
  const timer = setTimeout(() => stream.abort(new Error('a stream without a name')), STREAM_NAME_TIMEOUT_MS)
  const listen = ({ data }: StreamMessageEvent): void => {
    heard.append(data)
    const end = 1 + heard.get(0)
    if (heard.byteLength < end) return
    stop()
    const protocol = Buffer.from(heard.subarray(1, end)).toString('latin1')
    if (protocol !== '' && !isSpoken(protocol)) {
      stream.abort(new Error('nobody here speaks this protocol'))
      return
    }
    // For the next reader, who has not come yet.
    if (heard.byteLength > end) stream.unshift(heard.sublist(end))
    stream.protocol = protocol
    named()
  }
  const stop = (): void => {
    clearTimeout(timer)
    stream.removeEventListener('message', listen)
    stream.removeEventListener('close', stop)
  }
  timer.unref()
  stream.addEventListener('message', listen)
  stream.addEventListener('close', stop)
}
