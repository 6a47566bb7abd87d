import { assert, type Millis, TICK } from '../../src/kernel/index.ts'
import { FRAME_BYTES_MAX, FrameSplitter, Link, LinkKinds } from '../../src/link/index.ts'
import { MESSAGE_KINDS } from '../../src/wire/index.ts'
import { CHEAP_WEIGHT, type FuzzTarget, INPUT_BYTES_MAX, MEMORY_BYTES_BASE } from './target.ts'

/** What a peer can put on a stream. */
export function linkTargets(): readonly FuzzTarget[] {
  return [splitterTarget(), linkTarget()]
}

/** N-5: however a stream is cut into chunks, the frames are the same. */
function splitterTarget(): FuzzTarget {
  const framed = (...lengths: number[]) =>
    new Uint8Array(Buffer.concat(lengths.map((length) => Buffer.from([0, 0, 0, length, ...new Array(length).fill(7)]))))
  return {
    name: 'link/frame-splitter',
    samples: [framed(1), framed(3, 1, 40), framed(200), framed(2, 2, 2, 2)],
    bytesMax: INPUT_BYTES_MAX,
    weight: CHEAP_WEIGHT,
    // N-5: the splitter makes room for one announced frame, and there are two splitters here.
    memoryBytesBase: MEMORY_BYTES_BASE + 2 * FRAME_BYTES_MAX,
    attempt: (input) => {
      const whole = new FrameSplitter()
      const frames = whole.push(input)
      const piecewise = new FrameSplitter()
      const step = 1 + (input.length % 7)
      const pieces: Uint8Array[] = []
      for (let at = 0; at < input.length; at += step) pieces.push(...piecewise.push(input.subarray(at, at + step)))
      assert(whole.fault === piecewise.fault, 'a fault depends on how the stream was cut')
      assert(Buffer.concat(frames).equals(Buffer.concat(pieces)), 'frames depend on how the stream was cut')
      return whole.fault === undefined ? 'accepted' : undefined
    },
  }
}

const NOW = 1000 as Millis

/** The input is a stream on the control lane, as the peer sends it: frames that the splitter cuts out. */
function linkTarget(): FuzzTarget {
  const kinds = new LinkKinds(MESSAGE_KINDS)
  const streamOf = (epoch: number, messageCount: number): Uint8Array => {
    const peer = new Link({ epoch, kinds })
    const ours = new Link({ epoch: 7, kinds })
    const written: Uint8Array[] = []
    const hello = ours.step(NOW, { kind: 'up', lane: 'control' })
    const take = (effects: ReturnType<typeof peer.step>): void => {
      for (const effect of effects) if (effect.kind === 'write') written.push(effect.bytes)
    }
    take(peer.step(NOW, { kind: 'up', lane: 'control' }))
    for (const effect of hello) {
      if (effect.kind !== 'write') continue
      take(peer.step(NOW, { kind: 'frame', lane: 'control', body: effect.bytes.subarray(4) }))
    }
    for (let i = 0; i < messageCount; i++) {
      take(peer.step(NOW, { kind: 'send', message: 'membership.ping', body: Uint8Array.of(i) }))
    }
    take(peer.step(NOW, { kind: 'writable', lane: 'control' }))
    return new Uint8Array(Buffer.concat(written))
  }
  return {
    name: 'link/core',
    samples: [streamOf(9, 0), streamOf(9, 3), streamOf(2 ** 40, 40)],
    bytesMax: INPUT_BYTES_MAX,
    weight: CHEAP_WEIGHT,
    memoryBytesBase: MEMORY_BYTES_BASE + FRAME_BYTES_MAX,
    attempt: (input) => {
      const link = new Link({ epoch: 7, kinds })
      link.step(NOW, { kind: 'up', lane: 'control' })
      let closed = false
      for (const body of new FrameSplitter().push(input)) {
        const effects = link.step(NOW, { kind: 'frame', lane: 'control', body })
        closed ||= effects.some(({ kind }) => kind === 'close')
      }
      link.step((NOW + 1000) as Millis, TICK)
      return closed ? undefined : 'accepted'
    },
  }
}
