import { BoundedMap, type Millis, type NodeId } from '../kernel/index.ts'
import { CONNECTIONS_MAX, DUPLICATE_WINDOW_MS } from './params.ts'

interface Standing {
  readonly dialledBy: NodeId
  readonly at: Millis
}

/**
 * Decides which of two crossing dials stands, before either has a muxer (P-5). Pure.
 *
 * Only the node with the smaller id ever turns a dial away, and only while its own dial to that peer is in its
 * handshake or has just succeeded; so of two crossing dials one stands, whatever order things happen in. A dial that
 * comes later is not a crossing one: the peer has lost the connection that we still believe in, and the new one
 * replaces it.
 */
export class Crossings {
  readonly #self: NodeId
  readonly #dialling = new Map<NodeId, number>()
  readonly #standing = new BoundedMap<NodeId, Standing>(CONNECTIONS_MAX)

  constructor(self: NodeId) {
    this.#self = self
  }

  /** Our dial has reached the peer. False: it has just been let in by its own dial, so ours has become pointless. */
  beginDial(now: Millis, peer: NodeId): boolean {
    const standing = this.#standing.get(peer)
    if (standing !== undefined && now - standing.at < DUPLICATE_WINDOW_MS) return false
    this.#dialling.set(peer, (this.#dialling.get(peer) ?? 0) + 1)
    return true
  }

  /** Ends what `beginDial` began. */
  endDial(peer: NodeId): void {
    const dials = (this.#dialling.get(peer) ?? 0) - 1
    if (dials > 0) this.#dialling.set(peer, dials)
    else this.#dialling.delete(peer)
  }

  /** Whether the dial of a peer that has just been found good may become a connection. */
  admitsDialOf(now: Millis, peer: NodeId): boolean {
    if (this.#self > peer) return true
    if (this.#dialling.has(peer)) return false
    const standing = this.#standing.get(peer)
    return standing?.dialledBy !== this.#self || now - standing.at >= DUPLICATE_WINDOW_MS
  }

  /** A connection has been admitted. */
  stands(now: Millis, peer: NodeId, dialledBy: NodeId): void {
    this.#standing.set(peer, { dialledBy, at: now })
  }

  /** No connection to the peer is left. */
  ended(peer: NodeId): void {
    this.#standing.delete(peer)
  }
}
