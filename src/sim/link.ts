import type { NodeId } from '../kernel/index.ts'
import type { SimPort } from './port.ts'

/**
 * One side of a connection between two processes. Each side opens and closes in its own time: what one side believes
 * is not what the other does (SI-7).
 */
export class LinkEnd {
  readonly port: SimPort
  readonly peer: NodeId
  readonly dialled: boolean
  state: 'opening' | 'open' | 'closed' = 'opening'
  /** Messages on their way from this end; bounds the sender as a socket's buffer would. */
  inFlight = 0
  /** Nothing sent to this end is read before it has opened. */
  opensAt = 0
  #other: LinkEnd | undefined

  private constructor(port: SimPort, peer: NodeId, dialled: boolean) {
    this.port = port
    this.peer = peer
    this.dialled = dialled
  }

  static pair(dialler: SimPort, acceptor: SimPort): readonly [LinkEnd, LinkEnd] {
    const near = new LinkEnd(dialler, acceptor.node, true)
    const far = new LinkEnd(acceptor, dialler.node, false)
    near.#other = far
    far.#other = near
    return [near, far]
  }

  get other(): LinkEnd {
    return this.#other as LinkEnd
  }
}
