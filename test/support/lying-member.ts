import { createHash } from 'node:crypto'
import { Daemon } from '../../node/daemon.ts'
import { openKeys } from '../../node/keys.ts'
import { openLog } from '../../node/log.ts'
import type { OpenedNode } from '../../node/node-handle.ts'
import { openNode } from '../../node/open-node.ts'
import { resolveSettings } from '../../node/settings.ts'
import { BEHAVIOURS, type Host } from '../../src/byzantine/index.ts'
import { type Digest, KIND_OF_MESSAGE } from '../../src/consensus/index.ts'
import { createSigner } from '../../src/identity/index.ts'
import { type NodeId, Random, type SwarmId } from '../../src/kernel/index.ts'
import { decodeBody, encodeBody, type Message } from '../../src/swarm/codec.ts'
import { COUNCIL } from '../../src/swarm/index.ts'
import type { MessageKind, NetworkPort } from '../../src/wire/index.ts'

/**
 * A daemon like any other that lies in one of the known ways (`src/byzantine`) from when whoever forked it says so: what it
 * sends of the council passes through the lie. It then answers `lying`. Arguments: data directory, where it listens, lie.
 */
const [data = '', listen = '', lie = ''] = process.argv.slice(2)
const { sends } = BEHAVIOURS[lie]?.() ?? {}
if (sends === undefined) throw new Error(`'${lie}' is no lie about what is sent`)
const settings = resolveSettings({ data, profile: 'local', listen: [listen], labels: {} }, process.env)
const { token, socketAccess: access, limits } = settings.config
const log = openLog({ level: 'warn', to: 'stderr' })
let liar: Host | undefined

/** What goes out in place of a message of the council. */
function lied(host: Host, to: NodeId, kind: MessageKind, body: Uint8Array): readonly [MessageKind, Uint8Array][] {
  const decoded = kind.startsWith('consensus.') ? decodeBody(kind, body) : undefined
  const addressed = decoded?.ok === true && 'group' in decoded.value.body ? decoded.value.body : undefined
  if (addressed?.group !== COUNCIL || sends === undefined) return [[kind, body]]
  return sends(host, to, addressed.message).map(({ message }) => {
    if (message instanceof Uint8Array) return [kind, message]
    const other = KIND_OF_MESSAGE[message.kind]
    return [other, encodeBody({ kind: other, body: { group: COUNCIL, message } } as Message)]
  })
}

function carry(network: NetworkPort): NetworkPort {
  return {
    send: (to, kind, body) => {
      if (liar === undefined) return network.send(to, kind, body)
      const outcomes = lied(liar, to, kind, body).map(([each, bytes]) => network.send(to, each, bytes))
      return outcomes.find((outcome) => outcome !== 'queued') ?? 'queued'
    },
    publish: (kind, body) => network.publish(kind, body),
    connect: (peer, addresses) => network.connect(peer, addresses),
    disconnect: (peer, reason) => network.disconnect(peer, reason),
    renewed: (peer, at) => network.renewed(peer, at),
    penalise: (peer, points, reason) => network.penalise(peer, points, reason),
  }
}

/** This node as a liar in a simulated world is seen, as far as lies about what is sent look. */
function hostOf(node: OpenedNode): Host {
  const status = () => node.council?.status({})
  return {
    index: 0,
    node: node.node,
    signer: createSigner(openKeys(data).node, node.swarm as SwarmId),
    crypto: { hash: (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as Digest },
    random: new Random(lie),
    core: {
      get members() {
        return (status()?.members ?? []).map((member) => member.node)
      },
      status,
    },
  } as unknown as Host
}

function fatal(cause: unknown): never {
  console.error(cause)
  process.exit(1)
}

let opened: OpenedNode | undefined
await Daemon.start({
  socket: settings.start.socket,
  token,
  access,
  stopDrainMs: limits.stopDrainMs,
  connectionsMax: limits.ipcConnectionsMax,
  log,
  open: async () => {
    opened = await openNode({ settings, log, fatal, carry })
    return opened
  },
  fatal,
})
process.on('message', () => {
  if (opened !== undefined) liar = hostOf(opened)
  process.send?.('lying')
})
process.once('disconnect', () => process.exit())
