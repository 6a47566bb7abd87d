import type { Lane, MessageKind } from '../wire/index.ts'
import type { SimPort } from './port.ts'

export interface NumberedMessage {
  readonly sequence: number
  readonly kind: MessageKind
  readonly body: Uint8Array
}

/** Most numbered messages that wait to be acknowledged, per peer and lane. */
export const UNACKNOWLEDGED_MAX = 4096

/**
 * The sending side of one lane's `resumed` messages to one process of a peer. It outlives connections: what has not
 * arrived is sent again over the next one, in order. Acknowledgements cost no message here.
 */
export class ResumedStream {
  readonly receiver: SimPort
  readonly lane: Lane
  readonly unacknowledged: NumberedMessage[] = []
  /** When the last message sent arrives: the next one cannot be earlier. */
  arrivesAt = 0
  /** Something was not even sent, because the path was blocked or the link down. */
  stalled = false
  /** The sender was refused and is to hear when there is room again. */
  refused = false
  #nextSequence = 1
  #received = 0

  constructor(receiver: SimPort, lane: Lane) {
    this.receiver = receiver
    this.lane = lane
  }

  get full(): boolean {
    return this.unacknowledged.length >= UNACKNOWLEDGED_MAX
  }

  /** Once, when half of the buffer is free again after a refusal. */
  wantsRoom(): boolean {
    const wanted = this.refused && this.unacknowledged.length <= UNACKNOWLEDGED_MAX / 2
    if (wanted) this.refused = false
    return wanted
  }

  add(kind: MessageKind, body: Uint8Array): NumberedMessage {
    const message = { sequence: this.#nextSequence++, kind, body }
    this.unacknowledged.push(message)
    return message
  }

  /** Whether this is the next message; anything else came over an old connection and comes again. */
  accept(sequence: number): boolean {
    if (sequence !== this.#received + 1) return false
    this.#received = sequence
    this.unacknowledged.shift()
    return true
  }
}
