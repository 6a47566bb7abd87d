import type { NodeId } from '../kernel/index.ts'
import type { Ground } from './ground.ts'
import type { Links } from './links.ts'
import type { BodyOf, PayloadBody } from './messages.ts'

interface Transfer {
  readonly bytes: Uint8Array
  received: number
  /** What to do once it is complete. */
  done: ((bytes: Uint8Array) => void) | undefined
}

/** Long payloads in parts, on the bulk lane, so that they delay nothing: the message that names one may overtake it. */
export class Transfers {
  readonly #ground: Ground
  readonly #links: Links
  readonly #incoming = new Map<NodeId, Map<number, Transfer>>()
  readonly #bytes = new Map<NodeId, number>()
  #next: number

  constructor(ground: Ground, links: Links) {
    this.#ground = ground
    this.#links = links
    this.#next = ground.random.uint32()
  }

  /** The payload as it stands in a message to that peer; its parts, if any, go out before the message. */
  payload(to: NodeId, bytes: Uint8Array): PayloadBody {
    const { inlineBytesMax, partBytes } = this.#ground.params
    if (bytes.length <= inlineBytesMax) return { kind: 'inline', bytes }
    this.#next += 1
    const transfer = this.#next
    for (let offset = 0; offset < bytes.length; offset += partBytes) {
      const body = { transfer, offset, bytes: bytes.subarray(offset, offset + partBytes) }
      this.#links.sendIfUp(to, { kind: 'claims.part', body })
    }
    return { kind: 'parts', transfer, bytes: bytes.length }
  }

  /**
   * Hands the bytes to `then`, at once or when the last part has come. False when there is no room for them. What was
   * received is copied out of its frame, which would otherwise be kept whole.
   */
  receive(from: NodeId, payload: PayloadBody, then: (bytes: Uint8Array) => void): boolean {
    if (payload.kind === 'inline') {
      then(payload.bytes.slice())
      return true
    }
    const transfer = this.#transfer(from, payload.transfer, payload.bytes)
    if (transfer === undefined || transfer.bytes.length !== payload.bytes) return false
    transfer.done = then
    this.#finish(from, payload.transfer, transfer)
    return true
  }

  /** In order and from the start; anything else is of no use. */
  onPart(from: NodeId, body: BodyOf<'claims.part'>): void {
    const known = this.#incoming.get(from)?.get(body.transfer)
    // The first part does not say how long the whole is: room for the longest, given back in `finish`.
    const transfer = known ?? (body.offset === 0 ? this.#open(from, body.transfer) : undefined)
    if (transfer === undefined || body.offset !== transfer.received) return
    if (body.offset + body.bytes.length > transfer.bytes.length) return
    transfer.bytes.set(body.bytes, body.offset)
    transfer.received += body.bytes.length
    this.#finish(from, body.transfer, transfer)
  }

  /** What was on its way is lost. */
  drop(peer: NodeId): void {
    this.#incoming.delete(peer)
    this.#bytes.delete(peer)
  }

  #open(from: NodeId, id: number): Transfer | undefined {
    return this.#add(from, id, PENDING_BYTES)
  }

  #transfer(from: NodeId, id: number, bytes: number): Transfer | undefined {
    const known = this.#incoming.get(from)?.get(id)
    if (known === undefined) return this.#add(from, id, bytes)
    if (known.bytes.length === bytes) return known
    if (known.received > bytes || bytes > PENDING_BYTES) return undefined
    const sized: Transfer = { bytes: known.bytes.slice(0, bytes), received: known.received, done: known.done }
    this.#incoming.get(from)?.set(id, sized)
    this.#count(from, bytes - known.bytes.length)
    return sized
  }

  #add(from: NodeId, id: number, bytes: number): Transfer | undefined {
    const { transfersPerPeerMax, transferBytesPerPeerMax } = this.#ground.params
    const transfers = this.#incoming.get(from) ?? new Map<number, Transfer>()
    const isFull =
      transfers.size >= transfersPerPeerMax || (this.#bytes.get(from) ?? 0) + bytes > transferBytesPerPeerMax
    if (isFull && !this.#dropOldest(from, transfers)) return undefined
    this.#incoming.set(from, transfers)
    const transfer: Transfer = { bytes: new Uint8Array(bytes), received: 0, done: undefined }
    transfers.set(id, transfer)
    this.#count(from, bytes)
    return transfer
  }

  #dropOldest(from: NodeId, transfers: Map<number, Transfer>): boolean {
    const [oldest] = transfers
    if (oldest === undefined) return false
    transfers.delete(oldest[0])
    this.#count(from, -oldest[1].bytes.length)
    return true
  }

  #finish(from: NodeId, id: number, transfer: Transfer): void {
    if (transfer.done === undefined || transfer.received < transfer.bytes.length) return
    this.#incoming.get(from)?.delete(id)
    this.#count(from, -transfer.bytes.length)
    transfer.done(transfer.bytes)
  }

  #count(from: NodeId, bytes: number): void {
    this.#bytes.set(from, Math.max(0, (this.#bytes.get(from) ?? 0) + bytes))
  }
}

/** Until the message that names it has come, a transfer may become as long as the longest payload. */
const PENDING_BYTES = 1024 * 1024
