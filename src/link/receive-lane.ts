import { after, type Millis, NEVER, TokenBucket } from '../kernel/index.ts'
import type { ByteReader } from '../wire/index.ts'
import type { LinkKind, LinkKinds } from './kinds.ts'
import { ACK_DELAY_MS, ACK_MESSAGES, GRANT_FRACTION, type LaneParams, RATE_BURST_SECONDS } from './params.ts'
import type { LinkMessage } from './types.ts'

/** What one frame brought. With a `violation` it brought nothing else. */
export interface Received<K extends string> {
  readonly messages: readonly LinkMessage<K>[]
  /** For messages that were too long or too many: their kinds' points, and the first one's fault. */
  readonly points: number
  readonly fault: string | undefined
  /** A resumed message was among those refused. */
  readonly gap: boolean
  readonly violation: string | undefined
}

/** What one lane has received: the count of resumed messages, the credit it has granted, and what it owes the sender. */
export class ReceiveLane<K extends string> {
  readonly #kinds: LinkKinds<K>
  readonly #lane: string
  readonly #params: LaneParams
  readonly #buckets: (TokenBucket | undefined)[] = []
  #received = 0
  /** What the peer was last told: that we have everything up to this number, and that it may send this many bytes. */
  #acked = 0
  #granted = 0
  /** Bytes of messages that arrived on the present stream. */
  #consumed = 0
  #ackAt: Millis = NEVER
  #overdue = false
  receivedMessages = 0
  receivedFrames = 0

  constructor(lane: string, kinds: LinkKinds<K>, params: LaneParams) {
    this.#lane = lane
    this.#kinds = kinds
    this.#params = params
  }

  /** Number of the last message that arrived in order. */
  get received(): number {
    return this.#received
  }

  /** Bytes that the peer may have sent on this stream in all. */
  get limit(): number {
    return this.#consumed + this.#params.windowBytes
  }

  /** When an acknowledgement may wait no longer (N-10). */
  get ackAt(): Millis {
    return this.#ackAt
  }

  /** Whether the peer should hear from us even if there is nothing else to send. */
  due(now: Millis): boolean {
    return (
      this.#overdue ||
      now >= this.#ackAt ||
      this.#received - this.#acked >= ACK_MESSAGES ||
      this.limit - this.#granted >= this.#params.windowBytes * GRANT_FRACTION
    )
  }

  /** An acknowledgement whose time has come is due from now on, and no longer a deadline. */
  ripen(now: Millis): void {
    if (now < this.#ackAt) return
    this.#overdue = true
    this.#ackAt = NEVER
  }

  /** The peer has just been told {@link received} and {@link limit}. */
  told(): void {
    this.#acked = this.#received
    this.#granted = this.limit
    this.#ackAt = NEVER
    this.#overdue = false
  }

  /** A new stream: credit starts anew, and the hello tells the peer where we stand. */
  restart(): void {
    this.#consumed = 0
    this.told()
  }

  /** A peer that starts at this number, whatever was received from its predecessor. */
  adopt(base: number): void {
    this.#received = base - 1
    this.#acked = this.#received
  }

  /** The messages of a data frame; the reader stands behind its header. */
  read(now: Millis, first: number, reader: ByteReader): Received<K> {
    const bytes = reader.remaining
    if (this.#consumed + bytes > this.#granted) return violation('more bytes than were granted')
    if (first !== this.#received + 1) return violation(`message ${first} where ${this.#received + 1} was due`)
    const messages: LinkMessage<K>[] = []
    let numbered = 0
    let points = 0
    let fault: string | undefined
    let gap = false
    while (reader.remaining > 0) {
      const kind = this.#kinds.coded(reader.varint())
      const body = reader.raw(reader.varint())
      if (reader.fault !== undefined) return violation(reader.fault)
      if (kind === undefined || kind.rules.lane !== this.#lane) return violation('a kind that has no place here')
      if (kind.resumed) numbered += 1
      const refusal = this.#refusal(now, kind, body)
      if (refusal === undefined) messages.push({ kind: kind.name, body })
      else {
        fault ??= refusal
        points += kind.rules.penalty
        gap ||= kind.resumed
      }
    }
    this.#received += numbered
    this.#consumed += bytes
    this.receivedMessages += messages.length
    this.receivedFrames += 1
    if (this.#received > this.#acked && this.#ackAt === NEVER && !this.#overdue) this.#ackAt = after(now, ACK_DELAY_MS)
    return { messages, points, fault, gap, violation: undefined }
  }

  /** N-9: why this message is not delivered, if so. */
  #refusal(now: Millis, kind: LinkKind<K>, body: Uint8Array): string | undefined {
    const { code, bytesMax } = kind.rules
    if (body.length > bytesMax) return `a ${kind.name} is longer than it may be`
    let bucket = this.#buckets[code]
    if (bucket === undefined) {
      bucket = new TokenBucket(kind.rules.perSecondMax, this.#burst(kind), now)
      this.#buckets[code] = bucket
    }
    return bucket.take(now) ? undefined : `more ${kind.name} than one peer may send`
  }

  /** All that a peer may have kept for us through a break of the link arrives at once when it ends. */
  #burst(kind: LinkKind<K>): number {
    const backlog = kind.resumed ? this.#params.queueMessagesMax + this.#params.unackedMessagesMax : 0
    return kind.rules.perSecondMax * RATE_BURST_SECONDS + backlog
  }
}

function violation<K extends string>(reason: string): Received<K> {
  return { messages: [], points: 0, fault: undefined, gap: false, violation: reason }
}
