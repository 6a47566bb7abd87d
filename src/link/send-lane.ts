import { BoundedQueue } from '../kernel/index.ts'
import type { FrameWriter } from './frame-writer.ts'
import { type LinkKind, varintBytes } from './kinds.ts'
import { DATA } from './messages.ts'
import { FRAME_BYTES, FRAME_HEADER_BYTES_MAX, type LaneParams } from './params.ts'

interface Waiting<K extends string> {
  readonly kind: LinkKind<K>
  readonly body: Uint8Array
  /** Its length in a frame. */
  readonly bytes: number
}

/**
 * What one lane has to send: a queue of what waits and, in order, the resumed messages that were sent and are not
 * acknowledged yet. The n-th resumed message has number n, so numbers are counted and never stored (N-1, N-5).
 */
export class SendLane<K extends string> {
  readonly #params: LaneParams
  #queue: BoundedQueue<Waiting<K>>
  #queuedBytes = 0
  readonly #unacked: BoundedQueue<Waiting<K>>
  #unackedBytes = 0
  /** Number of the last message that the peer has acknowledged. */
  #acked = 0
  /** Bytes of messages granted by the peer, and used, on the present stream (N-7). */
  #limit = 0
  #used = 0
  #owesRoom = false
  sentMessages = 0
  sentFrames = 0
  refusedCount = 0
  droppedCount = 0

  constructor(params: LaneParams) {
    this.#params = params
    this.#queue = this.#emptyQueue()
    this.#unacked = new BoundedQueue(params.unackedMessagesMax)
  }

  get acked(): number {
    return this.#acked
  }

  /** Number of the last message that was put into a frame. */
  get sent(): number {
    return this.#acked + this.#unacked.size
  }

  get queuedMessages(): number {
    return this.#queue.size
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  get unackedMessages(): number {
    return this.#unacked.size
  }

  get unackedBytes(): number {
    return this.#unackedBytes
  }

  /** N-6: false, counted, and owing room to kinds that refuse, when the queue is full. */
  offer(kind: LinkKind<K>, body: Uint8Array): boolean {
    const bytes = varintBytes(kind.rules.code) + varintBytes(body.length) + body.length
    const { queueMessagesMax, queueBytesMax } = this.#params
    if (this.#queue.size < queueMessagesMax && this.#queuedBytes + bytes <= queueBytesMax) {
      this.#push({ kind, body, bytes })
      return true
    }
    if (kind.rules.whenFull === 'refuse') {
      this.refusedCount += 1
      this.#owesRoom = true
    } else this.droppedCount += 1
    return false
  }

  /** True once after a refusal, when half of the queue is free again. */
  takeRoom(): boolean {
    if (!this.#owesRoom) return false
    const { queueMessagesMax, queueBytesMax } = this.#params
    if (this.#queue.size > queueMessagesMax / 2 || this.#queuedBytes > queueBytesMax / 2) return false
    this.#owesRoom = false
    return true
  }

  /** Whether the next message could go into a frame now. */
  get ready(): boolean {
    const head = this.#queue.peek()
    return head !== undefined && this.#admits(head, 0)
  }

  /**
   * A frame with as many waiting messages as it, the credit and the retransmission buffer hold; with none, the frame
   * carries the acknowledgement alone.
   */
  compose(writer: FrameWriter, ack: number, limit: number): Uint8Array {
    const first = this.sent + 1
    const picked: Waiting<K>[] = []
    let bytes = 0
    for (let head = this.#queue.peek(); head !== undefined; head = this.#queue.peek()) {
      const overfull = picked.length > 0 && bytes + head.bytes > FRAME_BYTES
      if (overfull || !this.#admits(head, bytes)) break
      this.#queue.shift()
      picked.push(head)
      bytes += head.bytes
      if (head.kind.resumed) this.#keep(head)
    }
    this.#queuedBytes -= bytes
    this.#used += bytes
    this.sentMessages += picked.length
    this.sentFrames += 1
    writer.begin(DATA, FRAME_HEADER_BYTES_MAX + bytes)
    writer.varint(ack)
    writer.varint(limit)
    writer.varint(first)
    for (const { kind, body } of picked) {
      writer.varint(kind.rules.code)
      writer.varint(body.length)
      writer.raw(body)
    }
    return writer.finish()
  }

  /** The peer has everything up to `number`. False for a number that was never sent or goes back: a lie. */
  acknowledge(number: number): boolean {
    if (number < this.#acked || number > this.sent) return false
    while (this.#acked < number) {
      this.#unackedBytes -= this.#unacked.shift()?.bytes ?? 0
      this.#acked += 1
    }
    return true
  }

  /** The peer's new limit on this stream. False when it takes credit back: no correct peer does. */
  grant(limit: number): boolean {
    if (limit < this.#limit) return false
    this.#limit = limit
    return true
  }

  /** The stream is gone: what is momentary is lost with it (N-8). */
  interrupt(): void {
    this.#refill([], (waiting) => waiting.kind.resumed)
  }

  /** A new stream to a peer that has everything up to what was acknowledged last: the rest is sent again (N-4). */
  restart(limit: number): void {
    this.#limit = limit
    this.#used = 0
    const again = [...this.#unacked]
    this.#unacked.clear()
    this.#unackedBytes = 0
    if (again.length > 0) this.#refill(again, () => true)
  }

  /** Gives up everything accepted so far, and the numbers of what was not acknowledged (N-3). Returns how many. */
  cut(): number {
    const lost = this.#queue.size + this.#unacked.size
    this.droppedCount += lost
    this.#queue.clear()
    this.#queuedBytes = 0
    this.#unacked.clear()
    this.#unackedBytes = 0
    return lost
  }

  #admits(head: Waiting<K>, bytesBefore: number): boolean {
    if (this.#used + bytesBefore + head.bytes > this.#limit) return false
    if (!head.kind.resumed) return true
    return !this.#unacked.full && this.#unackedBytes + head.bytes <= this.#params.unackedBytesMax
  }

  #keep(waiting: Waiting<K>): void {
    this.#unacked.push(waiting)
    this.#unackedBytes += waiting.bytes
  }

  #push(waiting: Waiting<K>): void {
    this.#queue.push(waiting)
    this.#queuedBytes += waiting.bytes
  }

  /** Queue anew: first these, then what was waiting and passes. */
  #refill(first: readonly Waiting<K>[], passes: (waiting: Waiting<K>) => boolean): void {
    const waiting = this.#queue
    this.#queue = this.#emptyQueue()
    this.#queuedBytes = 0
    for (const each of first) this.#push(each)
    for (const each of waiting) {
      if (passes(each)) this.#push(each)
      else this.droppedCount += 1
    }
  }

  /** Has room for a full retransmission buffer on top of a full queue: what was accepted once is never refused. */
  #emptyQueue(): BoundedQueue<Waiting<K>> {
    return new BoundedQueue(this.#params.queueMessagesMax + this.#params.unackedMessagesMax)
  }
}
