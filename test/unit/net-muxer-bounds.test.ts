import type { StreamMuxer } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { expect, test } from 'vitest'
import { boundMuxer } from '../../src/net/muxer-bounds.ts'
import { CONNECTION_WRITE_BUFFER_BYTES, STREAM_WINDOW_BYTES_MAX } from '../../src/net/params.ts'
import { eventually } from '../support/eventually.ts'

const DATA = 0
const PING = 2
const SYN = 1
const CHUNK_BYTES = 64 * 1024

function head(type: number, flag: number, stream: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint8(1, type)
  view.setUint16(2, flag)
  view.setUint32(4, stream)
  view.setUint32(8, length)
  return bytes
}

/** Our end of a connection with its muxer, and the bare other end. */
function bounded() {
  const [ours, theirs] = multiaddrConnectionPair({ delay: 0 })
  const muxer: StreamMuxer = yamux({ enableKeepAlive: false })().createStreamMuxer(ours)
  boundMuxer(ours, muxer)
  return { ours, theirs, muxer }
}

test('P-17: a frame that is longer than any window ends the connection before it is whole', async () => {
  const { ours, theirs } = bounded()
  theirs.send(head(DATA, SYN, 2, 0xffff_ffff))
  for (let bytes = 0; bytes <= STREAM_WINDOW_BYTES_MAX && ours.status === 'open'; bytes += CHUNK_BYTES) {
    theirs.send(new Uint8Array(CHUNK_BYTES))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await eventually('the end', () => ours.status !== 'open')
})

test('P-17: a frame as long as a window is taken, however it comes', async () => {
  const { ours, theirs, muxer } = bounded()
  let heard = 0
  muxer.addEventListener('stream', ({ detail }) => {
    detail.addEventListener('message', ({ data }) => {
      heard += data.byteLength
    })
  })
  // What a stream may send before the first update of its window.
  const bytes = 256 * 1024
  theirs.send(head(DATA, SYN, 2, bytes))
  for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) {
    theirs.send(new Uint8Array(CHUNK_BYTES))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await eventually('all of it', () => heard === bytes)
  expect(ours.status).toBe('open')
})

test('P-17: answers that a peer does not read end its connection', async () => {
  const { ours, theirs } = bounded()
  const slow = ours as typeof ours & { sendData(data: { readonly byteLength: number }): unknown }
  slow.sendData = ({ byteLength }) => ({ sentBytes: byteLength, canSendMore: false })
  const asked = new Uint8Array(12 * 16_384)
  for (let at = 0; at < asked.length; at += 12) asked.set(head(PING, SYN, 0, at), at)
  for (let bytes = 0; bytes <= 2 * CONNECTION_WRITE_BUFFER_BYTES && ours.status === 'open'; bytes += asked.length) {
    theirs.send(asked)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(ours.status).not.toBe('open')
})
