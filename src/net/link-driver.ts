import { randomInt } from 'node:crypto'
import type { Stream } from '@libp2p/interface'
import { BoundedMap, NEVER, type NodeId, TICK, unreachable } from '../kernel/index.ts'
import {
  ACK_DELAY_MS,
  Link,
  type LinkEffect,
  type LinkInput,
  LinkKinds,
  type LinkStats,
  VIOLATION_POINTS,
} from '../link/index.ts'
import { LANES, type Lane, type MessageKind, PROTOCOL_PREFIX, type SendOutcome } from '../wire/index.ts'
import { LaneStream } from './link-lane-stream.ts'
import { LinkOpener } from './link-opener.ts'
import { AWAY_LINKS_MAX, EARLY_STREAMS_MAX, RESUME_KEEP_MS, STALL_TIMEOUT_MS } from './link-params.ts'
import { LinkTurn } from './link-turn.ts'
import type { LinkDriverInit, Links } from './link-types.ts'

export type { LinkDriverInit, LinkHandler, LinkStreams, Links } from './link-types.ts'

/** Protocol id of a lane's stream. */
export function linkProtocol(swarm: string, lane: Lane): string {
  return `${PROTOCOL_PREFIX}/${swarm}/link/${lane}/1`
}

interface Peer<K extends string> {
  readonly id: NodeId
  readonly link: Link<K>
  readonly streams: Map<Lane, LaneStream>
  readonly opener: LinkOpener | undefined
  attached: boolean
  /** All lanes have been open since `attach`, and the host was told. */
  open: boolean
  /** Runs while a lane of an attached peer is not open. */
  stall: NodeJS.Timeout | undefined
  /** Runs while the peer is away. */
  keep: NodeJS.Timeout | undefined
}

/**
 * Drives a {@link Link} per peer over one libp2p stream per lane (protocols.md, 2).
 *
 * Of two peers the one with the smaller id opens all streams, so both never open at once. What is sent in one turn of
 * the event loop leaves in one frame per lane, control first.
 */
export class LinkDriver<K extends string = MessageKind> implements Links<K> {
  readonly #init: LinkDriverInit<K>
  readonly #kinds: LinkKinds<K>
  readonly #peers = new Map<NodeId, Peer<K>>()
  /** Peers without a connection, in the order in which they left. */
  readonly #away = new BoundedMap<NodeId, Peer<K>>(AWAY_LINKS_MAX)
  /** Streams of peers that are not attached yet. */
  readonly #early = new BoundedMap<string, Stream>(EARLY_STREAMS_MAX)
  /** Links that may have something to write. */
  readonly #dirty = new Set<Peer<K>>()
  readonly #turn = new LinkTurn(() => this.#flush())
  /** Links that owe an acknowledgement, and the one timer for all of them. */
  readonly #owing = new Set<Peer<K>>()
  #owingTimer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(init: LinkDriverInit<K>) {
    this.#init = init
    this.#kinds = new LinkKinds(init.kinds)
  }

  async start(): Promise<void> {
    const { streams, protocolOf } = this.#init
    for (const lane of LANES) {
      await streams.handle(protocolOf(lane), (stream, peer) => this.#onInbound(lane, stream, peer))
    }
  }

  attach(id: NodeId): void {
    if (this.#stopped) return
    let peer = this.#peers.get(id)
    if (peer?.attached) return
    peer ??= this.#newPeer(id)
    this.#peers.set(id, peer)
    this.#away.delete(id)
    clearTimeout(peer.keep)
    peer.attached = true
    this.#watch(peer)
    peer.opener?.start()
    const attached = peer
    // Later: what these streams hold already must not reach the handler from inside this call.
    queueMicrotask(() => this.#adoptEarly(attached))
  }

  detach(id: NodeId, options: { readonly forget?: boolean } = {}): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    if (peer.attached) this.#leave(peer)
    if (options.forget === true) queueMicrotask(() => this.#forget(peer))
  }

  send(id: NodeId, kind: K, body: Uint8Array): SendOutcome {
    const peer = this.#peers.get(id)
    if (peer === undefined || !peer.open) return 'no-link'
    const effects = peer.link.step(this.#init.now(), { kind: 'send', message: kind, body })
    if (effects.length > 0) return 'full'
    this.#touch(peer)
    return 'queued'
  }

  isOpen(id: NodeId): boolean {
    return this.#peers.get(id)?.open ?? false
  }

  stats(id: NodeId): LinkStats | undefined {
    return this.#peers.get(id)?.link.stats()
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#flush()
    this.#stopped = true
    this.#turn.stop()
    clearTimeout(this.#owingTimer)
    for (const peer of this.#peers.values()) {
      if (peer.attached) this.#leave(peer)
      clearTimeout(peer.keep)
    }
    this.#peers.clear()
    for (const stream of this.#early.values()) stream.abort(new Error('shutting down'))
    this.#early.clear()
    for (const lane of LANES) await this.#init.streams.unhandle(this.#init.protocolOf(lane))
  }

  #newPeer(id: NodeId): Peer<K> {
    const { self, streams, protocolOf, newEpoch = randomEpoch } = this.#init
    const adopt = (lane: Lane, stream: Stream) => this.#adopt(peer, lane, stream)
    const peer: Peer<K> = {
      id,
      link: new Link({
        epoch: newEpoch(),
        kinds: this.#kinds,
        ...(this.#init.params && { params: this.#init.params }),
      }),
      streams: new Map(),
      opener: self < id ? new LinkOpener(id, streams, protocolOf, adopt) : undefined,
      attached: false,
      open: false,
      stall: undefined,
      keep: undefined,
    }
    return peer
  }

  /** No connection any more: what is under way waits for the next one, for a while. */
  #leave(peer: Peer<K>): void {
    peer.attached = false
    peer.open = false
    clearTimeout(peer.stall)
    peer.stall = undefined
    peer.opener?.stop()
    for (const lane of LANES) this.#drop(peer, lane, 'the link is down')
    this.#dirty.delete(peer)
    this.#owing.delete(peer)
    if (this.#stopped) return
    const evicted = this.#away.set(peer.id, peer)
    if (evicted !== undefined) queueMicrotask(() => this.#forget(evicted.value))
    peer.keep = setTimeout(() => this.#forget(peer), RESUME_KEEP_MS)
    peer.keep.unref()
  }

  /** Gives up the state of a peer that is away; should it come back, both sides begin anew. */
  #forget(peer: Peer<K>): void {
    if (peer.attached || this.#peers.get(peer.id) !== peer) return
    clearTimeout(peer.keep)
    this.#peers.delete(peer.id)
    this.#away.delete(peer.id)
    this.#step(peer, { kind: 'forget' })
  }

  #onInbound(lane: Lane, stream: Stream, id: NodeId): void {
    const peer = this.#peers.get(id)
    if (this.#stopped || this.#init.self < id) {
      stream.abort(new Error('this side opens the streams of this link'))
      return
    }
    const key = earlyKey(id, lane)
    this.#early.get(key)?.abort(new Error('replaced by a newer stream'))
    this.#early.delete(key)
    if (peer?.attached) {
      this.#adopt(peer, lane, stream)
      return
    }
    // Paused, so that a peer cannot fill more than one window of it before anyone reads.
    stream.pause()
    this.#early.set(key, stream)?.value.abort(new Error('too many early streams'))
  }

  #adoptEarly(peer: Peer<K>): void {
    for (const lane of LANES) {
      const key = earlyKey(peer.id, lane)
      const stream = this.#early.get(key)
      if (stream === undefined || !peer.attached) continue
      this.#early.delete(key)
      this.#adopt(peer, lane, stream)
    }
  }

  /** A fresh stream for a lane, in place of the one it may have: only the opener makes new ones, and knows why. */
  #adopt(peer: Peer<K>, lane: Lane, stream: Stream): void {
    this.#drop(peer, lane, 'replaced by a newer stream')
    if (stream.status !== 'open') {
      peer.opener?.again(lane)
      return
    }
    const frames = new LaneStream(stream, {
      onFrame: (body) => this.#onFrame(peer, lane, body),
      // Answers go out before Yamux sends its window update for what they answer.
      onRead: () => this.#turn.prompt(),
      // Later: the other lanes' streams may be about to drain in the same moment, and the highest goes first.
      onDrain: () => this.#touch(peer),
      onClosed: () => this.#lost(peer, lane),
      onFault: (reason) => {
        this.#init.handler.onPenalty(peer.id, VIOLATION_POINTS, reason)
        this.#close(peer, lane, reason)
      },
    })
    peer.streams.set(lane, frames)
    this.#step(peer, { kind: 'up', lane })
    stream.resume()
  }

  /** Takes a lane's stream away from the link. */
  #drop(peer: Peer<K>, lane: Lane, reason: string): void {
    const stream = peer.streams.get(lane)
    if (stream === undefined) return
    peer.streams.delete(lane)
    stream.drop(reason)
    this.#step(peer, { kind: 'down', lane })
  }

  #lost(peer: Peer<K>, lane: Lane): void {
    peer.streams.delete(lane)
    this.#step(peer, { kind: 'down', lane })
    if (!peer.attached) return
    this.#watch(peer)
    peer.opener?.again(lane)
  }

  #close(peer: Peer<K>, lane: Lane, reason: string): void {
    this.#drop(peer, lane, reason)
    if (!peer.attached) return
    this.#watch(peer)
    peer.opener?.again(lane)
  }

  /** A lane of this peer is not open: it must be soon. */
  #watch(peer: Peer<K>): void {
    if (peer.stall !== undefined) return
    peer.stall = setTimeout(() => {
      peer.stall = undefined
      this.#init.handler.onFailed(peer.id, 'the lanes of the link did not open in time')
    }, STALL_TIMEOUT_MS)
    peer.stall.unref()
  }

  #step(peer: Peer<K>, input: LinkInput<K>): void {
    for (const effect of peer.link.step(this.#init.now(), input)) this.#perform(peer, effect)
  }

  #onFrame(peer: Peer<K>, lane: Lane, body: Uint8Array): void {
    this.#step(peer, { kind: 'frame', lane, body })
    // It may have acknowledged or granted, or be due an acknowledgement itself.
    if (peer.link.ready(this.#init.now(), lane)) this.#touch(peer)
    else if (peer.link.deadline() < NEVER) this.#owe(peer)
  }

  #perform(peer: Peer<K>, effect: LinkEffect<K>): void {
    const { handler } = this.#init
    switch (effect.kind) {
      case 'write':
        peer.streams.get(effect.lane)?.write(effect.bytes)
        return
      case 'deliver':
        for (const { kind, body } of effect.messages) handler.onMessage(peer.id, kind, body)
        return
      case 'open':
        this.#opened(peer, effect.lane)
        return
      case 'gap':
        handler.onGap(peer.id, effect.lane)
        return
      case 'penalise':
        handler.onPenalty(peer.id, effect.points, effect.reason)
        return
      case 'close':
        this.#close(peer, effect.lane, effect.reason)
        return
      case 'room':
        if (peer.open) handler.onRoom(peer.id, effect.lane)
        return
      case 'full':
        // The answer to `send`, which reads it itself.
        return
      default:
        unreachable(effect)
    }
  }

  #opened(peer: Peer<K>, lane: Lane): void {
    peer.opener?.succeeded(lane)
    if (!peer.attached || !LANES.every((each) => peer.link.isOpen(each))) return
    clearTimeout(peer.stall)
    peer.stall = undefined
    if (peer.open) return
    peer.open = true
    this.#init.handler.onOpen(peer.id)
  }

  #touch(peer: Peer<K>): void {
    this.#dirty.add(peer)
    this.#turn.schedule()
  }

  /** Writes what the streams take, highest lane first. */
  #flush(): void {
    if (this.#dirty.size === 0) return
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    const now = this.#init.now()
    for (const peer of dirty) {
      for (const lane of LANES) {
        const stream = peer.streams.get(lane)
        while (stream?.writable) {
          const effects = peer.link.step(now, { kind: 'writable', lane })
          if (effects.length === 0) break
          for (const effect of effects) this.#perform(peer, effect)
        }
      }
      if (peer.link.deadline() < NEVER) this.#owe(peer)
    }
  }

  #owe(peer: Peer<K>): void {
    this.#owing.add(peer)
    if (this.#owingTimer !== undefined) return
    this.#owingTimer = setTimeout(() => {
      this.#owingTimer = undefined
      this.#tick()
    }, ACK_DELAY_MS)
    this.#owingTimer.unref()
  }

  #tick(): void {
    const now = this.#init.now()
    for (const peer of [...this.#owing]) {
      this.#owing.delete(peer)
      if (peer.link.deadline() <= now) {
        peer.link.step(now, TICK)
        this.#touch(peer)
      } else if (peer.link.deadline() < NEVER) this.#owe(peer)
    }
  }
}

function randomEpoch(): number {
  return randomInt(1, 2 ** 48)
}

function earlyKey(peer: NodeId, lane: Lane): string {
  return `${peer} ${lane}`
}
