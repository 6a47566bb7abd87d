import { BoundedMap, type NodeId } from '../kernel/index.ts'
import type { Alarm } from './alarms.ts'
import type { Ground } from './ground.ts'
import type { Links } from './links.ts'
import type { BodyOf, PayloadBody } from './messages.ts'

/** Peers that were sent long payloads, the latest of them. */
const SERVED_PEERS_MAX = 1024
/** A peer of which nothing comes for so many `resendMs` has lost what it was to send. */
const QUIET_MAX = 10

const GONE = new Uint8Array(0)

/** The bytes of a payload as long as they are of use, looked up when they are asked for: nothing is kept for a peer. */
export type Source = () => Uint8Array | undefined

/** What becomes of a payload that was named. One of these is called, once. */
export interface Receipt {
  readonly done: (bytes: Uint8Array) => void
  readonly lost: () => void
  /** It came, and is none that agents or clients could take. */
  readonly malformed: () => void
}

/**
 * `taken`: the receipt hears of it. `known`: it was named before and is on its way; whoever named it first hears of it.
 * `full`: too many wait for this peer's.
 */
export type Reception = 'taken' | 'known' | 'full'

interface Transfer {
  readonly bytes: number
  readonly receipt: Receipt
  /** From the first part that is asked for. */
  buffer: Uint8Array | undefined
  /** In order and without gaps: how much has come, and how much was asked for. */
  received: number
  asked: number
}

/** What is to come from one peer, first named first. */
interface Incoming {
  readonly transfers: Map<number, Transfer>
  /** Asked for and not yet come. */
  askedBytes: number
  bufferBytes: number
  /** For how many `resendMs` nothing has come. */
  quiet: number
  alarm: Alarm | undefined
}

/**
 * Long payloads in parts, on the bulk lane, so that they delay nothing. Whoever is to have one asks for its parts, as many
 * at a time as its memory and the lane have room for; so what was named waits, and nothing that somebody waits for is
 * dropped. What is lost on the way is asked for again; what its sender has no more is known to be lost at once.
 */
export class Transfers {
  readonly #ground: Ground
  readonly #links: Links
  readonly #incoming = new Map<NodeId, Incoming>()
  readonly #outgoing = new BoundedMap<NodeId, BoundedMap<number, Source>>(SERVED_PEERS_MAX)
  #last: number

  constructor(ground: Ground, links: Links) {
    this.#ground = ground
    this.#links = links
    // Begins anywhere, so that nobody is given what an earlier life of this node had under that number.
    this.#last = ground.random.uint32()
  }

  /** The number under which a payload is to be had, again and again. */
  number(): number {
    this.#last += 1
    return this.#last
  }

  /** The payload as it stands in a message to that peer. */
  payload(to: NodeId, bytes: Uint8Array, source: Source, transfer = this.number()): PayloadBody {
    const { inlineBytesMax, transfersPerPeerMax } = this.#ground.params
    if (bytes.length <= inlineBytesMax) return { kind: 'inline', bytes }
    const sources = this.#outgoing.get(to) ?? new BoundedMap<number, Source>(transfersPerPeerMax)
    sources.set(transfer, source)
    this.#outgoing.set(to, sources)
    return { kind: 'parts', transfer, bytes: bytes.length }
  }

  /**
   * Hands the bytes over, at once or when the last part has come. What was received is copied out of its frame, which would
   * otherwise be kept whole.
   */
  receive(from: NodeId, payload: PayloadBody, receipt: Receipt): Reception {
    if (payload.kind === 'inline') {
      this.#handOver(receipt, payload.bytes.slice())
      return 'taken'
    }
    const incoming = this.#incomingFrom(from)
    if (incoming.transfers.has(payload.transfer)) return 'known'
    if (incoming.transfers.size >= this.#ground.params.transfersPerPeerMax) return 'full'
    const { transfer, bytes } = payload
    incoming.transfers.set(transfer, { bytes, receipt, buffer: undefined, received: 0, asked: 0 })
    this.#ask(from, incoming)
    this.#watch(from, incoming)
    return 'taken'
  }

  /** A part of what is here. An empty one says that it is not. */
  onFetch(from: NodeId, { transfer, offset, bytes }: BodyOf<'claims.fetch'>): void {
    const whole = this.#outgoing.get(from)?.get(transfer)?.() ?? GONE
    const body = { transfer, offset, bytes: whole.subarray(offset, offset + bytes) }
    this.#links.sendIfUp(from, { kind: 'claims.part', body })
  }

  onPart(from: NodeId, { transfer: id, offset, bytes }: BodyOf<'claims.part'>): void {
    const incoming = this.#incoming.get(from)
    const transfer = incoming?.transfers.get(id)
    // What was asked for twice may come twice.
    if (incoming === undefined || transfer?.buffer === undefined || offset !== transfer.received) return
    if (bytes.length === 0) {
      incoming.quiet = 0
      this.#remove(incoming, id, transfer)
      this.#ask(from, incoming)
      transfer.receipt.lost()
      return
    }
    if (transfer.received === transfer.asked || bytes.length !== this.#partBytes(transfer, offset)) return
    transfer.buffer.set(bytes, offset)
    transfer.received += bytes.length
    incoming.askedBytes -= bytes.length
    incoming.quiet = 0
    const isWhole = transfer.received === transfer.bytes
    if (isWhole) this.#remove(incoming, id, transfer)
    this.#ask(from, incoming)
    if (isWhole) this.#handOver(transfer.receipt, transfer.buffer)
  }

  #handOver(receipt: Receipt, bytes: Uint8Array): void {
    if (this.#ground.isPayload(bytes)) receipt.done(bytes)
    else receipt.malformed()
  }

  /** What was on its way may be lost. */
  resume(peer: NodeId): void {
    const incoming = this.#incoming.get(peer)
    if (incoming !== undefined) this.#askAgain(peer, incoming)
  }

  #incomingFrom(peer: NodeId): Incoming {
    const known = this.#incoming.get(peer)
    if (known !== undefined) return known
    const incoming: Incoming = { transfers: new Map(), askedBytes: 0, bufferBytes: 0, quiet: 0, alarm: undefined }
    this.#incoming.set(peer, incoming)
    return incoming
  }

  #partBytes(transfer: Transfer, offset: number): number {
    return Math.min(this.#ground.params.partBytes, transfer.bytes - offset)
  }

  /** In order, and no more at a time than there is room for. */
  #ask(from: NodeId, incoming: Incoming): void {
    const { transferBytesPerPeerMax, transferWindowBytes } = this.#ground.params
    for (const [id, transfer] of incoming.transfers) {
      while (transfer.asked < transfer.bytes) {
        const offset = transfer.asked
        const bytes = this.#partBytes(transfer, offset)
        if (incoming.askedBytes + bytes > transferWindowBytes) return
        if (transfer.buffer === undefined) {
          if (incoming.bufferBytes + transfer.bytes > transferBytesPerPeerMax) return
          transfer.buffer = new Uint8Array(transfer.bytes)
          incoming.bufferBytes += transfer.bytes
        }
        transfer.asked += bytes
        incoming.askedBytes += bytes
        this.#links.sendIfUp(from, { kind: 'claims.fetch', body: { transfer: id, offset, bytes } })
      }
    }
  }

  #askAgain(from: NodeId, incoming: Incoming): void {
    for (const transfer of incoming.transfers.values()) transfer.asked = transfer.received
    incoming.askedBytes = 0
    this.#ask(from, incoming)
  }

  /** A full queue may have swallowed the question or the part. */
  #watch(from: NodeId, incoming: Incoming): void {
    incoming.alarm ??= this.#ground.in(this.#ground.params.resendMs, () => {
      incoming.alarm = undefined
      if (incoming.transfers.size === 0) {
        this.#incoming.delete(from)
        return
      }
      // Counted from here: what comes meanwhile sets it back.
      incoming.quiet += 1
      if (incoming.quiet > QUIET_MAX) {
        this.#loseAll(from, incoming)
        return
      }
      if (incoming.quiet > 1) this.#askAgain(from, incoming)
      this.#watch(from, incoming)
    })
  }

  #loseAll(from: NodeId, incoming: Incoming): void {
    this.#incoming.delete(from)
    for (const { receipt } of incoming.transfers.values()) receipt.lost()
  }

  #remove(incoming: Incoming, id: number, transfer: Transfer): void {
    incoming.transfers.delete(id)
    incoming.askedBytes -= transfer.asked - transfer.received
    incoming.bufferBytes -= transfer.bytes
  }
}
