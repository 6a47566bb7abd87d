import type { Connection, Stream } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import { assert, type NodeId } from '../kernel/index.ts'
import type { PeerCredentials } from '../wire/index.ts'
import type { AdmissionControl, Admitted } from './admission.ts'
import { GOODBYE_MS } from './params.ts'

/** A peer with a connection. */
export interface Member {
  credentials: PeerCredentials
  connection: Connection
  /** Whether its link was reported as up. */
  linked: boolean
}

export interface ConnectionsInit {
  readonly node: Libp2p
  readonly admission: AdmissionControl
  /** An admitted connection, before anything else is done with it. */
  onMet(connection: Connection): void
  onOpened(peer: NodeId): void
  /** The connection ended by itself; the member is no longer in the table. */
  onClosed(member: Member, goodbye: boolean): void
}

/** The one connection to each peer, and what its peer proved (P-3, P-5). */
export class Connections {
  readonly #init: ConnectionsInit
  readonly #members = new Map<NodeId, Member>()

  constructor(init: ConnectionsInit) {
    this.#init = init
  }

  /** Call once the node has started: libp2p's own table must hear of a connection first. */
  start(): void {
    this.#init.node.addEventListener('connection:open', ({ detail }) => this.#onOpen(detail))
    this.#init.node.addEventListener('connection:close', ({ detail }) => this.#onClose(detail))
  }

  get size(): number {
    return this.#members.size
  }

  has(peer: NodeId): boolean {
    return this.#members.has(peer)
  }

  get(peer: NodeId): Member | undefined {
    return this.#members.get(peer)
  }

  all(): MapIterator<[NodeId, Member]> {
    return this.#members.entries()
  }

  async openStream(peer: NodeId, protocol: string, signal: AbortSignal): Promise<Stream> {
    const member = this.#members.get(peer)
    if (member === undefined) throw new Error(`no connection to ${peer}`)
    return member.connection.newStream([protocol], { signal, runOnLimitedConnection: true })
  }

  /** Takes the peer out of the table now and says goodbye in the background; `onClosed` is not called for it. */
  release(peer: NodeId): Member | undefined {
    const member = this.#members.get(peer)
    if (member === undefined) return undefined
    this.#members.delete(peer)
    this.#init.admission.crossings.ended(peer)
    void sayGoodbye(member.connection)
    return member
  }

  /** Says goodbye to everyone; done when all are closed, after `GOODBYE_MS` at the latest. */
  async releaseAll(): Promise<void> {
    const connections = [...this.#members.values()].map(({ connection }) => connection)
    this.#members.clear()
    await Promise.all(connections.map(sayGoodbye))
  }

  #onOpen(connection: Connection): void {
    const peer = connection.remotePeer.toString() as NodeId
    const admitted = this.#init.admission.of(connection)
    assert(admitted !== undefined, 'a connection was made without admission', { peer })
    assert(admitted.peer.node === peer, 'a certificate was taken for a key it does not name', { peer })
    if (connection.status !== 'open') return
    const credentials = credentialsOf(admitted)
    const known = this.#members.get(peer)
    if (known === undefined) {
      this.#members.set(peer, { credentials, connection, linked: false })
      this.#init.onMet(connection)
      this.#init.onOpened(peer)
      return
    }
    // P-5: the peer no longer believes in the old one. It goes at once, and before services are told of the new one, so
    // that those which keep one stream per peer (gossipsub) find none and open it there.
    const old = known.connection
    known.connection = connection
    known.credentials = credentials
    old.abort(new Error('replaced by a later connection'))
    this.#init.onMet(connection)
  }

  #onClose(connection: Connection): void {
    const peer = connection.remotePeer.toString() as NodeId
    const member = this.#members.get(peer)
    if (member?.connection !== connection) return
    this.#members.delete(peer)
    this.#init.admission.crossings.ended(peer)
    this.#init.onClosed(member, this.#init.admission.of(connection)?.goodbye ?? false)
  }
}

function credentialsOf({ peer }: Admitted): PeerCredentials {
  return { node: peer.node, org: peer.org, roles: peer.roles, certificateExpiresAt: peer.notAfter }
}

async function sayGoodbye(connection: Connection): Promise<void> {
  try {
    await connection.close({ signal: AbortSignal.timeout(GOODBYE_MS) })
  } catch (cause) {
    connection.abort(cause instanceof Error ? cause : new Error(String(cause)))
  }
}
