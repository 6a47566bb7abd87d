import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { ConnectionEncrypter } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { handshakeFrameShape } from '../../src/identity/index.ts'
import { ADMISSION_PROTOCOL } from '../../src/net/index.ts'
import { decode } from '../../src/wire/index.ts'
import { keyPair, type TestNode } from './net-world.ts'

/** What an outsider says once Noise is done, and what it heard. */
export type Script = (frames: ReturnType<typeof lpStream>) => Promise<void>

/** A libp2p node that speaks Noise as it should and then follows a script instead of the handshake. */
export async function outsider(number: number, script: Script): Promise<Libp2p> {
  const encrypter = (components: Parameters<ReturnType<typeof noise>>[0]): ConnectionEncrypter => {
    const secure = noise()(components)
    return {
      protocol: ADMISSION_PROTOCOL,
      secureInbound: (raw, options) => secure.secureInbound(raw, options),
      secureOutbound: async (raw, options) => {
        const secured = await secure.secureOutbound(raw, { ...options, skipStreamMuxerNegotiation: true })
        const frames = lpStream(secured.connection)
        await script(frames)
        frames.unwrap()
        return { connection: secured.connection, remotePeer: secured.remotePeer }
      },
    }
  }
  return createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', keyPair(number).exportSeed()),
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
}

/** Dials as an outsider; resolves when that has come to its end, whatever it was. */
export async function knock(visitor: Libp2p, node: TestNode): Promise<void> {
  try {
    const connection = await visitor.dial(multiaddr(`${node.addresses[0]}/p2p/${node.id}`))
    connection.abort(new Error('that should not have worked'))
  } catch {
    // Expected: what matters is what the node has to say about it.
  }
}

/** The code in the refusal that the node answers a first frame with. */
export async function answerTo(number: number, node: TestNode, frame: Uint8Array): Promise<string> {
  let answer = 'no answer'
  const visitor = await outsider(number, async (frames) => {
    await frames.write(frame)
    const decoded = decode(handshakeFrameShape, (await frames.read()).subarray())
    answer = decoded.ok && decoded.value.kind === 'refuse' ? decoded.value.code : 'not a refusal'
  })
  await knock(visitor, node)
  await visitor.stop()
  return answer
}
