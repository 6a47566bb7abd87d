import type { MessageStream, StreamMuxer } from '@libp2p/interface'
import { assert } from '../kernel/index.ts'
import { CONNECTION_WRITE_BUFFER_BYTES, STREAM_WINDOW_BYTES_MAX } from './params.ts'

/*
 * Two things that Yamux keeps for a peer have no bound of their own (@libp2p/yamux 8, @libp2p/utils 7): a frame that is not
 * whole yet, of up to 4 GiB, because the window is looked at only after that; and the answers to a peer that asks (pings,
 * streams that nobody takes) and does not read. A member that means harm makes a process end by either within seconds.
 */

const FRAME_HEAD_BYTES = 12

interface FrameDecoder {
  /** What has arrived of frames that are not whole. */
  readonly buffer: { readonly byteLength: number }
  /** The next whole frame, if there is one. What it throws ends the connection. */
  readFrame(): unknown
}

/** Ends the connection of a peer that sends frames beyond any window, or does not read what it asked for (P-17). */
export function boundMuxer(secured: MessageStream, muxer: StreamMuxer): void {
  secured.maxWriteBufferLength = CONNECTION_WRITE_BUFFER_BYTES
  const { decoder } = muxer as StreamMuxer & { readonly decoder?: FrameDecoder }
  assert(typeof decoder?.readFrame === 'function', 'the frames of a muxer can be bounded')
  const readFrame = decoder.readFrame.bind(decoder)
  decoder.readFrame = () => {
    const frame = readFrame()
    if (frame === undefined && decoder.buffer.byteLength > FRAME_HEAD_BYTES + STREAM_WINDOW_BYTES_MAX) {
      throw new Error('a frame is longer than any window')
    }
    return frame
  }
}
