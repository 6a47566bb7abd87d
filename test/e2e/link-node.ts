import { noise } from '@chainsafe/libp2p-noise'
import type { Connection, Libp2p, PrivateKey } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Millis, NodeId } from '../../src/kernel/index.ts'
import type { LinkParams } from '../../src/link/index.ts'
import { LinkDriver, type LinkHandler, linkProtocol } from '../../src/net/link-driver.ts'
import type { MessageKindRules } from '../../src/wire/index.ts'

export interface LinkNode<K extends string> {
  readonly id: NodeId
  readonly libp2p: Libp2p
  readonly links: LinkDriver<K>
  readonly address: string
  stop(): Promise<void>
}

export interface LinkNodeInit<K extends string> {
  readonly kinds: Readonly<Record<K, MessageKindRules>>
  readonly handler: LinkHandler<K>
  readonly params?: LinkParams
  /** For a node that comes back as itself. */
  readonly privateKey?: PrivateKey
  /** Whether peers are attached and detached as connections come and go. @default true */
  readonly attach?: boolean
}

/** Real TCP, Noise and Yamux on loopback with links on top, and no admission: for tests and benches of links alone. */
export async function startLinkNode<K extends string>(init: LinkNodeInit<K>): Promise<LinkNode<K>> {
  const libp2p = await createLibp2p({
    ...(init.privateKey && { privateKey: init.privateKey }),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 1000, reconnectRetries: 0 },
  })
  const id = libp2p.peerId.toString() as NodeId
  const connectionTo = (peer: NodeId): Connection | undefined =>
    libp2p.getConnections().find((each) => each.remotePeer.toString() === peer && each.status === 'open')
  const links = new LinkDriver<K>({
    self: id,
    kinds: init.kinds,
    ...(init.params && { params: init.params }),
    protocolOf: (lane) => linkProtocol('test', lane),
    handler: init.handler,
    now: () => performance.now() as Millis,
    streams: {
      open: async (peer, protocol, signal) => {
        const connection = connectionTo(peer)
        if (connection === undefined) throw new Error('no connection')
        return await connection.newStream(protocol, { signal, maxOutboundStreams: 4 })
      },
      handle: async (protocol, onStream) => {
        await libp2p.handle(
          protocol,
          (stream, connection) => onStream(stream, connection.remotePeer.toString() as NodeId),
          { maxInboundStreams: 4 },
        )
      },
      unhandle: (protocol) => libp2p.unhandle(protocol),
    },
  })
  await links.start()
  if (init.attach !== false) {
    libp2p.addEventListener('peer:connect', ({ detail }) => links.attach(detail.toString() as NodeId))
    libp2p.addEventListener('peer:disconnect', ({ detail }) => links.detach(detail.toString() as NodeId))
  }
  return {
    id,
    libp2p,
    links,
    address: String(libp2p.getMultiaddrs()[0]),
    stop: async () => {
      await links.stop()
      await libp2p.stop()
    },
  }
}
